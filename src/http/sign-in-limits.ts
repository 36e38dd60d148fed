/**
 * How tries of a password are counted. Strangers share what an account allows, first each network for itself, then
 * all together; a browser that has signed in to the account before (known-device.ts) is counted by itself. So
 * strangers can stop one another and new devices, never the person's own (PW-15).
 */
import { limitKeyAddress, networkOf } from './client-address.ts'
import type { LimitName } from './limit-table.ts'
import type { Limits } from './limits.ts'

export type SignInAttempt = {
  /** The password was right: what was counted here is given back, and the account's count begins anew. */
  succeed(): Promise<void>
  /** Nothing was checked, for instance because the hash queue was full: this try does not count. */
  withdraw(): Promise<void>
}

export type SignInLimits = {
  /**
   * Counts one try, before the password is hashed (PW-14). `identifier` is the account's id, or what was typed,
   * canonical, where there is no account: both are counted alike. Throws 429 `too_many_requests`.
   */
  begin(options: {
    identifier: string
    address: string
    knownDevice?: string | undefined
  }): Promise<SignInAttempt>
  /** After a new password or by an operator: strangers may try again. */
  forgive(identifier: string): Promise<void>
}

type Count = [name: LimitName, ...key: string[]]

export function createSignInLimits(limits: Limits): SignInLimits {
  async function count(steps: Count[][]): Promise<Count[]> {
    const counted: Count[] = []
    for (const step of steps) {
      const results = await Promise.allSettled(step.map((item) => limits.consume(...item)))
      counted.push(...step.filter((_, index) => results[index]?.status === 'fulfilled'))
      const refused = results.find((result) => result.status === 'rejected')
      if (!refused) continue
      // Whoever is refused spoils nothing for others; only its own address pays for asking.
      await refundAll(counted.filter(([name]) => name !== 'sign-in-address'))
      throw refused.reason
    }
    return counted
  }

  async function refundAll(counts: Count[]): Promise<void> {
    await Promise.all(counts.map((item) => limits.refund(...item)))
  }

  return {
    async begin({ identifier, address, knownDevice }) {
      const counted = await count(
        knownDevice === undefined
          ? strangerSteps(identifier, address)
          : [[['sign-in-device', identifier, knownDevice]]],
      )
      return {
        async succeed() {
          // Success proves the person, so the account's count begins anew, whoever had used it up.
          const proven: Count[] = [...counted.filter(isPersons), ['sign-in-account', identifier]]
          await Promise.all([
            ...proven.map((item) => limits.reset(...item)),
            refundAll(counted.filter((item) => !isPersons(item) && item[0] !== 'sign-in-account')),
          ])
        },
        withdraw: () => refundAll(counted),
      }
    },
    forgive: (identifier) => limits.reset('sign-in-account', identifier),
  }
}

/** From the nearest to the widest; the account's own count comes last, so that no network uses it up. */
function strangerSteps(identifier: string, address: string): Count[][] {
  const network = networkOf(address)
  return [
    [['sign-in-address', limitKeyAddress(address)]],
    [
      ['sign-in-all'],
      ['sign-in-network', network],
      ['sign-in-account-network', identifier, network],
    ],
    [['sign-in-account', identifier]],
  ]
}

function isPersons([name]: Count): boolean {
  return name === 'sign-in-account-network' || name === 'sign-in-device'
}
