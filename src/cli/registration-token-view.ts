/** How a registration token looks, to programs and to people; its value is nowhere here. */
import type { RegistrationToken } from '../clients/registration-tokens.ts'
import { stamp } from './client-view.ts'

export function registrationTokenJson(token: RegistrationToken): Record<string, unknown> {
  return {
    id: token.id,
    name: token.name,
    state: stateOf(token),
    uses_left: token.usesLeft,
    used: token.used,
    clients: token.clients,
    scopes: token.scopes,
    apis: token.apis,
    grant_types: token.grantTypes,
    redirect_hosts: token.redirectHosts,
    created_at: token.createdAt,
    expires_at: token.expiresAt,
    revoked_at: token.revokedAt,
  }
}

export function registrationTokenFields(token: RegistrationToken): [string, string | string[]][] {
  return [
    ['Name', token.name],
    ['ID', token.id],
    ['Registers', usesOf(token)],
    ['Until', token.expiresAt ? stamp(token.expiresAt) : 'never'],
    ['Scopes', token.scopes.join(' ')],
    ['Grant types', token.grantTypes.join(' ')],
    ['Redirect hosts', token.redirectHosts.length > 0 ? token.redirectHosts : 'any'],
  ]
}

export function stateOf({ live, revokedAt, usesLeft }: RegistrationToken): string {
  if (live) return 'open'
  if (revokedAt) return 'revoked'
  return usesLeft === 0 ? 'used' : 'expired'
}

export function usesOf({ usesLeft }: RegistrationToken): string {
  return usesLeft === null ? 'unlimited' : String(usesLeft)
}
