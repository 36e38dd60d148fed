/**
 * What a client may be, as one pure check that reports every problem at once. The protocol's own rules are
 * the engine's; whoever writes a client runs those as well (`EngineCheck`), so that no stored row is ever
 * answered with a bare `invalid_client`.
 */
import { checkClaimNames } from './claim-names.ts'
import { type ClientPolicy, noPolicy } from './policy.ts'
import { checkAddresses } from './rules/addresses.ts'
import { checkAuthentication } from './rules/authentication.ts'
import { checkBackchannel } from './rules/backchannel.ts'
import { checkCertificates } from './rules/certificates.ts'
import { checkGrants, checkScope } from './rules/grants.ts'
import type { Problem } from './rules/problem.ts'
import { checkProfile } from './rules/profile.ts'
import { checkRequests } from './rules/requests.ts'
import { checkSignatures } from './rules/signatures.ts'
import { checkStepUp } from './rules/step-up.ts'
import { checkSubjects } from './rules/subjects.ts'
import { checkTokens } from './rules/tokens.ts'

export type { Problem } from './rules/problem.ts'

/** RFC 7591 names. `scope` holds standard scopes alone; those of APIs hang on the API. */
export type ClientMetadata = {
  client_name: string
  /** The app's own address; consent shows its host. */
  client_uri?: string
  logo_uri?: string
  policy_uri?: string
  tos_uri?: string
  application_type: 'web' | 'native'
  redirect_uris: string[]
  post_logout_redirect_uris: string[]
  backchannel_logout_uri?: string
  backchannel_logout_session_required?: boolean
  /** For old apps: called by the person's browser, in a frame. */
  frontchannel_logout_uri?: string
  frontchannel_logout_session_required?: boolean
  /** Where the app begins a sign-in that others ask it for (OpenID Connect Core §4). */
  initiate_login_uri?: string
  response_types: string[]
  grant_types: string[]
  token_endpoint_auth_method: string
  token_endpoint_auth_signing_alg?: string
  tls_client_auth_subject_dn?: string
  tls_client_auth_san_dns?: string
  tls_client_auth_san_uri?: string
  tls_client_auth_san_ip?: string
  tls_client_auth_san_email?: string
  require_pushed_authorization_requests?: boolean
  require_signed_request_object?: boolean
  request_object_signing_alg?: string
  response_modes?: string[]
  /** Which types of its APIs it may ask for in detail (RFC 9396 §10); every one when absent. */
  authorization_details_types?: string[]
  authorization_signed_response_alg?: string
  id_token_signed_response_alg?: string
  userinfo_signed_response_alg?: string
  introspection_signed_response_alg?: string
  /** CIBA: how the client learns that a person has decided. */
  backchannel_token_delivery_mode?: string
  backchannel_client_notification_endpoint?: string
  /** With it such requests are signed, and no others are taken. */
  backchannel_authentication_request_signing_alg?: string
  default_acr_values?: string[]
  dpop_bound_access_tokens?: boolean
  tls_client_certificate_bound_access_tokens?: boolean
  subject_type?: 'public' | 'pairwise'
  sector_identifier_uri?: string
  scope?: string
  jwks?: { keys: Record<string, unknown>[] }
  jwks_uri?: string
}

/** The protocol's own validation. Throws with the reason; the caller hands it in, rooms do not know the engine. */
export type EngineCheck = (
  metadata: ClientMetadata & { client_id: string; client_secret?: string },
) => Promise<void>

export const authMethods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'none',
] as const
const secretMethods: readonly string[] = ['client_secret_basic', 'client_secret_post']
const longestName = 80

/** False for public clients and for those that sign with their own key. */
export function usesSecret(metadata: { token_endpoint_auth_method: string }): boolean {
  return secretMethods.includes(metadata.token_endpoint_auth_method)
}

/** Empty when the client may be stored. The second part is ours, not part of RFC 7591. */
export function checkMetadata(
  metadata: ClientMetadata,
  { pkceRequired, ...given }: { pkceRequired: boolean } & Partial<ClientPolicy>,
): Problem[] {
  const policy = { ...noPolicy, ...given }
  return [
    ...checkName(metadata.client_name),
    ...checkAddresses(metadata),
    ...checkGrants(metadata),
    ...checkAuthentication(metadata, pkceRequired),
    ...checkBackchannel(metadata),
    ...checkCertificates(metadata, policy),
    ...checkRequests(metadata),
    ...checkSignatures(metadata),
    ...checkTokens(metadata, policy),
    ...checkSubjects(metadata),
    ...checkStepUp(metadata, policy),
    ...checkClaimNames(policy),
    ...checkScope(metadata),
    ...checkProfile(metadata, { ...policy, pkceRequired }),
  ]
}

function checkName(name: string): Problem[] {
  const problem = (code: string, message: string, fix: string): Problem[] => [
    { field: 'client_name', code, message, fix },
  ]
  const length = [...name].length
  if (name.trim() === '')
    return problem('name_empty', 'is empty', 'Give the name people know the app by.')
  if (length > longestName) {
    return problem('name_too_long', `has ${length} characters`, `Use ${longestName} or fewer.`)
  }
  // Consent shows the name: nothing in it may hide, turn around or look like markup (OA-20, WB-09).
  if (/[\p{C}\p{Zl}\p{Zp}<>]/u.test(name) || name !== name.trim()) {
    return problem(
      'name_characters',
      'contains control, invisible, text-direction or < > characters, or spaces at its ends',
      'Use letters, digits, spaces and plain punctuation.',
    )
  }
  return []
}
