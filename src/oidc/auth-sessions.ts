/** The way of a native sign-in between its requests (`auth_session`). Single use is one guarded update. */
import { randomToken, sha256 } from '../crypto.ts'
import type { Queryable } from '../sessions/reads.ts'

export type AuthSession = { parameters: Record<string, string | string[]>; jkt: string | null }

/** How long a person may take over one page of the app. */
const livesSeconds = 600

/** The value goes to the client once; only its hash is stored. */
export async function createAuthSession(
  db: Queryable,
  clientId: string,
  { parameters, jkt }: AuthSession,
): Promise<string> {
  const value = randomToken()
  await db.query({
    name: 'create_auth_session',
    text: `insert into auth_sessions (id_hash, client_id, jkt, parameters, expires_at)
      values ($1, $2, $3, $4, now() + interval '${livesSeconds} seconds')`,
    values: [sha256(value), clientId, jkt, JSON.stringify(parameters)],
  })
  return value
}

/** Succeeds once, for its client and key. Who comes without any of the three uses nothing up. */
export async function spendAuthSession(
  db: Queryable,
  value: string,
  { clientId, jkt }: { clientId: string; jkt: string | null },
): Promise<AuthSession | undefined> {
  const { rows } = await db.query<AuthSession>({
    name: 'spend_auth_session',
    text: `update auth_sessions set consumed_at = now()
      where id_hash = $1 and client_id = $2 and jkt is not distinct from $3
        and consumed_at is null and expires_at > now()
      returning parameters, jkt`,
    values: [sha256(value), clientId, jkt],
  })
  return rows[0]
}
