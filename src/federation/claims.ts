/** What of an upstream's claims we take: parsed, cut to what can be stored, and nothing believed that was not proven. */
import { canonicalEmail } from '../accounts/email.ts'
import { checkDisplayName } from '../accounts/names.ts'
import { checkUsername } from '../accounts/username.ts'
import { presets } from './presets.ts'
import type { Provider } from './providers.ts'

export type Claims = Record<string, unknown> & { iss: string; sub: string; auth_time?: number }

/** Who somebody is elsewhere. (provider, issuer, subject) is the identity; the rest is what to show and to prefill. */
export type ProvenIdentity = {
  providerId: string
  issuer: string
  subject: string
  /** The session there. */
  sid?: string | undefined
  email?: string | undefined
  /** It says so, and the operator believes it: then the address counts as proven here. */
  emailTrusted: boolean
  name?: string | undefined
  username?: string | undefined
  /** What its claims give by the operator's table. */
  roles: string[]
  /** Kept only where signing out there takes it. */
  idToken?: string | undefined
}

export function toIdentity(
  provider: Provider,
  claims: Claims,
  { idToken, user }: { idToken: string | undefined; user: string | null },
): ProvenIdentity {
  const preset = presets[provider.preset]
  const address = typeof claims.email === 'string' ? canonicalEmail(claims.email) : undefined
  const email = address?.ok ? address.email : undefined
  const verified = preset.isVerified(claims.email_verified)
  const name = nameOf(claims.name) ?? (preset.secret === 'apple-key' ? nameIn(user) : undefined)
  const { preferred_username: preferred, sid } = claims
  return {
    providerId: provider.id,
    issuer: claims.iss,
    subject: claims.sub,
    sid: typeof sid === 'string' && sid.length <= 255 ? sid : undefined,
    email,
    emailTrusted: email !== undefined && verified && provider.trustEmail && preset.mayTrustEmail,
    name,
    username: suggest([preferred, email?.split('@')[0], name]),
    roles: rolesOf(provider, claims),
    idToken,
  }
}

function nameOf(value: unknown): string | undefined {
  const checked = typeof value === 'string' ? checkDisplayName(value) : undefined
  return checked?.ok ? checked.name : undefined
}

/** Apple tells the name beside its answer, the first time only, unsigned: to prefill a field and for nothing else. */
function nameIn(user: string | null): string | undefined {
  if (user === null || user.length > 2000) return undefined
  try {
    const { name } = JSON.parse(user) as { name?: { firstName?: unknown; lastName?: unknown } }
    const parts = [name?.firstName, name?.lastName].filter((part) => typeof part === 'string')
    return nameOf(parts.join(' '))
  } catch {
    return undefined
  }
}

/** The first that makes a username; the person may take another. */
function suggest(texts: unknown[]): string | undefined {
  for (const text of texts) {
    if (typeof text !== 'string') continue
    const plain = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
    const name = plain.replace(/[^a-z0-9_-]+/g, '-').replace(/^[^a-z]+|[-_]+$/g, '')
    const short = name.slice(0, 32)
    if (checkUsername(short).ok) return short
  }
  return undefined
}

/** Each rule whose claim is, or holds, its value. Only the claim's own value counts: no parts, no patterns. */
function rolesOf({ roleMap }: Provider, claims: Claims): string[] {
  const roles = roleMap.filter(({ claim, value }) => {
    const given = Object.hasOwn(claims, claim) ? claims[claim] : undefined
    return Array.isArray(given) ? given.includes(value) : given === value
  })
  return [...new Set(roles.map(({ role }) => role))].sort()
}
