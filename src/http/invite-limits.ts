/**
 * How codes of invitations are counted: before they are looked at, given back when they were right, so only wrong ones
 * stay. A form without a code counts nothing here.
 */
import type { BlockedAddresses } from './blocked-addresses.ts'
import { limitKeyAddress, networkOf } from './client-address.ts'
import type { LimitName } from './limit-table.ts'
import type { Limits } from './limits.ts'

type Counts = Pick<Limits, 'consume' | 'refund'>

/** `blocked` hears of wrong ones. `isWrong` says of what came out whether the code was the reason. Throws 429 `too_many_requests`. */
export async function countInvite<T>(
  { limits, blocked }: { limits: Counts; blocked: Pick<BlockedAddresses, 'wrongCode'> },
  { code, address }: { code: string | undefined; address: string },
  work: () => Promise<T>,
  isWrong: (outcome: T) => boolean,
): Promise<T> {
  if (!code) return work()
  const counts: [LimitName, string][] = [
    ['invite-address', limitKeyAddress(address)],
    ['invite-network', networkOf(address)],
  ]
  for (const count of counts) await limits.consume(...count)
  let wrong = false
  try {
    const outcome = await work()
    wrong = isWrong(outcome)
    return outcome
  } finally {
    if (wrong) await blocked.wrongCode(address)
    else await Promise.all(counts.map((count) => limits.refund(...count)))
  }
}
