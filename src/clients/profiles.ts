/**
 * Profiles: what FAPI 2.0 asks of a client, put in place where the admin did not say otherwise. That it holds as a
 * whole, now and after every change, is rules/profile.ts.
 */
import type { ClientMetadata } from './metadata.ts'
import type { PolicyChange } from './policy.ts'
import type { ProtocolSettings } from './protocol-settings.ts'
import { strongAlgorithms } from './rules/profile.ts'

/** The answers of a message-signing client come signed, however they travel. */
export const signedResponseModes = ['jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt']

type Given = ProtocolSettings &
  PolicyChange & {
    authMethod?: string | undefined
    pkce?: 'required' | 'optional' | undefined
  }

/** What is given wins, so that it is judged and not silently replaced; `before` is what the client has already. */
export function withProfile<T extends Given>(given: T, before: Partial<ClientMetadata> = {}): T {
  if (!given.profile) return given
  const { token_endpoint_auth_method: method, grant_types: grants } = before
  const forPeople = grants?.includes('authorization_code') ?? true
  const byCertificate =
    given.certificateBound ?? before.tls_client_certificate_bound_access_tokens ?? false
  const strong = (alg: string | undefined) =>
    alg !== undefined && strongAlgorithms.includes(alg) ? alg : 'ES256'
  const demanded: Given = {
    authMethod:
      method === undefined || method.startsWith('client_secret_') ? 'private_key_jwt' : method,
    pkce: 'required',
    refreshRotation: false,
    requirePar: forPeople,
    // Its certificate binds its tokens, or a key that it makes.
    dpopBound: !byCertificate,
    idTokenAlg: strong(before.id_token_signed_response_alg),
    introspectionAlg: strong(before.introspection_signed_response_alg),
    authorizationAlg: strong(before.authorization_signed_response_alg),
    ...(forPeople && given.profile === 'fapi2-message-signing'
      ? { requireRequestObject: true, responseModes: signedResponseModes }
      : {}),
  }
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...demanded, ...Object.fromEntries(said) } as T
}
