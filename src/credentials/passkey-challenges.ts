/**
 * Challenges of the two ceremonies (WebAuthn §13.4.3): random, kept here as hashes for five minutes, and good for one
 * answer, in the flow or session and for the act that they were made for.
 */
import { sql } from 'kysely'
import { randomToken, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'

export type ChallengeUse = {
  purpose: 'add' | 'sign-in'
  /** What the ceremony belongs to: a flow or a session, in words that name which. */
  boundTo: string
  /** Who is to be proven or given a passkey; undefined where anybody may answer. */
  accountId?: string | undefined
}

const lifetimeMinutes = 5

/** The challenge, as base64url. */
export async function issueChallenge(db: Db, use: ChallengeUse): Promise<string> {
  const challenge = randomToken()
  await db
    .insertInto('passkeyChallenges')
    .values({
      idHash: sha256(challenge),
      purpose: use.purpose,
      boundTo: sha256(use.boundTo),
      accountId: use.accountId ?? null,
      expiresAt: sql<Date>`now() + make_interval(mins => ${lifetimeMinutes})`,
    })
    .execute()
  return challenge
}

/** True once, whatever then becomes of the answer (WA-02). One of another flow, act or person stays untouched. */
export async function spendChallenge(
  db: Db,
  challenge: string,
  use: ChallengeUse,
): Promise<boolean> {
  const spent = await db
    .deleteFrom('passkeyChallenges')
    .where('idHash', '=', sha256(challenge))
    .where('purpose', '=', use.purpose)
    .where('boundTo', '=', sha256(use.boundTo))
    .where(sql<boolean>`account_id is not distinct from ${use.accountId ?? null}::uuid`)
    .where('expiresAt', '>', sql<Date>`now()`)
    .returning('purpose')
    .executeTakeFirst()
  return spent !== undefined
}
