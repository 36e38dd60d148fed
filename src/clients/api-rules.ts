/** What an API may be: every problem of what an admin gave, at once. */
import type { ApiInput } from './apis.ts'
import { checkAuthorizationType } from './authorization-types.ts'
import { ownApiIdentifier } from './own-api.ts'
import { type Problem, shorten } from './rules/problem.ts'
import { isScopeToken, reservedScopes } from './scopes.ts'

/** No longer than a signing key is published after its last token (src/oidc/lifetimes.ts). */
const lifetimes = { min: 30, max: 86_400 }

/** Everything that is wrong with it; `issuer` is ours, where it is known. */
export function checkApi(
  { identifier, name, scopes, tokenLifetimeSeconds, authorizationType }: ApiInput,
  issuer?: string,
): Problem[] {
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  const absolute = /^(https?:\/\/[^/]|urn:)/.test(identifier) && URL.canParse(identifier)
  if (!absolute || /[^\x21-\x7e]/.test(identifier) || identifier.length > 500) {
    add(
      'identifier',
      'identifier_malformed',
      `${shorten(identifier)} is not an absolute URI`,
      'Use the address of the API, such as https://api.example.org.',
    )
  } else if (identifier.includes('#') || identifier.includes('@')) {
    add(
      'identifier',
      'identifier_malformed',
      `${shorten(identifier)} has a fragment or a user name`,
      'Remove # and what follows, and everything up to @ (RFC 8707 §2).',
    )
  } else if (issuer !== undefined && isOurs(identifier, issuer)) {
    add(
      'identifier',
      'identifier_reserved',
      'is our own issuer, or an endpoint of it',
      'Use the address of the API itself.',
    )
  }
  if (
    name !== undefined &&
    (name.trim() === '' || [...name].length > 80 || /[\p{C}<>]/u.test(name))
  ) {
    add(
      'name',
      'name_characters',
      'is empty, longer than 80 characters or not plain text',
      'Use letters, digits, spaces and plain punctuation.',
    )
  }
  for (const scope of scopes.filter((token) => !isScopeToken(token))) {
    add(
      'scope',
      'scope_malformed',
      `${shorten(scope)} is not a scope`,
      'Use letters, digits and punctuation without spaces, quotes and backslashes (RFC 6749 §3.3).',
    )
  }
  for (const scope of scopes.filter((token) => reservedScopes.includes(token))) {
    add(
      'scope',
      'scope_reserved',
      `${shorten(scope)} belongs to OpenID Connect`,
      'Choose another name, such as files:read.',
    )
  }
  const { min, max } = lifetimes
  if (
    tokenLifetimeSeconds !== undefined &&
    (!Number.isInteger(tokenLifetimeSeconds) ||
      tokenLifetimeSeconds < min ||
      tokenLifetimeSeconds > max)
  ) {
    add(
      'access_token_lifetime',
      'lifetime_out_of_range',
      `is ${tokenLifetimeSeconds} seconds`,
      `Use ${min} to ${max}; such tokens cannot be called back before they end.`,
    )
  }
  if (authorizationType) problems.push(...checkAuthorizationType(authorizationType))
  return problems
}

/** Userinfo and its neighbours are resources of ours, with tokens and metadata of their own; so is our API. */
function isOurs(identifier: string, issuer: string): boolean {
  const plain = identifier.replace(/\/+$/, '')
  const own = ownApiIdentifier(issuer)
  return (
    [issuer, own].includes(plain) ||
    [`${issuer}/oauth2/`, `${own}/`].some((place) => identifier.startsWith(place))
  )
}
