/**
 * Which of our sessions came from a session elsewhere: so that whoever signs out here can do so there too, and so that the
 * end of that session is the end of ours. The upstream's ID token is all that is kept of its tokens, sealed, and only where
 * signing out there takes it.
 */
import { sql } from 'kysely'
import { type Keyring, newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { ProvenIdentity } from './claims.ts'

const purpose = 'upstream-id-token'
type Deps = { db: Db; keyring: Keyring }

/** Its id goes with the sign-in to the engine, which makes the session (`nameSession`). */
export async function beginUpstreamSession(
  { db, keyring }: Deps,
  accountId: string,
  { providerId, issuer, subject, sid, idToken }: ProvenIdentity,
): Promise<string> {
  const id = newId()
  await db
    .insertInto('upstreamSessions')
    .values({
      id,
      accountId,
      providerId,
      issuer,
      subject,
      sid: sid ?? null,
      idTokenSealed: idToken ? keyring.seal(purpose, id, idToken) : null,
      // No session of ours lives longer.
      expiresAt: sql<Date>`now() + interval '30 days'`,
    })
    .execute()
  return id
}

/** The engine has made the session that this sign-in was for. */
export async function nameSession(db: Db, id: string, sessionUid: string): Promise<void> {
  await db
    .updateTable('upstreamSessions')
    .set({ sessionUid })
    .where('id', '=', id)
    .where('sessionUid', 'is', null)
    .execute()
}

/** Where a session that has ended came from last, if one can sign out there. */
export async function findUpstreamOf(
  db: Db,
  sessionUid: string,
): Promise<{ id: string; providerId: string; accountId: string } | undefined> {
  return db
    .selectFrom('upstreamSessions')
    .select(['id', 'providerId', 'accountId'])
    .where('sessionUid', '=', sessionUid)
    .where('idTokenSealed', 'is not', null)
    .orderBy('createdAt', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** Of sessions that have ended an hour ago at least, and of sign-ins that came to none. How many. */
export async function forgetEndedUpstreams(db: Db): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('upstreamSessions')
    .where('createdAt', '<', sql<Date>`now() - interval '1 hour'`)
    .where(
      sql<boolean>`not exists (select from sessions where sessions.uid = upstream_sessions.session_uid)`,
    )
    .executeTakeFirst()
  return Number(numDeletedRows)
}

/** The ID token to sign out with, once. */
export async function spendIdToken({ db, keyring }: Deps, id: string): Promise<string | undefined> {
  const row = await db
    .deleteFrom('upstreamSessions')
    .where('id', '=', id)
    .returning('idTokenSealed')
    .executeTakeFirst()
  return row?.idTokenSealed ? keyring.open(purpose, id, row.idTokenSealed).toString() : undefined
}
