/**
 * Signing in with a passkey: nobody says who they are, the authenticator does (discoverable credentials only, EN-08).
 * A counter that goes back means a copy of the key, and is refused (WebAuthn §6.1.1).
 */
import { type Selectable, sql } from 'kysely'
import type { Account } from '../accounts/accounts.ts'
import { type Origin, record } from '../audit/audit.ts'
import { equalBytes } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { Tables } from '../database/tables.ts'
import {
  type Assertion,
  readAuthentication,
  verifyAuthentication,
  webauthn,
} from './passkey-answers.ts'
import { issueChallenge, spendChallenge } from './passkey-challenges.ts'
import type { RelyingParty } from './passkey-domain.ts'
import { amrOf, reasonOf } from './passkeys.ts'

/** For `navigator.credentials.get()` (§5.5). `accountId`: nobody else's will do. */
export async function createSignInOptions(
  db: Db,
  { id: rpID }: RelyingParty,
  { boundTo, accountId }: { boundTo: string; accountId?: string | undefined },
) {
  const { generateAuthenticationOptions } = await webauthn()
  const challenge = await issueChallenge(db, { purpose: 'sign-in', boundTo, accountId })
  return generateAuthenticationOptions({
    rpID,
    challenge: new Uint8Array(Buffer.from(challenge, 'base64url')),
    userVerification: 'required',
    timeout: 300_000,
  })
}

export type SignedIn =
  | { ok: true; account: Account; amr: string[]; passkeyId: string }
  /** `credentialId` only where we do not know it: the browser may forget it. */
  | { ok: false; code: 'passkey_refused' | 'passkey_expired' }
  | { ok: false; code: 'passkey_unknown'; credentialId: string }

type Known = Selectable<Tables['passkeys']> & { userHandle: Buffer }

/** `answer` is the browser's JSON. The account comes back whatever its status; the caller judges that. */
export async function signInWithPasskey(
  db: Db,
  party: RelyingParty,
  given: { boundTo: string; answer: string; accountId?: string | undefined },
  origin: Origin = {},
): Promise<SignedIn> {
  const { boundTo, accountId } = given
  const answer = readAuthentication(given.answer)
  if (!answer) return { ok: false, code: 'passkey_refused' }
  const use = { purpose: 'sign-in', boundTo, accountId } as const
  if (!(await spendChallenge(db, answer.challenge, use))) {
    return { ok: false, code: 'passkey_expired' }
  }
  const { rawId: credentialId } = answer.response
  const passkey = await findByCredential(db, credentialId)
  if (!passkey) return { ok: false, code: 'passkey_unknown', credentialId }
  const refuse = (reason: string) => refused(db, passkey, reason, origin)
  if (accountId !== undefined && passkey.accountId !== accountId) return refuse('another account')
  if (passkey.rpId !== party.id) return refuse('made for another domain')
  const handle = Buffer.from(answer.response.response.userHandle ?? '', 'base64url')
  if (!equalBytes(handle, passkey.userHandle)) return refuse('another user handle')
  let assertion: Assertion
  try {
    assertion = await verifyAuthentication(party, answer, passkey)
  } catch (error) {
    return refuse(reasonOf(error))
  }
  if (assertion.backupEligible !== passkey.backupEligible)
    return refuse('backup eligibility changed')
  if (!(await count(db, passkey.id, assertion))) {
    await record(db, {
      type: 'passkey.counter_went_back',
      accountId: passkey.accountId,
      origin,
      detail: { passkeyId: passkey.id, counter: assertion.counter },
    })
    return { ok: false, code: 'passkey_refused' }
  }
  const account = await db
    .selectFrom('accounts')
    .selectAll()
    .where('id', '=', passkey.accountId)
    .executeTakeFirst()
  if (!account) return { ok: false, code: 'passkey_refused' }
  return { ok: true, account, amr: amrOf(passkey), passkeyId: passkey.id }
}

function findByCredential(db: Db, credentialId: string): Promise<Known | undefined> {
  return db
    .selectFrom('passkeys')
    .innerJoin('passkeyHolders', 'passkeyHolders.accountId', 'passkeys.accountId')
    .selectAll('passkeys')
    .select('passkeyHolders.userHandle')
    .where('passkeys.credentialId', '=', Buffer.from(credentialId, 'base64url'))
    .executeTakeFirst()
}

/** Zero stands for an authenticator that does not count; anything else has to grow (§7.2 step 22). */
async function count(db: Db, id: string, { counter, backedUp }: Assertion): Promise<boolean> {
  const used = await db
    .updateTable('passkeys')
    .set({ counter, backedUp, lastUsedAt: sql<Date>`now()` })
    .where('id', '=', id)
    .where(sql<boolean>`(counter < ${counter} or (counter = 0 and ${counter} = 0))`)
    .returning('id')
    .executeTakeFirst()
  return used !== undefined
}

async function refused(
  db: Db,
  { accountId, id }: Known,
  reason: string,
  origin: Origin,
): Promise<SignedIn> {
  const detail = { act: 'sign-in', passkeyId: id, reason }
  await record(db, { type: 'passkey.refused', accountId, origin, detail })
  return { ok: false, code: 'passkey_refused' }
}
