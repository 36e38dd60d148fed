/** By which names an app reads what somebody may do. A name of a protocol's own, or of another claim, is refused. */
import type { Problem } from './rules/problem.ts'
import { shorten } from './rules/problem.ts'

export const nameableClaims = ['roles', 'groups', 'permissions', 'service_settings'] as const

export type NameableClaim = (typeof nameableClaims)[number]

/** What is absent is told by its own name. */
export type ClaimNames = { [Name in NameableClaim]?: string }

/** JWT, OpenID Connect, RFC 9068, RFC 7662, RFC 8693, RFC 9396, and what we say ourselves. */
const taken = new Set(
  `iss sub aud exp nbf iat jti typ nonce azp auth_time acr amr at_hash c_hash s_hash rt_hash sid scope client_id cnf act
  may_act gid events active token_type username token_use authorization_details sub_jwk vot vtm trust_framework
  name given_name family_name middle_name nickname preferred_username profile picture website gender birthdate
  zoneinfo locale updated_at email email_verified address phone_number phone_number_verified
  _claim_names _claim_sources claims_left_out logout_token token_introspection __proto__ constructor prototype`
    .split(/\s+/)
    .map((name) => name.toLowerCase()),
)

export function checkClaimNames({ claimNames }: { claimNames: ClaimNames | null }): Problem[] {
  const names = claimNames ?? {}
  const add = (message: string, fix: string): Problem => ({
    field: 'claim_names',
    code: 'claim_name_invalid',
    message,
    fix,
  })
  const problems = Object.entries(names).flatMap(([claim, name]) => {
    if (!isNameable(claim))
      return [add(`names ${shorten(claim)}`, `Only ${nameableClaims.join(', ')} have other names.`)]
    if (!/^[A-Za-z_][\w.:/-]{0,127}$/.test(name))
      return [add(`would call ${claim} ${shorten(name)}`, 'Use letters, digits and _ . : / -')]
    if (taken.has(name.toLowerCase()))
      return [add(`would call ${claim} ${name}, which means something else`, 'Use another name.')]
    return []
  })
  const final = nameableClaims.map((claim) => names[claim] ?? claim)
  if (new Set(final).size < final.length)
    problems.push(add('gives two claims one name', 'Give each a name of its own.'))
  return problems
}

export function isNameable(claim: string): claim is NameableClaim {
  return (nameableClaims as readonly string[]).includes(claim)
}
