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
  /** When it was last given a token, or let in. */
  lastUsed: Date
  scopes: string[]
  /** Names of the APIs that it may use. */
  apis: string[]
}

/** Apps that hold anything of this person's: a remembered consent or a living grant. By name. */
export async function listConnectedApps(db: Db, accountId: string): Promise<ConnectedApp[]> {
  const { rows } = await sql<ConnectedApp>`
    with held as (
      select client_id, created_at as since, updated_at as used, scopes, resources
      from consents where account_id = ${accountId}
      union all
      select g.client_id, g.created_at,
        coalesce((select max(r.created_at) from refresh_tokens r where r.grant_id = g.id), g.created_at),
        g.scopes, g.resources
      from grants g where g.account_id = ${accountId} and g.expires_at > now()
    )
    select c.id as client_id, c.name, min(h.since) as since, max(h.used) as last_used,
      array(select distinct scope from held o, unnest(o.scopes) as scope
        where o.client_id = c.id order by scope) as scopes,
      array(select distinct coalesce(nullif(a.name, ''), key)
        from held o, jsonb_object_keys(o.resources) as key
        left join apis a on a.identifier = key where o.client_id = c.id order by 1) as apis
    from held h join clients c on c.id = h.client_id
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
