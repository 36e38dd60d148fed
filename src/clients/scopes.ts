/** The scopes of OpenID Connect that we serve, and how a scope may be spelled (RFC 6749 §3.3). */

/** What every client may be given; anything else belongs to an API. */
export const standardScopes: readonly string[] = [
  'openid',
  'profile',
  'email',
  'address',
  'phone',
  'groups',
  'roles',
  'permissions',
  'service_settings',
  'offline_access',
]

/** OpenID Connect gives these a meaning, so no API may take them. */
export const reservedScopes = standardScopes

export function isStandardScope(scope: string): boolean {
  return (standardScopes as readonly string[]).includes(scope)
}

export function isScopeToken(text: string): boolean {
  return text.length <= 100 && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)
}

/** In order, each once. */
export function splitScope(scope: string): string[] {
  return [...new Set(scope.split(/\s+/).filter((token) => token !== ''))]
}
