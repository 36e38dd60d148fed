/**
 * Our own API as an API that tokens may be for: `/api`, by which people, admins and services reach this house. It is
 * always there, follows ISSUER, and its scopes are a client's only by the word of an admin: nothing by which apps come on
 * their own, and no preset, gives one.
 */
import type { Api } from './apis.ts'
import type { Problem } from './rules/problem.ts'

/** What may be done there, and whether a person has to stand behind it (RFC 6749 §4.4 has nobody). */
export const ownScopes = {
  account: { needsPerson: true, meaning: "See and change the person's own account." },
  'admin:read': { needsPerson: false, meaning: 'See what admins see.' },
  'admin:write': { needsPerson: false, meaning: 'Change what admins change.' },
  'access:evaluate': { needsPerson: false, meaning: 'Ask whether somebody may do something.' },
  'service-settings': { needsPerson: false, meaning: 'Keep settings of a service by account.' },
} as const satisfies Record<string, { needsPerson: boolean; meaning: string }>

export type OwnScope = keyof typeof ownScopes

/** The audience of its tokens, letter by letter. */
export function ownApiIdentifier(issuer: string): string {
  return `${issuer}/api`
}

export function isOwnScope(scope: string): scope is OwnScope {
  return Object.hasOwn(ownScopes, scope)
}

/** What of these only a person can allow. */
export function scopesOfPeople(scopes: Iterable<string>): string[] {
  return [...scopes].filter((scope) => isOwnScope(scope) && ownScopes[scope].needsPerson)
}

/** What nobody may change about it. `changed` are names of what would be another. */
export function checkBuiltIn({ builtIn }: Pick<Api, 'builtIn'>, changed: string[]): Problem[] {
  if (!builtIn) return []
  return changed
    .filter((name) => ['name', 'scopes', 'authorizationTypes'].includes(name))
    .map((name) => ({
      field: name === 'scopes' ? 'scope' : name === 'name' ? 'name' : 'authorization_type',
      code: 'api_built_in',
      message: 'is that of our own API, which is as it is',
      fix: 'Make an API of your own: idp apis create --help',
    }))
}
