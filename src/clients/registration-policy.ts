/** What a registration token allows: whether that makes sense, and whether an app that registers itself keeps to it. */
import type { ClientMetadata } from './metadata.ts'
import type { RegistrationPolicy } from './registration-tokens.ts'
import { type Problem, shorten } from './rules/problem.ts'
import { isLoopbackHost } from './rules/uris.ts'

/** Nothing that asks nobody and nothing that an admin has to set up. */
export const openGrantTypes: readonly string[] = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
]

/** `tls_client_auth` needs authorities, which only an admin may name. */
export const openAuthMethods: readonly string[] = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'self_signed_tls_client_auth',
  'none',
]

const longestLifetimeSeconds = 366 * 86_400
const mostUses = 1_000_000

export function checkPolicy(
  policy: RegistrationPolicy & {
    name: string
    uses: number | null
    lifetimeSeconds: number | null
  },
): Problem[] {
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  const { name, uses, lifetimeSeconds, grantTypes, redirectHosts } = policy
  if (name.trim() === '' || name !== name.trim() || name.length > 80 || /[\p{C}<>]/u.test(name)) {
    add(
      'name',
      'name_characters',
      'is empty, too long or not plain text',
      'Use up to 80 letters, digits and spaces.',
    )
  }
  if (uses !== null && (!Number.isInteger(uses) || uses < 1 || uses > mostUses)) {
    add('uses', 'uses_out_of_range', `is ${uses}`, `Use 1 to ${mostUses}, or unlimited.`)
  }
  if (
    lifetimeSeconds !== null &&
    (lifetimeSeconds < 1 || lifetimeSeconds > longestLifetimeSeconds)
  ) {
    add(
      'expires',
      'lifetime_out_of_range',
      `is ${lifetimeSeconds} seconds`,
      'Use 1s to 366d, or never.',
    )
  }
  const unknown = grantTypes.filter((grant) => !openGrantTypes.includes(grant))
  for (const grant of unknown) {
    add(
      'allowed_grant_types',
      'grant_type_unknown',
      `contains ${shorten(grant)}`,
      `Use ${openGrantTypes.join(', ')}.`,
    )
  }
  if (grantTypes.length === 0) {
    add(
      'allowed_grant_types',
      'grant_type_missing',
      'is empty',
      `Use ${openGrantTypes.join(', ')}.`,
    )
  }
  for (const host of redirectHosts.filter((text) => !isHost(text))) {
    add(
      'redirect_hosts',
      'host_malformed',
      `contains ${shorten(host)}`,
      'Give a host such as app.example.org, in small letters, without a wildcard.',
    )
  }
  return problems
}

/** As browsers write it, so that comparing letters is enough. */
export function isHost(text: string): boolean {
  const url = URL.parse(`https://${text}/`)
  return url !== null && url.host === text && !/[*%]/.test(text) && text.length <= 255
}

/** What the app has already it may keep, also when an admin gave it more than the token allows. */
export function checkAgainstPolicy(
  policy: RegistrationPolicy,
  asked: { metadata: ClientMetadata; scopes: string[] },
  had: { metadata: Partial<ClientMetadata>; scopes: string[] },
): Problem[] {
  const { metadata, scopes } = asked
  const problems: Problem[] = []
  const refuse = (field: string, code: string, message: string) =>
    problems.push({ field, code, message, fix: 'Ask whoever gave you the token.' })
  const grants = [...policy.grantTypes, ...(had.metadata.grant_types ?? [])]
  for (const grant of metadata.grant_types.filter((name) => !grants.includes(name))) {
    refuse(
      'grant_types',
      'not_allowed',
      `contains ${shorten(grant)}, which this registration may not have`,
    )
  }
  const allowed = [...policy.scopes, ...had.scopes]
  for (const scope of scopes.filter((name) => !allowed.includes(name))) {
    refuse(
      'scope',
      'not_allowed',
      `contains ${shorten(scope)}, which this registration may not have`,
    )
  }
  const method = metadata.token_endpoint_auth_method
  if (!openAuthMethods.includes(method) && method !== had.metadata.token_endpoint_auth_method) {
    refuse(
      'token_endpoint_auth_method',
      'not_allowed',
      `is ${shorten(method)}; use ${openAuthMethods.join(', ')}`,
    )
  }
  // Wherever we send people.
  for (const field of [
    'redirect_uris',
    'post_logout_redirect_uris',
    'initiate_login_uri',
  ] as const) {
    const known = [had.metadata[field] ?? []].flat()
    for (const uri of [metadata[field] ?? []]
      .flat()
      .filter((text) => !known.includes(text) && !isAt(policy, text))) {
      refuse(
        field,
        'not_allowed',
        `${shorten(uri)} is at a host that this registration may not have`,
      )
    }
  }
  return problems
}

/** Of a token that was revoked: an app keeps what it had, at the hosts where it was, and gains nothing. */
export function withoutGains(
  policy: RegistrationPolicy,
  { redirect_uris: uris }: Pick<ClientMetadata, 'redirect_uris'>,
): RegistrationPolicy {
  const hosts = uris.flatMap((text) => {
    const url = URL.parse(text)
    if (!url || url.host === '') return []
    return [isLoopbackHost(url.hostname) ? url.hostname : url.host]
  })
  // No list of hosts would mean any (RFC 2606 keeps this name for nobody).
  const redirectHosts = hosts.length > 0 ? hosts : ['nowhere.invalid']
  return { ...policy, scopes: [], grantTypes: [], redirectHosts }
}

/** Compared letter by letter: a host is never a pattern. */
function isAt({ redirectHosts }: RegistrationPolicy, uri: string): boolean {
  if (redirectHosts.length === 0) return true
  const url = URL.parse(uri)
  if (!url || !/^https?:$/.test(url.protocol)) return false
  const anyPort = isLoopbackHost(url.hostname) && redirectHosts.includes(url.hostname)
  return anyPort || redirectHosts.includes(url.host)
}
