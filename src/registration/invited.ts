/** What an invitation means for a registration: asked for where the house wants one, and never told more of than "no". */
import { canonicalEmail } from '../accounts/email.ts'
import { sha256 } from '../crypto.ts'
import type { FieldError } from '../errors.ts'
import { findInviteByCode } from '../invites/claim.ts'
import { knownInviteCode } from '../invites/codes.ts'
import { now } from './clock.ts'
import type { RegistrationDeps, RegistrationKey } from './deps.ts'
import type { Fields } from './fields.ts'
import { isId } from './read.ts'

export const inviteInvalid: FieldError = { field: 'invite', code: 'invite_invalid' }

/**
 * Whether whoever fills in the form may go on, as far as can be seen without using anything up. A code that is given counts
 * where none is needed, too: it may bring roles.
 */
export async function checkInvite(
  { db, keyring, config }: RegistrationDeps,
  { invite, username, email }: Fields,
  { optional }: { optional: boolean },
): Promise<{ ok: true } | { ok: false; error: FieldError }> {
  if (!invite) {
    return optional || config.registration === 'open'
      ? { ok: true }
      : { ok: false, error: { field: 'invite', code: 'invite_required' } }
  }
  const address = canonicalEmail(email)
  const canonical = address.ok ? address.canonical : ''
  const found = await findInviteByCode(db, keyring, { code: invite, email: canonical })
  if (!found) return { ok: false, error: inviteInvalid }
  if (found.open) return { ok: true }
  // The last use may be this person's own: the same form sent twice is one registration.
  const own = await db
    .selectFrom('registrations')
    .select('id')
    .where('inviteId', '=', found.id)
    .where('username', '=', username)
    .where('emailCanonical', '=', canonical)
    .where('status', '!=', 'verified')
    .where('expiresAt', '>', now)
    .executeTakeFirst()
  return own ? { ok: true } : { ok: false, error: inviteInvalid }
}

/** Whether the code is what was refused: such answers are counted against guessing. */
export function isWrongInvite(begun: { ok: boolean; errors?: FieldError[] }): boolean {
  return begun.errors?.some(({ code }) => code === inviteInvalid.code) ?? false
}

/** The code with which this registration was begun, for whoever goes back to its form; they brought it themselves. */
export async function inviteOf(
  { db, keyring }: Pick<RegistrationDeps, 'db' | 'keyring'>,
  { id, handle }: RegistrationKey,
): Promise<string | undefined> {
  if (!isId(id)) return undefined
  const invite = await db
    .selectFrom('registrations')
    .innerJoin('invites', 'invites.id', 'registrations.inviteId')
    .select(['invites.id', 'invites.codeHash'])
    .where('registrations.id', '=', id)
    .where('registrations.handleHash', '=', sha256(handle))
    .where('registrations.status', '!=', 'verified')
    .executeTakeFirst()
  return invite && knownInviteCode(keyring, invite)
}
