/**
 * Proves that whoever began reads the mailbox: by the six digits, typed where they began, or by the link.
 * Both end after ten minutes, five wrong guesses or a newer mail; one chance in 200,000 for each mail. Reading a
 * link changes nothing (security AC-06): there is no function here that a GET could spend.
 */
import { sql } from 'kysely'
import { maskEmail } from '../accounts/email.ts'
import { type Origin, record } from '../audit/audit.ts'
import { readCode } from '../credentials/mailed-secrets.ts'
import { equalBytes, sha256 } from '../crypto.ts'
import { now } from './clock.ts'
import { confirm } from './confirm.ts'
import type { RegistrationDeps, RegistrationKey } from './deps.ts'
import { isCode } from './proof-secrets.ts'
import { guessesPerCode, isId, read } from './read.ts'

export type Refusal =
  | 'registration_not_found'
  | 'registration_not_waiting'
  | 'code_invalid'
  | 'code_wrong'
  | 'code_expired'
  | 'too_many_guesses'
  | 'link_used'
  | 'link_expired'
  | 'email_taken'
  | 'account_disabled'
  | 'invite_invalid'

export type Verification =
  /** `first` is false when this was done before: two clicks verify once. A link names its registration. */
  | { ok: true; accountId: string; first: boolean; registrationId?: string }
  | { ok: false; code: Refusal; guessesLeft?: number }

type Deps = Pick<RegistrationDeps, 'db' | 'keyring' | 'observer'>

/**
 * One guess at the digits, counted before it is looked at and whatever becomes of it. They count only together
 * with the registration's own handle (security AC-09).
 */
export async function verifyCode(
  deps: Deps,
  key: RegistrationKey,
  typed: string,
  origin: Origin = {},
): Promise<Verification> {
  const { db, keyring } = deps
  // A caller's rollback would give the guess back.
  if (db.isTransaction) throw new Error('a guess is counted outside of any transaction')
  if (!isId(key.id)) return { ok: false, code: 'registration_not_found' }
  const code = readCode(typed)
  if (code === undefined) return { ok: false, code: 'code_invalid' }
  // The update locks the row, so guesses made at once are counted one by one.
  const counted = await db
    .updateTable('registrations')
    .set({ guesses: sql<number>`guesses + 1` })
    .where('id', '=', key.id)
    .where('handleHash', '=', sha256(key.handle))
    .where('status', '=', 'verification_sent')
    .where('guesses', '<', guessesPerCode)
    .where('proofExpiresAt', '>', now)
    .where('expiresAt', '>', now)
    .returning(['codeHash', 'guesses', 'accountId'])
    .executeTakeFirst()
  if (!counted) return explain(deps, key)
  const { codeHash, guesses } = counted
  if (codeHash !== null && isCode(keyring, key.id, code, codeHash)) {
    return (await confirm(deps, { id: key.id, codeHash }, origin)) ?? explain(deps, key)
  }
  await record(db, {
    type: 'registration.code_refused',
    accountId: counted.accountId ?? undefined,
    origin,
    detail: { registrationId: key.id, guesses },
  })
  const guessesLeft = guessesPerCode - guesses
  return { ok: false, code: guessesLeft > 0 ? 'code_wrong' : 'too_many_guesses', guessesLeft }
}

/** Why no guess was taken. */
async function explain({ db }: Deps, key: RegistrationKey): Promise<Verification> {
  const view = await read(db, key)
  if (!view) return { ok: false, code: 'registration_not_found' }
  if (view.status === 'verified' && view.accountId) {
    return { ok: true, accountId: view.accountId, first: false }
  }
  if (view.error === 'email_taken' || view.error === 'account_disabled') {
    return { ok: false, code: view.error }
  }
  if (view.status !== 'verification_sent') return { ok: false, code: 'registration_not_waiting' }
  return { ok: false, code: view.proof === 'too-many' ? 'too_many_guesses' : 'code_expired' }
}

/**
 * The button behind the link. The token alone names its registration; `key`, where the caller has one, must
 * name the same, and lets a second click be answered like the first.
 */
export async function verifyToken(
  deps: Deps,
  token: string,
  { key, origin = {} }: { key?: RegistrationKey | undefined; origin?: Origin } = {},
): Promise<Verification> {
  const row = await findByToken(deps, token)
  if (!row || (key && row.id !== key.id)) return { ok: false, code: 'link_expired' }
  if (row.open) {
    const { id, tokenHash } = row
    const confirmed = tokenHash && (await confirm(deps, { id, tokenHash }, origin))
    if (confirmed) return confirmed.ok ? { ...confirmed, registrationId: id } : confirmed
  }
  const after = row.open ? await findByToken(deps, token) : row
  if (after?.status !== 'verified' || !after.accountId) return { ok: false, code: 'link_expired' }
  const known = key !== undefined && equalBytes(sha256(key.handle), after.handleHash)
  return known
    ? { ok: true, accountId: after.accountId, first: false }
    : { ok: false, code: 'link_used' }
}

export type Link =
  | { state: 'ready'; maskedEmail: string; username: string; locale: string }
  | { state: 'used' | 'expired' }

/** What the page behind a link shows. Changes nothing, however often a scanner asks. */
export async function readLink(deps: Pick<Deps, 'db'>, token: string): Promise<Link> {
  const row = await findByToken(deps, token)
  if (row?.open) {
    const { email, username, locale } = row
    return { state: 'ready', maskedEmail: maskEmail(email), username, locale }
  }
  return { state: row?.status === 'verified' ? 'used' : 'expired' }
}

async function findByToken({ db }: Pick<Deps, 'db'>, token: string) {
  if (!/^[\w-]{43}$/.test(token)) return undefined
  return db
    .selectFrom('registrations')
    .select(['id', 'handleHash', 'accountId', 'username', 'email', 'locale', 'status', 'tokenHash'])
    .select(
      sql<boolean>`status = 'verification_sent' and proof_expires_at > now()
        and guesses < ${guessesPerCode} and expires_at > now()`.as('open'),
    )
    .where('tokenHash', '=', sha256(token))
    .executeTakeFirst()
}
