/** Moves one registration from status to status, and says so in its history: in one guarded statement. */
import { sql, type UpdateObject } from 'kysely'
import type { Db } from '../database/connection.ts'
import type { RegistrationStatus, Tables } from '../database/tables.ts'
import { now } from './clock.ts'
import type { Provisioning, Registration, RegistrationObserver } from './deps.ts'
import { mayMove, type ProvisioningStatus } from './machine.ts'

export function configuredSteps(provisioning: Provisioning = {}): ProvisioningStatus[] {
  return Object.keys(provisioning) as ProvisioningStatus[]
}

/**
 * The row after the move; undefined when it no longer stood where `registration` says, or has expired.
 * Throws when the table forbids the move: no caller may ask for it.
 */
export async function move(
  db: Db,
  registration: Pick<Registration, 'id' | 'status' | 'lastStep'>,
  to: RegistrationStatus,
  options: {
    provisioning?: Provisioning | undefined
    set?: UpdateObject<Tables, 'registrations'>
  } = {},
): Promise<Registration | undefined> {
  const { id, status: from, lastStep } = registration
  if (!mayMove({ from, to }, { lastStep, configured: configuredSteps(options.provisioning) })) {
    throw new Error(`a registration cannot go from ${from} to ${to}`)
  }
  const reached = to === 'failed' ? lastStep : to
  return db
    .with('moved', (query) =>
      query
        .updateTable('registrations')
        .set({ error: null, ...options.set, status: to, lastStep: reached, updatedAt: now })
        .where('id', '=', id)
        .where('status', '=', from)
        .where('lastStep', '=', lastStep)
        .where('expiresAt', '>', now)
        .returningAll(),
    )
    .with('noted', (query) =>
      query
        .insertInto('registrationTransitions')
        .columns(['registrationId', 'fromStatus', 'toStatus', 'error'])
        .expression((inner) =>
          inner
            .selectFrom('moved')
            .select(['id', sql.val(from).as('fromStatus'), 'status', 'error']),
        ),
    )
    .selectFrom('moved')
    .selectAll()
    .executeTakeFirst()
}

/** Tells the observer, after the move has been committed. */
export function report(
  observer: RegistrationObserver | undefined,
  before: Registration,
  after: Registration,
): void {
  const seconds = (since: Date) => Math.max(0, (after.updatedAt.getTime() - since.getTime()) / 1000)
  observer?.transition?.(before.status, after.status, seconds(before.updatedAt))
  if (after.status === 'verified' || after.status === 'failed') {
    observer?.finished?.(after.status, seconds(after.createdAt))
  }
}
