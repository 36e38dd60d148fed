/** Grants: what one app holds of one person, with every token that hangs on it. */
import { sql } from 'kysely'
import { type Actor, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'

export type Grant = {
  id: string
  accountId: string
  username: string | null
  clientId: string
  clientName: string | null
  scopes: string[]
  /** Identifiers of APIs. */
  apis: string[]
  /** Outlives the session (offline_access). */
  offline: boolean
  createdAt: Date
  expiresAt: Date
  /** When a token was last given by a refresh. */
  lastUsed: Date | null
}

export type WhichGrants = { id?: string; accountId?: string; clientId?: string; offline?: boolean }

/** As exact as our clocks tell it. */
const created = sql`date_trunc('milliseconds', g.created_at)`

/** `after`: the last of the page before, by what it is sorted by. */
type PageOf = { limit?: number; after?: { at: string; id: string } | undefined }

/** The newest first, at most 1,000 at once. All that are given must fit. */
export async function listGrants(
  db: Db,
  { id, accountId, clientId, offline, limit = 100, after }: WhichGrants & PageOf = {},
): Promise<Grant[]> {
  const { rows } = await sql<Grant>`
    select g.id, g.account_id, a.username, g.client_id, c.name as client_name, g.scopes, g.offline,
      g.created_at, g.expires_at, array(select jsonb_object_keys(g.resources) order by 1) as apis,
      (select max(r.created_at) from refresh_tokens r where r.grant_id = g.id) as last_used
    from grants g
    left join accounts a on a.id = g.account_id
    left join clients c on c.id = g.client_id
    where g.expires_at > now()
      and (${id ?? null}::text is null or g.id = ${id ?? null})
      and (${accountId ?? null}::uuid is null or g.account_id = ${accountId ?? null})
      and (${clientId ?? null}::text is null or g.client_id = ${clientId ?? null})
      and (not ${offline ?? false}::boolean or g.offline)
      and (${after?.at ?? null}::timestamptz is null
        or ${created} < ${after?.at ?? null}::timestamptz
        or (${created} = ${after?.at ?? null}::timestamptz and g.id > ${after?.id ?? ''}))
    order by ${created} desc, g.id
    limit ${Math.min(Math.max(limit, 1), 1000)}`.execute(db)
  return rows
}

/**
 * Their refresh and opaque tokens are dead at once, JWT access tokens with their few minutes. Sessions go on: who is to sign
 * in anew is end-sessions.ts. Returns how many there were. Throws when nothing is named.
 */
export function revokeGrants(
  db: Db,
  { id, accountId, clientId }: Omit<WhichGrants, 'offline'>,
  actor: Actor,
): Promise<number> {
  if (id === undefined && accountId === undefined && clientId === undefined)
    throw new Error('nobody revokes every grant of everybody')
  return transact(db, async (trx) => {
    let query = trx.deleteFrom('grants')
    if (id !== undefined) query = query.where('id', '=', id)
    if (accountId !== undefined) query = query.where('accountId', '=', accountId)
    if (clientId !== undefined) query = query.where('clientId', '=', clientId)
    const rows = await query.returning(['accountId', 'clientId']).execute()
    const [first] = rows
    if (!first) return 0
    const one = rows.every((row) => row.accountId === first.accountId)
    const app = rows.every((row) => row.clientId === first.clientId)
    await record(trx, {
      type: 'grants.revoked',
      actor,
      accountId: one ? first.accountId : undefined,
      clientId: app ? first.clientId : undefined,
      detail: { grants: rows.length },
    })
    return rows.length
  })
}
