/** Goes on with a registration that stopped on its way: the process died between two steps, or a step failed. */
import { type Origin, record } from '../audit/audit.ts'
import { transact } from '../database/transact.ts'
import type { Registration, RegistrationDeps, RegistrationKey } from './deps.ts'
import { mayRetry } from './machine.ts'
import { move, report } from './move.ts'
import { type RegistrationView, read } from './read.ts'
import { advance } from './steps.ts'

export type Resumed =
  | { ok: true; registration: RegistrationView }
  | { ok: false; code: 'registration_not_found' | 'registration_not_retryable' }

/**
 * From a failure back to the last step that was reached, and on from there. Harmless where nothing has failed.
 * The registration may fail again; that is its answer, no error of this function.
 */
export async function retry(
  deps: RegistrationDeps,
  key: RegistrationKey,
  origin: Origin = {},
): Promise<Resumed> {
  const view = await read(deps.db, key)
  if (!view) return { ok: false, code: 'registration_not_found' }
  if (view.status === 'failed' && !view.canRetry) {
    return { ok: false, code: 'registration_not_retryable' }
  }
  const registration = await deps.db
    .selectFrom('registrations')
    .selectAll()
    .where('id', '=', key.id)
    .executeTakeFirst()
  if (!registration) return { ok: false, code: 'registration_not_found' }
  const standing = mayRetry(registration)
    ? await takeBack(deps, registration, origin)
    : registration
  if (standing) await advance(deps, standing, origin)
  const after = await read(deps.db, key)
  return after ? { ok: true, registration: after } : { ok: false, code: 'registration_not_found' }
}

/** Undefined when another retry was faster. */
async function takeBack(
  { db, observer }: RegistrationDeps,
  failed: Registration,
  origin: Origin,
): Promise<Registration | undefined> {
  const standing = await transact(db, async (trx) => {
    const moved = await move(trx, failed, failed.lastStep)
    if (!moved) return undefined
    await record(trx, {
      type: 'registration.retried',
      accountId: failed.accountId ?? undefined,
      origin,
      detail: { registrationId: failed.id, lastStep: failed.lastStep, error: failed.error },
    })
    return moved
  })
  if (standing) report(observer, failed, standing)
  return standing
}
