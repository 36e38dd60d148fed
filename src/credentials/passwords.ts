/**
 * A new password, by its owner who is signed in or by whoever reads their mail. Whatever an old password, a stolen
 * session or a pending change could still do ends in the same transaction (PW-10, AC-16, AC-18).
 */
import { sql } from 'kysely'
import { tell } from '../accounts/notices.ts'
import { type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { type EndedSessions, endSessions } from '../sessions/end-sessions.ts'
import { dropProofs, spendProof } from './mail-proofs.ts'
import { isWithoutWayIn } from './ways-in.ts'

export type NewPassword = { accountId: string; passwordHash: string }

/** Keeps the session it comes from and ends all others. Undefined when the account is not active any more. */
export function changePassword(
  db: Db,
  { accountId, passwordHash }: NewPassword,
  keepSessionUid: string,
  origin: Origin,
): Promise<{ changedAt: Date; first: boolean; ended: EndedSessions } | undefined> {
  return transact(db, async (trx) => {
    const before = await trx
      .selectFrom('accounts')
      .select('passwordHash')
      .where('id', '=', accountId)
      .forUpdate()
      .executeTakeFirst()
    const changedAt = await store(trx, { accountId, passwordHash })
    if (!changedAt) return undefined
    const first = before?.passwordHash === null
    const ended = await endAll(trx, accountId, keepSessionUid)
    await record(trx, {
      type: first ? 'password.set' : 'password.changed',
      actor: { kind: 'person', id: accountId },
      accountId,
      origin,
      detail: { sessions: ended.sessions, grants: ended.grants, told: ended.told },
    })
    await tell(trx, { accountId, kind: first ? 'password_set' : 'password_changed' }, origin)
    return { changedAt, first, ended }
  })
}

/**
 * The password of somebody who has no way to sign in yet. Undefined where there is one by now. Nobody is told by mail, for
 * the address was proven a moment ago.
 */
export function setFirstPassword(
  db: Db,
  { accountId, passwordHash }: NewPassword,
  origin: Origin,
): Promise<Date | undefined> {
  return transact(db, async (trx) => {
    // Held till the end, so that a passkey made at the same moment is seen or waits.
    await trx.selectFrom('accounts').select('id').where('id', '=', accountId).forUpdate().execute()
    if (!(await isWithoutWayIn(trx, accountId))) return undefined
    const changedAt = await store(trx, { accountId, passwordHash })
    if (!changedAt) return undefined
    await record(trx, {
      type: 'password.set',
      actor: { kind: 'person', id: accountId },
      accountId,
      origin,
    })
    return changedAt
  })
}

export type ResetProof = { id: string } | { token: string }

/**
 * Once for each proof; ends every session, and signs nobody in (AC-12). False when the proof is used, old or another's.
 */
export function resetPassword(
  db: Db,
  proof: ResetProof,
  passwordHash: string,
  origin: Origin,
): Promise<{ accountId: string } | undefined> {
  return transact(db, async (trx) => {
    const spent = await spendProof(trx, { ...proof, purpose: 'reset-password' })
    if (!spent?.accountId) return undefined
    const { accountId } = spent
    if (!(await store(trx, { accountId, passwordHash }))) return undefined
    const ended = await endAll(trx, accountId)
    await record(trx, {
      type: 'password.reset',
      actor: { kind: 'person', id: accountId },
      accountId,
      origin,
      detail: { sessions: ended.sessions, grants: ended.grants, told: ended.told },
    })
    await tell(trx, { accountId, kind: 'password_reset' }, origin)
    return { accountId }
  })
}

async function store(trx: Db, { accountId, passwordHash }: NewPassword): Promise<Date | undefined> {
  const row = await trx
    .updateTable('accounts')
    .set({ passwordHash, passwordChangedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', accountId)
    .where('status', '=', 'active')
    .returning('passwordChangedAt')
    .executeTakeFirst()
  return row?.passwordChangedAt ?? undefined
}

async function endAll(trx: Db, accountId: string, keep?: string): Promise<EndedSessions> {
  await dropProofs(trx, accountId)
  // Whoever has given the old password a moment ago, and not come back to the app yet.
  await trx
    .deleteFrom('interactions')
    .where('loginAccountId', '=', accountId)
    .where('consumedAt', 'is', null)
    .execute()
  return endSessions(trx, { accountId, ...(keep ? { exceptUid: keep } : {}) }, { offline: 'ends' })
}
