/**
 * A new passkey (WebAuthn §7.1), bound to a challenge of the same session or flow and for the same person. Audited and
 * mailed.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Origin, record } from '../audit/audit.ts'
import { newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import {
  algorithms,
  type NewCredential,
  readRegistration,
  verifyRegistration,
  webauthn,
} from './passkey-answers.ts'
import { issueChallenge, spendChallenge } from './passkey-challenges.ts'
import type { RelyingParty } from './passkey-domain.ts'
import { makerOf } from './passkey-makers.ts'
import { amrOf, listPasskeys, mostPasskeys, reasonOf, tell } from './passkeys.ts'
import { isWithoutWayIn } from './ways-in.ts'

/** What authenticators know the person by, as base64url; made at the first question. */
export async function userHandleOf(db: Db, accountId: string): Promise<string> {
  const { userHandle } = await db
    .insertInto('passkeyHolders')
    .values({ accountId, userHandle: randomBytes(32) })
    .onConflict((conflict) =>
      // Of two at once both get the first one's.
      conflict
        .column('accountId')
        .doUpdateSet({ userHandle: sql<Buffer>`passkey_holders.user_handle` }),
    )
    .returning('userHandle')
    .executeTakeFirstOrThrow()
  return userHandle.toString('base64url')
}

type Person = { id: string; username: string; name: string }

/** For `navigator.credentials.create()` (§5.4); `boundTo` names the session or flow. */
export async function createPasskeyOptions(
  db: Db,
  { id: rpID, name: rpName }: RelyingParty,
  { account, boundTo }: { account: Person; boundTo: string },
) {
  const { generateRegistrationOptions } = await webauthn()
  const known = await listPasskeys(db, account.id)
  const challenge = await issueChallenge(db, { purpose: 'add', boundTo, accountId: account.id })
  return generateRegistrationOptions({
    rpID,
    rpName,
    userID: new Uint8Array(Buffer.from(await userHandleOf(db, account.id), 'base64url')),
    userName: account.username,
    userDisplayName: account.name,
    challenge: new Uint8Array(Buffer.from(challenge, 'base64url')),
    attestationType: 'none',
    excludeCredentials: known.map(({ credentialId }) => ({ id: credentialId })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    supportedAlgorithmIDs: algorithms,
    timeout: 300_000,
  })
}

export type Added =
  | { ok: true; id: string; amr: string[] }
  | {
      ok: false
      code:
        | 'passkey_refused'
        | 'passkey_expired'
        | 'passkey_taken'
        | 'passkey_too_many'
        | 'way_in_exists'
    }

/**
 * `answer` is the browser's JSON. The challenge is spent whatever becomes of it. `first`: only for an account that has no
 * other way in.
 */
export async function addPasskey(
  db: Db,
  party: RelyingParty,
  given: { accountId: string; boundTo: string; answer: string; first?: boolean },
  origin: Origin = {},
): Promise<Added> {
  const { accountId, boundTo } = given
  const answer = readRegistration(given.answer)
  if (!answer) return { ok: false, code: 'passkey_refused' }
  const use = { purpose: 'add', boundTo, accountId } as const
  if (!(await spendChallenge(db, answer.challenge, use))) {
    return { ok: false, code: 'passkey_expired' }
  }
  let credential: NewCredential
  try {
    credential = await verifyRegistration(party, answer)
  } catch (error) {
    await record(db, {
      type: 'passkey.refused',
      accountId,
      origin,
      detail: { act: 'add', reason: reasonOf(error) },
    })
    return { ok: false, code: 'passkey_refused' }
  }
  return insert(db, party, given, credential, origin)
}

function insert(
  db: Db,
  { id: rpId }: RelyingParty,
  { accountId, first = false }: { accountId: string; first?: boolean },
  credential: NewCredential,
  origin: Origin,
): Promise<Added> {
  return transact(db, async (trx): Promise<Added> => {
    // Held till the end, so that two at once are counted one after the other.
    const account = await trx
      .selectFrom('accounts')
      .select('id')
      .where('id', '=', accountId)
      .where('status', '=', 'active')
      .forUpdate()
      .executeTakeFirst()
    if (!account) return { ok: false, code: 'passkey_refused' }
    const before = (await listPasskeys(trx, accountId)).length
    if (first && !(await isWithoutWayIn(trx, accountId))) {
      return { ok: false, code: 'way_in_exists' }
    }
    if (before >= mostPasskeys) return { ok: false, code: 'passkey_too_many' }
    const id = newId()
    const name = makerOf(credential.aaguid)
    const made = await trx
      .insertInto('passkeys')
      .values({ ...credential, id, accountId, rpId, name })
      .onConflict((conflict) => conflict.column('credentialId').doNothing())
      .returning('id')
      .executeTakeFirst()
    if (!made) return { ok: false, code: 'passkey_taken' }
    await tell(trx, 'added', { accountId, id, name }, { kind: 'person', id: accountId }, origin)
    return { ok: true, id, amr: amrOf(credential) }
  })
}
