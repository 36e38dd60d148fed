/**
 * Settings of a client that stand in its metadata under RFC 7591 names, as an admin names them. One table for
 * making and for changing a client; whether they fit together is metadata.ts.
 */
import type { ClientMetadata } from './metadata.ts'

export const settingMembers = {
  authAlg: 'token_endpoint_auth_signing_alg',
  tlsSubjectDn: 'tls_client_auth_subject_dn',
  tlsSanDns: 'tls_client_auth_san_dns',
  tlsSanUri: 'tls_client_auth_san_uri',
  tlsSanIp: 'tls_client_auth_san_ip',
  tlsSanEmail: 'tls_client_auth_san_email',
  initiateLoginUri: 'initiate_login_uri',
  requirePar: 'require_pushed_authorization_requests',
  requireRequestObject: 'require_signed_request_object',
  requestObjectAlg: 'request_object_signing_alg',
  responseModes: 'response_modes',
  authorizationTypes: 'authorization_details_types',
  authorizationAlg: 'authorization_signed_response_alg',
  idTokenAlg: 'id_token_signed_response_alg',
  userinfoAlg: 'userinfo_signed_response_alg',
  introspectionAlg: 'introspection_signed_response_alg',
  defaultAcrValues: 'default_acr_values',
  dpopBound: 'dpop_bound_access_tokens',
  certificateBound: 'tls_client_certificate_bound_access_tokens',
  subjectType: 'subject_type',
  sectorIdentifierUri: 'sector_identifier_uri',
  backchannelDelivery: 'backchannel_token_delivery_mode',
  backchannelNotificationEndpoint: 'backchannel_client_notification_endpoint',
  backchannelRequestAlg: 'backchannel_authentication_request_signing_alg',
} as const satisfies Record<string, keyof ClientMetadata>

/** Undefined leaves what was; null and false take it away. */
export type ProtocolSettings = {
  [Name in keyof typeof settingMembers]?:
    | ClientMetadata[(typeof settingMembers)[Name]]
    | null
    | undefined
}

export function applySettings(
  metadata: ClientMetadata,
  settings: ProtocolSettings,
): ClientMetadata {
  const next: Record<string, unknown> = { ...metadata }
  for (const [name, member] of Object.entries(settingMembers)) {
    const value = settings[name as keyof ProtocolSettings]
    if (value === null || value === false) delete next[member]
    else if (value !== undefined) next[member] = value
  }
  return next as ClientMetadata
}

const subjects = ['tlsSubjectDn', 'tlsSanDns', 'tlsSanUri', 'tlsSanIp', 'tlsSanEmail'] as const

type Change = ProtocolSettings & {
  authMethod?: string | undefined
  certificateAuthorities?: string | null | undefined
}

/** What a change makes meaningless goes with it; what is named as well stays, and is judged. */
export function withoutLeftovers<T extends Change>(change: T): T {
  const { authMethod, subjectType } = change
  const gone: { -readonly [Name in keyof Change]: null } = {}
  const named = subjects.some((name) => change[name] !== undefined)
  if ((authMethod !== undefined && authMethod !== 'tls_client_auth') || named) {
    for (const name of subjects) gone[name] = null
  }
  if (authMethod !== undefined && authMethod !== 'tls_client_auth')
    gone.certificateAuthorities = null
  if (authMethod !== undefined && authMethod !== 'private_key_jwt') gone.authAlg = null
  if (subjectType === null || subjectType === 'public') gone.sectorIdentifierUri = null
  const said = Object.entries(change).filter(([, value]) => value !== undefined)
  return { ...change, ...gone, ...Object.fromEntries(said) }
}
