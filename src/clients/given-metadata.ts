/**
 * Metadata that an app gives about itself (RFC 7591 §2), when it registers or in a document of its own. Members that
 * we do not know are left out, and so are those that only an admin sets: whatever stands here, an app can ask for.
 */
import { z } from 'zod'
import type { ClientMetadata } from './metadata.ts'
import type { Problem } from './rules/problem.ts'

const text = z.string().max(4000)
const list = z.array(text).max(200)

const members = {
  client_name: text,
  client_uri: text,
  logo_uri: text,
  policy_uri: text,
  tos_uri: text,
  application_type: z.enum(['web', 'native']),
  redirect_uris: z.array(text),
  post_logout_redirect_uris: z.array(text),
  backchannel_logout_uri: text,
  backchannel_logout_session_required: z.boolean(),
  frontchannel_logout_uri: text,
  frontchannel_logout_session_required: z.boolean(),
  initiate_login_uri: text,
  response_types: list,
  grant_types: list,
  token_endpoint_auth_method: text,
  token_endpoint_auth_signing_alg: text,
  require_pushed_authorization_requests: z.boolean(),
  require_signed_request_object: z.boolean(),
  request_object_signing_alg: text,
  response_modes: list,
  authorization_signed_response_alg: text,
  id_token_signed_response_alg: text,
  userinfo_signed_response_alg: text,
  introspection_signed_response_alg: text,
  dpop_bound_access_tokens: z.boolean(),
  tls_client_certificate_bound_access_tokens: z.boolean(),
  subject_type: text,
  sector_identifier_uri: text,
  scope: text,
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())).max(50) }),
  jwks_uri: text,
} as const satisfies Partial<Record<keyof ClientMetadata, z.ZodType>>

/** Members that an admin alone sets; they stay when the app replaces its own. */
const ownMembers = new Set<string>(Object.keys(members))

const schema = z.object(members).partial()

export type GivenMetadata = z.infer<typeof schema>

/** Null and the empty text mean "left out" (RFC 7592 §2.2). Throws nothing. */
export function readGivenMetadata(
  body: Record<string, unknown>,
): { ok: true; given: GivenMetadata } | { ok: false; problems: Problem[] } {
  const said = Object.entries(body).filter(([, value]) => value !== null && value !== '')
  const { data, error } = schema.safeParse(Object.fromEntries(said))
  if (data) return { ok: true, given: data }
  const fields = [...new Set(error.issues.map(({ path }) => String(path[0])))]
  return {
    ok: false,
    problems: fields.map((field) => ({
      field,
      code: 'malformed',
      message: 'has another form than RFC 7591 gives it, or is too long',
      fix: 'See RFC 7591 §2 and OpenID Connect Dynamic Client Registration 1.0 §2.',
    })),
  }
}

/**
 * With the defaults of RFC 7591 §2. `scopes` are the standard ones of what was asked for or is given by default.
 * `before` is what an admin had set on this app.
 */
export function completeMetadata(
  given: GivenMetadata,
  scopes: string[],
  before: Partial<ClientMetadata> = {},
): ClientMetadata {
  const grantTypes = unique(given.grant_types ?? ['authorization_code'])
  const withCode = grantTypes.includes('authorization_code')
  const kept = Object.entries(before).filter(([name]) => !ownMembers.has(name))
  // What is false is left out in storage, wherever it comes from.
  const said = Object.entries(given).filter(([, value]) => value !== undefined && value !== false)
  const { scope: _, ...rest } = Object.fromEntries([...kept, ...said])
  return {
    ...rest,
    client_name: given.client_name?.normalize('NFC') ?? nameOf(given),
    application_type: given.application_type ?? 'web',
    redirect_uris: unique(given.redirect_uris ?? []),
    post_logout_redirect_uris: unique(given.post_logout_redirect_uris ?? []),
    response_types: given.response_types ?? (withCode ? ['code'] : []),
    grant_types: grantTypes,
    token_endpoint_auth_method: given.token_endpoint_auth_method ?? 'client_secret_basic',
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
  } as ClientMetadata
}

/** What the app may do after all: RFC 7591 leaves the default of `scope` to us. */
export function defaultScope(
  given: GivenMetadata,
  allowed: string[],
  standard: readonly string[],
): string[] {
  const grants = given.grant_types ?? ['authorization_code']
  return allowed.filter((scope) => {
    if (!standard.includes(scope)) return true
    if (scope === 'offline_access') return grants.includes('refresh_token')
    return grants.includes('authorization_code')
  })
}

function nameOf({ redirect_uris: [first = ''] = [] }: GivenMetadata): string {
  const host = URL.parse(first)?.host
  return host ? host.slice(0, 80) : 'App without a name'
}

function unique(values: string[]): string[] {
  return [...new Set(values)]
}
