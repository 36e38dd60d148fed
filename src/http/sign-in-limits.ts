/**
 * How tries of a password are counted. Strangers share what a name allows, first each network for itself, then all
 * together; a browser that has signed in to the account before (known-device.ts) is counted by itself. So strangers
 * can stop one another and new devices, never the person's own (PW-15).
 */
import type { Account } from '../accounts/accounts.ts'
import type { BlockedAddresses } from './blocked-addresses.ts'
import { limitKeyAddress, networkOf } from './client-address.ts'
import type { LimitName } from './limit-table.ts'
import type { Limits } from './limits.ts'

export type SignInAttempt = {
  /** The password was right: what was counted here is given back, and the counts of the account's names begin anew. */
  succeed(): Promise<void>
  /** The password was wrong. */
  fail(): Promise<void>
  /** Nothing was checked, for instance because the hash queue was full: this try does not count. */
  withdraw(): Promise<void>
}

export type SignInLimits = {
  /**
   * Counts one try, before the password is hashed (PW-14). `name` is what was typed, canonical, whether or not anybody
   * has it: were it the account's id, one of its two names being used up would show at the other (EN-12). Throws 429
   * `too_many_requests`.
   */
  begin(options: {
    name: string
    account?: Pick<Account, 'id' | 'username' | 'emailCanonical'> | undefined
    address: string
    knownDevice?: string | undefined
  }): Promise<SignInAttempt>
  /** After a new password or by an operator: strangers may try again. */
  forgive(account: Pick<Account, 'username' | 'emailCanonical'>): Promise<void>
}

type Count = [name: LimitName, ...key: string[]]

/** `blocked` stops strangers of blocked addresses, and hears who fails and who gets in. */
export function createSignInLimits(
  limits: Limits,
  blocked?: Pick<BlockedAddresses, 'refuse' | 'failed' | 'succeeded'>,
): SignInLimits {
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
    async begin({ name, account, address, knownDevice }) {
      const known = account !== undefined && knownDevice !== undefined
      if (!known) blocked?.refuse(address)
      const counted = await count(
        known ? [[['sign-in-device', account.id, knownDevice]]] : strangerSteps(name, address),
      )
      return {
        async fail() {
          if (!known) await blocked?.failed(address, name)
        },
        async succeed() {
          // Success proves the person, so the counts of both names begin anew, whoever had used them up.
          const network = networkOf(address)
          blocked?.succeeded(address, name)
          await Promise.all([
            limits.reset(
              ...counted.filter(isDevice),
              ...namesOf(account).flatMap((own): Count[] => [
                ['sign-in-name', own],
                ['sign-in-name-network', own, network],
              ]),
            ),
            refundAll(counted.filter((item) => !isDevice(item) && !isOfName(item))),
          ])
        },
        withdraw: () => refundAll(counted),
      }
    },
    forgive: (account) =>
      limits.reset(...namesOf(account).map((name): Count => ['sign-in-name', name])),
  }
}

/** From the nearest to the widest; the name's own count comes last, so that no network uses it up. */
function strangerSteps(name: string, address: string): Count[][] {
  const network = networkOf(address)
  return [
    [['sign-in-address', limitKeyAddress(address)]],
    [['sign-in-all'], ['sign-in-network', network], ['sign-in-name-network', name, network]],
    [['sign-in-name', name]],
  ]
}

/** What may be typed for an account, as it is counted. */
function namesOf(account?: Pick<Account, 'username' | 'emailCanonical'>): string[] {
  if (!account) return []
  const { username, emailCanonical } = account
  return emailCanonical === null ? [username] : [username, emailCanonical]
}

const isDevice = ([name]: Count) => name === 'sign-in-device'
const isOfName = ([name]: Count) => name === 'sign-in-name' || name === 'sign-in-name-network'
