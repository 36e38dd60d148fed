/**
 * The last step: the address has been proven, so the account becomes a real one and the address its own. Which
 * of several registrations for one address gets it, the database decides: the first to prove it.
 */
import { sql } from 'kysely'
import { type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { acceptInvite } from '../invites/claim.ts'
import { now } from './clock.ts'
import type { Registration, RegistrationDeps } from './deps.ts'
import { move, report } from './move.ts'
import { guessesPerCode } from './read.ts'
import { fail } from './steps.ts'

type Deps = Pick<RegistrationDeps, 'db' | 'observer'>

/** The proof by its stored hash: if a newer mail has replaced it meanwhile, it proves nothing. */
type Proof = { id: string } & ({ codeHash: Buffer } | { tokenHash: Buffer })

type Confirmed = { ok: true; accountId: string; first: true } | { ok: false; code: Refusal }

type Refusal = 'email_taken' | 'account_disabled' | 'invite_invalid'

/** Undefined when the proof is not open any more. */
export async function confirm(
  deps: Deps,
  proof: Proof,
  origin: Origin,
): Promise<Confirmed | undefined> {
  let standing: Registration | undefined
  try {
    const verified = await transact(deps.db, async (trx) => {
      standing = await lockOpen(trx, proof)
      return standing && verify(trx, standing, 'codeHash' in proof ? 'code' : 'link', origin)
    })
    if (!standing || !verified) return undefined
    report(deps.observer, standing, verified.registration)
    return { ok: true, accountId: verified.accountId, first: true }
  } catch (error) {
    const code = refusalIn(error)
    if (code === undefined || standing === undefined) throw error
    // Whoever cannot have the address gives the username back.
    await fail(deps, standing, code, origin, (trx) => removeUnverified(trx, standing?.accountId))
    return { ok: false, code }
  }
}

function lockOpen(trx: Db, { id, ...hash }: Proof): Promise<Registration | undefined> {
  const query = trx
    .selectFrom('registrations')
    .selectAll()
    .where('id', '=', id)
    .where('status', '=', 'verification_sent')
    .where('proofExpiresAt', '>', now)
    .where('expiresAt', '>', now)
    .forUpdate()
  // The guess that was right has been counted already, so the code may stand at five; the link may not.
  return 'codeHash' in hash
    ? query.where('codeHash', '=', hash.codeHash).executeTakeFirst()
    : query
        .where('tokenHash', '=', hash.tokenHash)
        .where('guesses', '<', guessesPerCode)
        .executeTakeFirst()
}

async function verify(trx: Db, standing: Registration, by: 'code' | 'link', origin: Origin) {
  const registration = await move(trx, standing, 'verified', {
    set: { verifiedAt: now, verifiedBy: by, codeHash: null, proofExpiresAt: null },
  })
  const account = await trx
    .updateTable('accounts')
    .set({
      status: 'active',
      email: standing.email,
      emailCanonical: standing.emailCanonical,
      emailVerifiedAt: now,
      updatedAt: now,
    })
    .where('id', '=', standing.accountId ?? sql<string>`null`)
    .where('status', '=', 'unverified')
    .returning('id')
    .executeTakeFirst()
  if (!registration || !account) throw new AppError('account_disabled', 403)
  const { inviteId } = standing
  if (inviteId && !(await acceptInvite(trx, { inviteId, accountId: account.id }))) {
    throw new AppError('invite_invalid', 403)
  }
  await record(trx, {
    type: 'registration.verified',
    actor: { kind: 'person', id: account.id },
    accountId: account.id,
    origin,
    detail: { registrationId: standing.id },
  })
  return { registration, accountId: account.id }
}

function refusalIn(error: unknown): Refusal | undefined {
  if (error instanceof AppError) {
    return (['account_disabled', 'invite_invalid'] as const).find((code) => code === error.code)
  }
  const { code, constraint } = error as { code?: unknown; constraint?: unknown }
  return code === '23505' && constraint === 'accounts_email_canonical_key'
    ? 'email_taken'
    : undefined
}

async function removeUnverified(trx: Db, accountId: string | null | undefined): Promise<void> {
  if (!accountId) return
  await trx
    .deleteFrom('accounts')
    .where('id', '=', accountId)
    .where('status', '=', 'unverified')
    .execute()
}
