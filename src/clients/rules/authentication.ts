/** Rules for how a client proves who it is, and for the keys it proves it with. */
import { authMethods, type ClientMetadata } from '../metadata.ts'
import { checkKeySet } from './keys.ts'
import { type Problem, shorten } from './problem.ts'

export function checkAuthentication(metadata: ClientMetadata, pkceRequired: boolean): Problem[] {
  const { token_endpoint_auth_method: method, grant_types: grants } = metadata
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  if (!(authMethods as readonly string[]).includes(method)) {
    add(
      'token_endpoint_auth_method',
      'auth_method_unknown',
      `is ${shorten(method)}`,
      `Use ${authMethods.join(', ')}.`,
    )
  }
  if (method === 'none' && grants.includes('client_credentials')) {
    add(
      'token_endpoint_auth_method',
      'auth_method_public',
      'is none, but a client that acts for itself must prove who it is',
      'Use client_secret_basic or private_key_jwt.',
    )
  }
  if (method === 'none' && !pkceRequired) {
    add(
      'pkce',
      'pkce_needed',
      'is optional, but nothing else protects a client without a secret',
      'Use --pkce required, or give the client a secret with --auth-method client_secret_basic.',
    )
  }
  return [...problems, ...checkKeys(metadata)]
}

function checkKeys({
  token_endpoint_auth_method: method,
  jwks,
  jwks_uri: jwksUri,
}: ClientMetadata): Problem[] {
  const add = (code: string, message: string, fix: string): Problem[] => [
    { field: 'jwks', code, message, fix },
  ]
  if (jwks !== undefined && jwksUri !== undefined) {
    return add('jwks_twice', 'stands beside jwks_uri', 'Give one of them.')
  }
  if (method === 'private_key_jwt' && jwks === undefined && jwksUri === undefined) {
    return add(
      'jwks_missing',
      'is missing',
      'Give the public keys with --jwks-file FILE or --jwks-uri URL.',
    )
  }
  return jwks === undefined ? [] : checkKeySet(jwks)
}
