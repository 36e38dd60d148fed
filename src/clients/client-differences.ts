/** What a change makes of a client: for the audit trail, and to know whether living tokens may stay. */
import type { Client } from './clients.ts'
import { sectorOf } from './rules/subjects.ts'
import { splitScope } from './scopes.ts'

/** How a field of ours that is no metadata is called by people. */
const fieldNames = {
  preset: 'preset',
  pkceRequired: 'pkce',
  firstParty: 'first_party',
  apis: 'apis',
  profile: 'profile',
  accessTokenSeconds: 'access_token_lifetime',
  refreshIdleSeconds: 'refresh_idle',
  refreshTotalSeconds: 'refresh_total',
  refreshRotation: 'refresh_rotation',
  userinfoAcr: 'userinfo_acr',
  userinfoMaxAgeSeconds: 'userinfo_max_age',
  authorizationChallenge: 'authorization_challenge',
  secondFactor: 'second_factor',
  secondFactors: 'second_factors',
  certificateAuthorities: 'certificate_authorities',
  claimNames: 'claim_names',
} as const

type After = Pick<Client, 'metadata' | keyof typeof fieldNames>

export function differences(before: Client, after: After): string[] {
  const fields = new Set([...Object.keys(before.metadata), ...Object.keys(after.metadata)])
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
  const named = { ...before.metadata } as Record<string, unknown>
  const next = { ...after.metadata } as Record<string, unknown>
  const own = Object.keys(fieldNames) as (keyof typeof fieldNames)[]
  return [
    ...[...fields].filter((field) => !same(named[field], next[field])),
    ...own.filter((field) => !same(before[field], after[field])).map((field) => fieldNames[field]),
  ]
}

/** What `differences` names, by these names: for the audit trail. */
export function namedFields(client: After): Record<string, unknown> {
  const own = Object.keys(fieldNames) as (keyof typeof fieldNames)[]
  return {
    ...client.metadata,
    ...Object.fromEntries(own.map((field) => [fieldNames[field], client[field]])),
  }
}

/** Tokens that are alive would go on without what is asked of new ones, or call the person by another name. */
export function isTighter(before: Client, after: After): boolean {
  const binding = (client: After) =>
    client.metadata.dpop_bound_access_tokens
      ? 'key'
      : client.metadata.tls_client_certificate_bound_access_tokens
        ? 'certificate'
        : undefined
  return (
    (after.profile !== null && after.profile !== before.profile) ||
    (binding(after) !== undefined && binding(after) !== binding(before)) ||
    sectorOf(before.metadata) !== sectorOf(after.metadata)
  )
}

export function isNarrower(before: string, after: string): boolean {
  const kept = splitScope(after)
  return splitScope(before).some((scope) => !kept.includes(scope))
}
