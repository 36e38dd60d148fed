/** Sessions as people and admins mean them: one browser signed in, at some apps. Ending them is end-sessions.ts. */
import { sql } from 'kysely'
import { sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { WhichSessions } from './end-sessions.ts'

export type Session = {
  uid: string
  accountId: string
  username: string
  signedInAt: Date
  expiresAt: Date
  acr: string | null
  amr: string[]
  /** Of the apps it has signed in to. */
  clientIds: string[]
}

/** As exact as our clocks tell it. */
const signedIn = sql`date_trunc('milliseconds', coalesce(s.signed_in_at, s.created_at))`

/** `after`: the last of the page before, by what it is sorted by. */
type PageOf = { limit?: number; after?: { at: string; id: string } | undefined }

/** The newest sign-in first, at most 1,000 at once. Whoever has not signed in has no session here. */
export async function listSessions(
  db: Db,
  { uid, accountId, clientId, limit = 100, after }: WhichSessions & PageOf = {},
): Promise<Session[]> {
  const { rows } = await sql<Session>`
    select s.uid, s.account_id, a.username, coalesce(s.signed_in_at, s.created_at) as signed_in_at,
      s.expires_at, s.acr, coalesce(s.amr, '{}') as amr,
      array(select jsonb_object_keys(s.authorizations) order by 1) as client_ids
    from sessions s join accounts a on a.id = s.account_id
    where s.expires_at > now()
      and (${uid ?? null}::text is null or s.uid = ${uid ?? null})
      and (${accountId ?? null}::uuid is null or s.account_id = ${accountId ?? null})
      and (${clientId ?? null}::text is null or s.authorizations ? ${clientId ?? ''})
      and (${after?.at ?? null}::timestamptz is null
        or ${signedIn} < ${after?.at ?? null}::timestamptz
        or (${signedIn} = ${after?.at ?? null}::timestamptz and s.uid > ${after?.id ?? ''}))
    order by ${signedIn} desc, s.uid
    limit ${Math.min(Math.max(limit, 1), 1000)}`.execute(db)
  return rows
}

/** Since when apps hold tokens of this session that outlive it (offline_access), by client id. */
export async function offlineSince(db: Db, uid: string): Promise<Map<string, Date>> {
  const rows = await db
    .selectFrom('grants')
    .select(({ fn }) => ['clientId', fn.max('createdAt').as('since')])
    .where('sessionUid', '=', uid)
    .where('offline', '=', true)
    .where('expiresAt', '>', sql<Date>`now()`)
    .groupBy('clientId')
    .execute()
  return new Map(rows.map(({ clientId, since }) => [clientId, since]))
}

/**
 * What an app knows a session by (`sid`). It follows from the two, so two tabs at once cannot make two, and it can be
 * told when the session is long gone. No app learns another's, since none knows the uid.
 */
export function sessionIdFor(sessionUid: string, clientId: string): string {
  return sha256(JSON.stringify(['sid', sessionUid, clientId]))
    .subarray(0, 24)
    .toString('base64url')
}
