/**
 * What apps learn of a person, by scope (OpenID Connect Core §5.4). All of a scope or none of it: apps that
 * find some claims in the ID token never ask userinfo for the rest.
 */
import type { Row } from '../sessions/artefacts.ts'
import { groupNames, permissionNames, type RoleTexts, roleNames } from './role-claims.ts'

/** Scope → claims, as the engine is configured with it. */
export const claimsByScope = {
  openid: ['sub', 'sid', 'auth_time', 'acr', 'amr', 'iss'],
  profile: [
    'name',
    'given_name',
    'family_name',
    'nickname',
    'preferred_username',
    'picture',
    'locale',
    'zoneinfo',
    'updated_at',
  ],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
  groups: ['groups'],
  roles: ['roles'],
  permissions: ['permissions'],
  service_settings: ['service_settings'],
}

/** Every claim that a row of `accounts` (with its roles) answers; absent ones are left out, never null. */
export async function accountClaims(
  account: Row,
  at: { clientId: string | undefined; texts: RoleTexts; wants(claim: string): boolean },
): Promise<Record<string, unknown>> {
  return withoutNull({
    roles: roleNames(account, at.clientId),
    permissions: at.wants('permissions')
      ? await permissionNames(account, at.clientId, at.texts)
      : undefined,
    name: account.name,
    given_name: account.given_name,
    family_name: account.family_name,
    nickname: account.username,
    preferred_username: account.username,
    picture: account.picture_url,
    locale: account.locale,
    zoneinfo: account.zoneinfo,
    updated_at: Math.floor((account.updated_at as Date).getTime() / 1000),
    // Apps compare addresses letter by letter, so there is one spelling.
    email: account.email_canonical,
    email_verified: account.email_verified_at !== null,
    address: account.address,
    phone_number: account.phone_number,
    phone_number_verified:
      account.phone_number == null ? null : account.phone_number_verified_at != null,
    groups: groupNames(account),
    service_settings: account.service_settings,
  })
}

function withoutNull(claims: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value != null))
}
