/**
 * Users of a Keycloak realm export (`kc.sh export`, one file or several). Their ids stay, so `sub` stays the same for apps
 * that used it. Roles and groups are left: what they allow there means nothing here. Second factors are enrolled anew.
 */
import { writePbkdf2 } from '../credentials/hash-schemes/pbkdf2.ts'
import { type AccountLine, idFor } from './account-line.ts'
import type { Translate } from './sources.ts'

export const keycloakEntry: Translate = (user) => {
  // The account behind a client that acts for itself.
  if (typeof user.serviceAccountClientId === 'string') return undefined
  const at = typeof user.createdTimestamp === 'number' ? new Date(user.createdTimestamp) : undefined
  const name = [user.firstName, user.lastName].filter(
    (part) => typeof part === 'string' && part.trim() !== '',
  )
  return {
    ...idOf(user.id),
    username: user.username,
    email: user.email ?? null,
    email_verified: user.emailVerified === true,
    name: name.join(' ') || null,
    given_name: user.firstName ?? null,
    family_name: user.lastName ?? null,
    locale: localeOf(user.attributes),
    status: user.enabled === false ? 'disabled' : 'active',
    password_hash: passwordOf(user.credentials),
    ...(at && !Number.isNaN(at.getTime()) ? { created_at: at.toISOString() } : {}),
  } as AccountLine
}

/** People of a federation (LDAP) have ids of another kind. */
function idOf(id: unknown): { id?: string } {
  if (typeof id !== 'string') return {}
  return {
    id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id) ? id : idFor('keycloak', id),
  }
}

/** Attributes are lists of texts. */
function localeOf(attributes: unknown): string | null {
  const [locale] = (attributes as { locale?: unknown[] } | undefined)?.locale ?? []
  return typeof locale === 'string' && /^[a-z]{2}(-[A-Z]{2})?$/.test(locale) ? locale : null
}

type Data = {
  value?: string
  salt?: string
  algorithm?: string
  hashIterations?: number
  additionalParameters?: Record<string, string[] | undefined>
}

/** Null without a password; a text that no scheme knows where it is of a kind that we cannot read, so that it is told. */
function passwordOf(credentials: unknown): string | null {
  if (!Array.isArray(credentials)) return null
  const password = credentials.find(
    (one) => (one as { type?: unknown } | null)?.type === 'password',
  )
  if (!password) return null
  const { value = '', salt = '' } = dataOf(password.secretData)
  const {
    algorithm = '',
    hashIterations = 0,
    additionalParameters: more = {},
  } = dataOf(password.credentialData)
  const [digest] =
    /(?<=^pbkdf2-?)sha(256|512)$/.exec(algorithm) ??
    (algorithm === 'pbkdf2' ? ['sha1' as const] : [])
  if (digest) {
    return writePbkdf2({
      digest: digest as 'sha1' | 'sha256' | 'sha512',
      iterations: hashIterations,
      salt: Buffer.from(salt, 'base64'),
      key: Buffer.from(value, 'base64'),
    })
  }
  if (algorithm === 'argon2') {
    const one = (key: string) => more[key]?.[0] ?? ''
    const spell = (text: string) => text.replace(/=+$/, '')
    const version = one('version') === '1.0' ? 16 : 19
    const costs = `m=${one('memory')},t=${hashIterations},p=${one('parallelism')}`
    return `$argon2${one('type')}$v=${version}$${costs}$${spell(salt)}$${spell(value)}`
  }
  // Providers that people add keep bcrypt whole.
  return algorithm === 'bcrypt' ? value : `unknown ${algorithm}`.slice(0, 100)
}

function dataOf(json: unknown): Data {
  try {
    const data: unknown = typeof json === 'string' ? JSON.parse(json) : json
    return typeof data === 'object' && data !== null ? data : {}
  } catch {
    return {}
  }
}
