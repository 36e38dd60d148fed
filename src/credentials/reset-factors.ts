/** For the night in which somebody has lost everything: the password alone is left, and the mailbox to set a new one. */
import { type Actor, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { tellOfFactor } from './factor-mails.ts'

const held = ['authenticators', 'recoveryCodes', 'passkeys', 'rememberedDevices'] as const

export type Removed = Record<(typeof held)[number], number>

/** Returns how many of each there were; the person is told by mail where there was one. */
export function resetFactors(db: Db, accountId: string, actor: Actor): Promise<Removed> {
  return transact(db, async (trx) => {
    const removed: Removed = {
      authenticators: 0,
      recoveryCodes: 0,
      passkeys: 0,
      rememberedDevices: 0,
    }
    for (const table of held) {
      const { numDeletedRows } = await trx
        .deleteFrom(table)
        .where('accountId', '=', accountId)
        .executeTakeFirst()
      removed[table] = Number(numDeletedRows)
    }
    if (Object.values(removed).every((count) => count === 0)) return removed
    await record(trx, { type: 'factors.reset', actor, accountId, detail: removed })
    await tellOfFactor(trx, { accountId, what: 'removed', factor: 'all' })
    return removed
  })
}
