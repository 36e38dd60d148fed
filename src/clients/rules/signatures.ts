/** Rules for signatures: which of ours a client may ask for, and which of its own it may announce. */
import type { ClientMetadata } from '../metadata.ts'
import { type Problem, shorten } from './problem.ts'

/** We have a key for each of these. */
export const ourAlgorithms = ['RS256', 'ES256', 'EdDSA'] as const

/** What we verify of what clients sign. */
export const theirAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const

const fields = {
  id_token_signed_response_alg: ourAlgorithms,
  userinfo_signed_response_alg: ourAlgorithms,
  introspection_signed_response_alg: ourAlgorithms,
  authorization_signed_response_alg: ourAlgorithms,
  token_endpoint_auth_signing_alg: theirAlgorithms,
  request_object_signing_alg: theirAlgorithms,
  backchannel_authentication_request_signing_alg: theirAlgorithms,
} as const satisfies Partial<Record<keyof ClientMetadata, readonly string[]>>

export function checkSignatures(metadata: ClientMetadata): Problem[] {
  const problems: Problem[] = []
  for (const [field, known] of Object.entries(fields)) {
    const alg = metadata[field as keyof typeof fields]
    if (alg === undefined || (known as readonly string[]).includes(alg)) continue
    problems.push({
      field,
      code: 'algorithm_unknown',
      message: `is ${shorten(alg)}`,
      fix: `Use ${known.join(', ')}.`,
    })
  }
  const { token_endpoint_auth_method: method, token_endpoint_auth_signing_alg: authAlg } = metadata
  if (authAlg !== undefined && method !== 'private_key_jwt') {
    problems.push({
      field: 'token_endpoint_auth_signing_alg',
      code: 'algorithm_unused',
      message: 'is given, but the client does not sign to prove who it is',
      fix: 'Use --auth-method private_key_jwt, or --auth-alg any.',
    })
  }
  return problems
}
