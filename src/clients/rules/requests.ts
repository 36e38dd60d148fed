/** Rules for how a client asks for authorization and how it is answered: request objects, response modes. */
import type { ClientMetadata } from '../metadata.ts'
import { signsPeopleIn } from './grants.ts'
import { type Problem, shorten } from './problem.ts'

export const responseModes = [
  'query',
  'fragment',
  'form_post',
  'jwt',
  'query.jwt',
  'fragment.jwt',
  'form_post.jwt',
] as const

export function checkRequests(metadata: ClientMetadata): Problem[] {
  const {
    require_signed_request_object: required,
    request_object_signing_alg: alg,
    require_pushed_authorization_requests: pushed,
    response_modes: modes,
    grant_types: grants,
    token_endpoint_auth_method: method,
    jwks,
    jwks_uri: jwksUri,
  } = metadata
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  const keyless = jwks === undefined && jwksUri === undefined
  // Of a client that proves itself by a key, authentication.ts has said it.
  if ((required || alg !== undefined) && keyless && method !== 'private_key_jwt') {
    add(
      'jwks',
      'jwks_missing',
      'is missing, so nobody could verify its request objects',
      'Give the public keys with --jwks-file FILE or --jwks-uri URL.',
    )
  }
  if (pushed ? !grants.includes('authorization_code') : required && !signsPeopleIn(metadata)) {
    add(
      required ? 'require_signed_request_object' : 'require_pushed_authorization_requests',
      'request_unused',
      'is set, but no person signs in to this client',
      'Leave it out, or use a preset with the authorization_code grant.',
    )
  }
  const unknown = modes?.filter((mode) => !(responseModes as readonly string[]).includes(mode))
  for (const mode of unknown ?? []) {
    add(
      'response_modes',
      'response_mode_unknown',
      `contains ${shorten(mode)}`,
      `Use ${responseModes.join(', ')}.`,
    )
  }
  if (modes?.length === 0) {
    add('response_modes', 'response_mode_missing', 'is empty', 'Leave it out to allow all.')
  }
  return problems
}
