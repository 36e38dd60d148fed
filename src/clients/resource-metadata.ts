/**
 * Protected-resource metadata (RFC 9728): what an API needs of tokens, for apps that know nothing but its address. An API
 * serves this at its own well-known address, or points to the copy at ours from its `WWW-Authenticate` header.
 */
import type { Api } from './apis.ts'

export const wellKnownPath = '/.well-known/oauth-protected-resource'

/**
 * Nothing is said for the API that it alone can know, such as whether it checks proofs. Lists that are empty are left
 * out (§3.2).
 */
export function apiMetadata(
  { identifier, name, scopes, authorizationTypes }: Api,
  issuer: string,
): Record<string, unknown> {
  const types = authorizationTypes.map((type) => type.name)
  return {
    resource: identifier,
    ...(name === identifier ? {} : { resource_name: name }),
    authorization_servers: [issuer],
    ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
    bearer_methods_supported: ['header'],
    ...(types.length > 0 ? { authorization_details_types_supported: types } : {}),
  }
}

/** Where apps look for it first (§3.1); undefined for an API that has no https address. */
export function ownAddress(identifier: string): string | undefined {
  const url = URL.parse(identifier)
  if (!url || !/^https?:$/.test(url.protocol)) return undefined
  const path = url.pathname === '/' ? '' : url.pathname
  return `${url.origin}${wellKnownPath}${path}${url.search}`
}

/** The copy at ours. */
export function ourAddress(identifier: string, issuer: string): string {
  const own = ownAddress(identifier)
  if (own !== undefined && identifier.startsWith(`${issuer}/`)) return own
  return `${issuer}${wellKnownPath}?resource=${encodeURIComponent(identifier)}`
}
