/**
 * The way to an upstream and back. Its `state` is random and kept as a hash; nonce, PKCE verifier and where the way leads
 * are sealed beside it. It is good once, for ten minutes, at one provider's callback, for the browser that began it
 * (login CSRF, mix-up and replay: security AC-21).
 */
import { sql } from 'kysely'
import { type Keyring, randomToken, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'

/** `flow`: into a sign-in that is under way. `link`: to an account, in the session that asked. */
export type Purpose =
  | { kind: 'flow'; flowId: string }
  | { kind: 'link'; accountId: string; sessionUid: string }

export type UpstreamRequest = {
  state: string
  nonce: string
  verifier: string
  /** The person is to sign in anew there. */
  fresh: boolean
  /** In milliseconds since 1970. */
  startedAt: number
  purpose: Purpose
}

const lifetime = sql<Date>`now() + interval '10 minutes'`
const now = sql<Date>`now()`
const statePattern = /^[\w-]{43}$/
type Deps = { db: Db; keyring: Keyring }

const rowOf = (hash: Buffer) => hash.toString('base64url')

/** `browser` is the name by which the browser will come back (http/csrf.ts). */
export async function beginRequest(
  { db, keyring }: Deps,
  given: { providerId: string; browser: string; purpose: Purpose; fresh: boolean },
): Promise<UpstreamRequest> {
  const { providerId, browser, ...rest } = given
  const state = randomToken()
  const kept = { nonce: randomToken(), verifier: randomToken(), startedAt: Date.now(), ...rest }
  const idHash = sha256(state)
  await db
    .insertInto('upstreamRequests')
    .values({
      idHash,
      providerId,
      browser,
      sealed: keyring.seal('upstream-request', rowOf(idHash), JSON.stringify(kept)),
      expiresAt: lifetime,
    })
    .execute()
  return { state, ...kept }
}

/**
 * Keeps what a form from another site brought, for the request after it, which has our cookies. Whoever posts knows the
 * state, and that is all it proves; the first stays. False when there is no such request.
 */
export async function keepAnswer(
  { db, keyring }: Deps,
  { providerId, state, answer }: { providerId: string; state: string; answer: URLSearchParams },
): Promise<boolean> {
  if (!statePattern.test(state)) return false
  const idHash = sha256(state)
  const { numUpdatedRows } = await db
    .updateTable('upstreamRequests')
    .set({ answerSealed: keyring.seal('upstream-answer', rowOf(idHash), String(answer)) })
    .where('idHash', '=', idHash)
    .where('providerId', '=', providerId)
    .where('answerSealed', 'is', null)
    .where('expiresAt', '>', now)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Once, whoever comes first of twenty. `answer` is what was kept before. */
export async function spendRequest(
  { db, keyring }: Deps,
  { providerId, state, browsers }: { providerId: string; state: string; browsers: string[] },
): Promise<{ request: UpstreamRequest; answer: URLSearchParams | undefined } | undefined> {
  if (!statePattern.test(state) || browsers.length === 0) return undefined
  const idHash = sha256(state)
  const row = await db
    .deleteFrom('upstreamRequests')
    .where('idHash', '=', idHash)
    .where('providerId', '=', providerId)
    .where('browser', 'in', browsers)
    .where('expiresAt', '>', now)
    .returning(['sealed', 'answerSealed'])
    .executeTakeFirst()
  if (!row) return undefined
  const kept = JSON.parse(keyring.open('upstream-request', rowOf(idHash), row.sealed).toString())
  const answer = row.answerSealed
    ? new URLSearchParams(
        keyring.open('upstream-answer', rowOf(idHash), row.answerSealed).toString(),
      )
    : undefined
  return { request: { state, ...kept }, answer }
}
