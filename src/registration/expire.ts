/** Removes what has run out: registrations, and with them the unverified accounts that held their usernames. */
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { returnInvites } from '../invites/claim.ts'
import { now } from './clock.ts'

/**
 * A batch is a transaction of its own, and passes over rows that somebody is working on. Returns how many went;
 * accounts that were verified, or disabled by an operator, stay.
 */
export async function expireRegistrations(
  db: Db,
  batchSize = 500,
): Promise<{ registrations: number; accounts: number }> {
  const gone = { registrations: 0, accounts: 0 }
  for (;;) {
    const batch = await transact(db, (trx) => expireBatch(trx, batchSize))
    gone.registrations += batch.registrations
    gone.accounts += batch.accounts
    if (batch.registrations < batchSize) return gone
  }
}

async function expireBatch(
  trx: Db,
  batchSize: number,
): Promise<{ registrations: number; accounts: number }> {
  const expired = await trx
    .selectFrom('registrations')
    .select(['id', 'accountId', 'inviteId', 'status'])
    .where('expiresAt', '<=', now)
    .orderBy('expiresAt')
    .limit(batchSize)
    .forUpdate()
    .skipLocked()
    .execute()
  if (expired.length === 0) return { registrations: 0, accounts: 0 }
  const ids = expired.map(({ id }) => id)
  await trx.deleteFrom('registrations').where('id', 'in', ids).execute()
  const unfinished = expired.filter(({ status }) => status !== 'verified')
  await returnInvites(
    trx,
    unfinished.flatMap(({ inviteId }) => inviteId ?? []),
  )
  const accountIds = expired.flatMap(({ accountId }) => accountId ?? [])
  if (accountIds.length === 0) return { registrations: ids.length, accounts: 0 }
  const accounts = await trx
    .deleteFrom('accounts')
    .where('id', 'in', accountIds)
    .where('status', '=', 'unverified')
    .executeTakeFirst()
  return { registrations: ids.length, accounts: Number(accounts.numDeletedRows) }
}
