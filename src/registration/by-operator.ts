/**
 * Accounts that an operator makes, by the same rules as everybody's, save that reserved names are allowed: the
 * house's own `admin` has to come from somewhere. A vouched-for address makes the account active at once; any
 * other is proven by the person, who signs in with the password and is asked for the mailed code.
 */
import { createAccount } from '../accounts/accounts.ts'
import type { Actor, Origin } from '../audit/audit.ts'
import { transact } from '../database/transact.ts'
import { AppError, type FieldError } from '../errors.ts'
import { grantRole } from '../roles/holders.ts'
import { assertRole } from '../roles/roles.ts'
import { begin } from './begin.ts'
import type { RegistrationDeps } from './deps.ts'
import { checkFields, type Fields } from './fields.ts'
import { releaseExpired } from './usernames.ts'

/** A person who is told in passing needs longer than one who has just filled in a form. */
const lifetimeHours = 7 * 24

export type MadeByOperator =
  | { ok: true; accountId: string; status: 'active' | 'unverified' }
  | { ok: false; errors: FieldError[] }

/** `username_taken` and `email_taken` among the errors are conflicts, the others broken rules. Throws `role_invalid`. */
export async function registerByOperator(
  deps: RegistrationDeps,
  person: Fields & { verified: boolean; roles?: string[] },
  actor: Actor = { kind: 'operator' },
  origin?: Origin,
): Promise<MadeByOperator> {
  const { db, hasher, config } = deps
  const { verified, roles = [], ...fields } = person
  roles.forEach(assertRole)
  if (!verified) return inviteToProve(deps, fields, roles, actor)

  const { value, errors } = checkFields(fields, config, { reservedToo: true })
  if (!value) return { ok: false, errors }
  const { username, email, emailCanonical, password, name, locale } = value
  const passwordHash = password === null ? null : await hasher.hash(password)
  const made = await transact(db, async (trx) => {
    await releaseExpired(trx, username)
    const address = { email, canonical: emailCanonical }
    const account = { username, passwordHash, name, locale, address, roles }
    return createAccount(trx, account, actor, origin)
  })
  return made.ok ? { ok: true, accountId: made.id, status: 'active' } : made
}

async function inviteToProve(
  deps: RegistrationDeps,
  fields: Fields,
  roles: string[],
  actor: Actor,
): Promise<MadeByOperator> {
  const begun = await begin(deps, fields, {}, { actor, lifetimeHours })
  if (!begun.ok) return begun
  const { accountId, error } = begun.registration
  if (accountId === null) throw new AppError(error ?? 'internal', 500)
  await transact(deps.db, async (trx) => {
    for (const role of roles) {
      await grantRole(trx, role, { kind: 'account', id: accountId }, { actor, make: true })
    }
  })
  return { ok: true, accountId, status: 'unverified' }
}
