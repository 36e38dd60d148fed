/** What the audit trail says. */
import type { Db } from '../../src/database/connection.ts'

/** Events of this type, or all, oldest first; of one app where it is given. */
export function auditOf(db: Db, type?: string, clientId?: string) {
  const all = db.selectFrom('auditEvents').selectAll().orderBy('at').orderBy('id')
  const query = type === undefined ? all : all.where('type', '=', type)
  return (clientId ? query.where('clientId', '=', clientId) : query).execute()
}
