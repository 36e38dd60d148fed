/** Rules for a client's tokens: what they are bound to, how long they live, whether they rotate. */
import type { ClientMetadata } from '../metadata.ts'
import type { ClientPolicy } from '../policy.ts'
import type { Problem } from './problem.ts'

/** In seconds. No refresh token outlives its grant (src/oidc/lifetimes.ts). */
export const lifetimeRanges = {
  accessTokenSeconds: { min: 30, max: 86_400, field: 'access_token_lifetime' },
  refreshIdleSeconds: { min: 60, max: 365 * 86_400, field: 'refresh_idle' },
  refreshTotalSeconds: { min: 60, max: 365 * 86_400, field: 'refresh_total' },
} as const

export function checkTokens(metadata: ClientMetadata, policy: ClientPolicy): Problem[] {
  const {
    dpop_bound_access_tokens: byKey = false,
    tls_client_certificate_bound_access_tokens: byCertificate = false,
    token_endpoint_auth_method: method,
    grant_types: grants,
  } = metadata
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  if (byKey && byCertificate) {
    add(
      'dpop_bound_access_tokens',
      'bound_twice',
      'is set, and tokens are bound to a certificate as well',
      'Choose --dpop required or --certificate-bound.',
    )
  }
  const refreshes = grants.includes('refresh_token')
  if (refreshes && !policy.refreshRotation && method === 'none' && !byKey && !byCertificate) {
    add(
      'refresh_rotation',
      'rotation_needed',
      'is off, but nothing else tells when a public client’s refresh token was stolen (RFC 9700 §2.2.2)',
      'Use --refresh-rotation on, or --dpop required.',
    )
  }
  return [...problems, ...checkLifetimes(policy)]
}

function checkLifetimes(policy: ClientPolicy): Problem[] {
  const problems = Object.entries(lifetimeRanges).flatMap(([name, { min, max, field }]) => {
    const seconds = policy[name as keyof typeof lifetimeRanges]
    if (seconds === null || (Number.isInteger(seconds) && seconds >= min && seconds <= max))
      return []
    return [
      {
        field,
        code: 'lifetime_out_of_range',
        message: `is ${seconds} seconds`,
        fix: `Use ${min} to ${max} seconds.`,
      },
    ]
  })
  const { refreshIdleSeconds: idle, refreshTotalSeconds: total } = policy
  if (idle !== null && total !== null && idle > total) {
    problems.push({
      field: 'refresh_idle',
      code: 'idle_exceeds_total',
      message: 'is longer than the whole family lives',
      fix: 'Use a shorter --refresh-idle or a longer --refresh-total.',
    })
  }
  return problems
}
