/**
 * Takes a registration from step to step until the verification mail is on its way. Each step is one
 * transaction: the guarded move and the work behind it. A step that fails is rolled back whole and the
 * registration marked failed; from there a retry goes on. Two who drive the same registration share the steps.
 */
import { insertAccount } from '../accounts/new-account.ts'
import { type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import type { RegistrationStatus } from '../database/tables.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { returnInvites } from '../invites/claim.ts'
import type { Registration, RegistrationDeps } from './deps.ts'
import { mayRetry, nextStatus } from './machine.ts'
import { queueMail } from './mails.ts'
import { configuredSteps, move, report } from './move.ts'
import { findHolder, releaseExpired } from './usernames.ts'

/** Returns the registration at `verification_sent`, at `failed`, or where somebody else has brought it. */
export async function advance(
  deps: RegistrationDeps,
  registration: Registration,
  origin: Origin,
): Promise<Registration> {
  // In a caller's transaction a failing step would take the earlier ones with it.
  if (deps.db.isTransaction) throw new Error('registration steps commit one by one')
  let current = registration
  for (;;) {
    const to = nextStatus(current.status, configuredSteps(deps.provisioning))
    if (to === undefined || to === 'verified') return current
    const after = await takeStep(deps, current, to, origin)
    const seen = after ?? (await reread(deps.db, current.id))
    if (!seen || seen.status === current.status) return current
    current = seen
  }
}

/** Undefined when the registration was not there any more: another has taken the step, or it has expired. */
async function takeStep(
  deps: RegistrationDeps,
  before: Registration,
  to: RegistrationStatus,
  origin: Origin,
): Promise<Registration | undefined> {
  const { db, provisioning, observer } = deps
  let after: Registration | undefined
  try {
    after = await transact(db, async (trx) => {
      const moved = await move(trx, before, to, { provisioning })
      return moved && { ...moved, ...(await work(deps, trx, moved, origin)) }
    })
  } catch (error) {
    const known = error instanceof AppError ? error : new AppError('internal', 500)
    if (known.status >= 500) observer?.fault?.(error, to)
    return fail(deps, before, known.code, origin)
  }
  if (after) report(observer, before, after)
  return after
}

async function work(
  { provisioning }: RegistrationDeps,
  trx: Db,
  registration: Registration,
  origin: Origin,
): Promise<Partial<Registration>> {
  switch (registration.status) {
    case 'username_validated':
      return validateUsername(trx, registration)
    case 'user_created':
      return createUser(trx, registration, origin)
    case 'system_user_created':
    case 'mail_configured': {
      const { accountId, username, name } = registration
      if (accountId === null) throw new AppError('account_not_found', 404)
      await provisioning?.[registration.status]?.(trx, { accountId, username, name })
      return {}
    }
    case 'verification_sent':
      await queueMail(trx, registration.id, origin)
      return {}
    default:
      throw new Error(`nothing is done for ${registration.status}`)
  }
}

async function validateUsername(
  trx: Db,
  { username }: Registration,
): Promise<Partial<Registration>> {
  await releaseExpired(trx, username)
  if (await findHolder(trx, username)) throw new AppError('username_taken', 409)
  return {}
}

async function createUser(
  trx: Db,
  registration: Registration,
  origin: Origin,
): Promise<Partial<Registration>> {
  const { id, username, name, locale, passwordHash } = registration
  const made = await insertAccount(trx, { username, name, locale, passwordHash })
  if (!made.ok) throw new AppError('username_taken', 409)
  // The hash moves: it stands in one place only.
  const moved = { accountId: made.id, passwordHash: null }
  await trx.updateTable('registrations').set(moved).where('id', '=', id).execute()
  const detail = { username, registrationId: id }
  await record(trx, { type: 'account.created', accountId: made.id, origin, detail })
  return moved
}

/** Marks it failed where it stands. Undefined when it stands there no longer. */
export async function fail(
  { db, observer }: Pick<RegistrationDeps, 'db' | 'observer'>,
  before: Registration,
  error: string,
  origin: Origin,
  alsoDo: (trx: Db) => Promise<void> = async () => {},
): Promise<Registration | undefined> {
  const failed = await transact(db, async (trx) => {
    const moved = await move(trx, before, 'failed', { set: { error } })
    if (!moved) return undefined
    if (moved.inviteId && !mayRetry(moved)) await giveBack(trx, moved)
    await alsoDo(trx)
    await record(trx, {
      type: 'registration.failed',
      accountId: before.accountId ?? undefined,
      origin,
      detail: { registrationId: before.id, lastStep: before.status, error },
    })
    return moved
  })
  if (failed) report(observer, before, failed)
  return failed
}

/** This one leads nowhere any more. */
async function giveBack(trx: Db, { id, inviteId }: Registration): Promise<void> {
  await trx.updateTable('registrations').set({ inviteId: null }).where('id', '=', id).execute()
  await returnInvites(trx, inviteId ? [inviteId] : [])
}

function reread(db: Db, id: string): Promise<Registration | undefined> {
  return db.selectFrom('registrations').selectAll().where('id', '=', id).executeTakeFirst()
}
