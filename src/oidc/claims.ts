/**
 * What apps learn of a person, by scope (OpenID Connect Core §5.4). All of a scope or none of it: apps that
 * find some claims in the ID token never ask userinfo for the rest.
 */
import type { Row } from '../sessions/artefacts.ts'

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
}

/** Every claim that a row of `accounts` (with its roles) answers; absent ones are left out, never empty. */
export function accountClaims(account: Row): Record<string, unknown> {
  return withoutNull({
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
  })
}

/**
 * The claim `groups`: names of groups and of roles that count everywhere, which share one space of names. Apps that know
 * no other claim take roles from it.
 */
export function groupNames(account: Row | undefined): string[] {
  const groups = (account?.groups as string[] | undefined) ?? []
  const roles = (account?.roles as string[] | undefined) ?? []
  return [...new Set([...groups, ...roles.filter((role) => !role.includes('/'))])].toSorted()
}

function withoutNull(claims: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value != null))
}
