/** What a person allowed which app, and taking it back: the app's tokens end with it. */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { endSessions } from './end-sessions.ts'

export type ConnectedApp = {
  clientId: string
  name: string
  /** When the person first let it in. */
  since: Date
}

/** Apps that hold anything of this person's: a remembered consent or a living grant. By name. */
export async function listConnectedApps(db: Db, accountId: string): Promise<ConnectedApp[]> {
  const { rows } = await sql<ConnectedApp>`
    select c.id as client_id, c.name, min(held.since) as since
    from (
      select client_id, created_at as since from consents where account_id = ${accountId}
      union all
      select client_id, created_at from grants where account_id = ${accountId} and expires_at > now()
    ) held
    join clients c on c.id = held.client_id
    group by c.id, c.name order by lower(c.name)`.execute(db)
  return rows
}

/** The app is told. False when it held nothing. Opaque tokens end at once, JWT access tokens with their few minutes. */
export function disconnectApp(
  db: Db,
  { accountId, clientId }: { accountId: string; clientId: string },
  { actor, origin }: { actor: Actor; origin?: Origin },
): Promise<boolean> {
  return transact(db, async (trx) => {
    const consents = await trx
      .deleteFrom('consents')
      .where('accountId', '=', accountId)
      .where('clientId', '=', clientId)
      .executeTakeFirst()
    const ended = await endSessions(trx, { accountId, clientId }, { offline: 'ends' })
    if (Number(consents.numDeletedRows) + ended.sessions + ended.grants === 0) return false
    await record(trx, { type: 'consent.withdrawn', actor, accountId, clientId, origin })
    return true
  })
}
