/** What the audit trail says. */
import type { Db } from '../../src/database/connection.ts'

/** Events of this type, oldest first; of one app where it is given. */
export function auditOf(db: Db, type: string, clientId?: string) {
  const query = db.selectFrom('auditEvents').selectAll().where('type', '=', type).orderBy('at')
  return (clientId ? query.where('clientId', '=', clientId) : query).execute()
}
