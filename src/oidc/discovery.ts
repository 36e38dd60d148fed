/** What discovery promises, beyond the engine's own words: nothing that would not work, and all that does. */
import type { Config } from '../config.ts'
import { challengeGrant } from './authorization-challenge.ts'
import { certificateEndpoints, takesCertificates } from './mutual-tls.ts'
import { createPrompts } from './prompts.ts'

type Metadata = Record<string, unknown>

const authMethodLists = [
  'token_endpoint_auth_methods_supported',
  'introspection_endpoint_auth_methods_supported',
  'revocation_endpoint_auth_methods_supported',
]

/** `metadata` as the engine wrote it. */
export function advertise(
  metadata: Metadata,
  config: Pick<Config, 'tls' | 'mtlsOrigin' | 'clientCertHeader'>,
): Metadata {
  const methods = metadata.token_endpoint_auth_methods_supported as string[]
  const whole: Metadata = {
    ...metadata,
    prompt_values_supported: promptValues(),
    // People have no code of their own to give to apps (CIBA Core §4).
    backchannel_user_code_parameter_supported: false,
    grant_types_supported: (metadata.grant_types_supported as string[]).filter(
      (grant) => grant !== challengeGrant,
    ),
    authorization_details_types_supported: withSome(metadata.authorization_details_types_supported),
    // Nobody asks about tokens without saying who they are (RFC 7662 §2.1).
    introspection_endpoint_auth_methods_supported: methods.filter((method) => method !== 'none'),
    revocation_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_signing_alg_values_supported:
      metadata.token_endpoint_auth_signing_alg_values_supported,
    revocation_endpoint_auth_signing_alg_values_supported:
      metadata.token_endpoint_auth_signing_alg_values_supported,
  }
  return takesCertificates(config) ? withAliases(whole, config) : withoutCertificates(whole)
}

/** Undefined, and so left out of the document, when there is none. */
function withSome(list: unknown): unknown {
  return Array.isArray(list) && list.length > 0 ? list : undefined
}

function promptValues(): string[] {
  return [
    'none',
    ...createPrompts()
      .filter(({ requestable }) => requestable)
      .map(({ name }) => name),
  ]
}

function withAliases(metadata: Metadata, { mtlsOrigin }: Pick<Config, 'mtlsOrigin'>): Metadata {
  if (mtlsOrigin === undefined) return metadata
  const aliases = Object.entries(certificateEndpoints)
    .filter(([name]) => metadata[name] !== undefined)
    .map(([name, path]) => [name, `${mtlsOrigin}${path}`])
  return { ...metadata, mtls_endpoint_aliases: Object.fromEntries(aliases) }
}

function withoutCertificates(metadata: Metadata): Metadata {
  const { tls_client_certificate_bound_access_tokens: _, ...rest } = metadata
  const lists = authMethodLists.map((name) => [
    name,
    (rest[name] as string[]).filter((method) => !method.endsWith('tls_client_auth')),
  ])
  return { ...rest, ...Object.fromEntries(lists) }
}
