/** What is asked of whoever signs in to an app, and what of it somebody has: the operator's words kept in memory. */

import { findHeldFactors } from '../credentials/held-factors.ts'
import { readSignInPolicy } from '../credentials/policy-setting.ts'
import { countingFactors, policyAt, type SignInPolicy } from '../credentials/sign-in-policy.ts'
import type { Factor } from '../credentials/step-up.ts'
import type { Db } from '../database/connection.ts'
import type { Queryable } from '../sessions/reads.ts'
import type { ClientCache } from './client-cache.ts'

export type SignInPolicies = {
  at(clientId: string): Promise<SignInPolicy>
  /** Of what the person has, what counts at this app. One statement. */
  factorsOf(accountId: string, clientId: string): Promise<Factor[]>
  forget(): void
}

export function createSignInPolicies(options: {
  db: Db
  pool: Queryable
  clients: Pick<ClientCache, 'client'>
}): SignInPolicies {
  const { db, pool, clients } = options
  let deployment: Promise<SignInPolicy> | undefined

  function current(): Promise<SignInPolicy> {
    if (deployment) return deployment
    const reading = readSignInPolicy(db)
    deployment = reading
    // A database that was away for a moment changes no policy.
    reading.catch(() => {
      if (deployment === reading) deployment = undefined
    })
    return reading
  }

  async function at(clientId: string): Promise<SignInPolicy> {
    return policyAt(await current(), await clients.client(clientId))
  }

  return {
    at,
    async factorsOf(accountId, clientId) {
      return countingFactors(await findHeldFactors(pool, accountId), await at(clientId))
    },
    forget() {
      deployment = undefined
    },
  }
}
