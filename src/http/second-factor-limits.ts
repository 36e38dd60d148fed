/**
 * How guesses at codes are counted, after a right password: those of strangers together and each network apart, a
 * browser that the account knows by itself. So whoever has somebody's password can stop strangers, and not its owner,
 * whose recovery codes and passkeys stand outside of this count (security MF-03, PW-15).
 */
import { networkOf } from './client-address.ts'
import type { LimitName } from './limit-table.ts'
import type { Limits } from './limits.ts'

type Count = [name: LimitName, ...key: string[]]

export type CodeGuess = {
  /** The code was right: the counts that it stood in begin anew. */
  succeed(): Promise<void>
}

/** Counts one guess before it is looked at. Throws 429 `too_many_requests`. */
export async function countCodeGuess(
  limits: Limits,
  by: { accountId: string; address: string; knownDevice: string | undefined },
): Promise<CodeGuess> {
  const { accountId, address, knownDevice } = by
  const counts: Count[] =
    knownDevice === undefined
      ? [
          ['second-factor-network', accountId, networkOf(address)],
          ['second-factor', accountId],
        ]
      : [['second-factor-device', accountId, knownDevice]]
  const done: Count[] = []
  for (const count of counts) {
    try {
      await limits.consume(...count)
      done.push(count)
    } catch (refusal) {
      // Whoever is refused uses nothing up.
      await Promise.all(done.map((item) => limits.refund(...item)))
      throw refusal
    }
  }
  return { succeed: () => limits.reset(...counts) }
}
