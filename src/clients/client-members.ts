/**
 * What a program may say of a client, by the names under which it is shown (client-json.ts): RFC 7591 names and a few of
 * ours. Forms alone are judged here; whether a value is right, and fits the others, is metadata.ts's.
 */
import { z } from 'zod'
import { nameableClaims } from './claim-names.ts'
import type { ClientInput } from './create-client.ts'
import { levels } from './levels.ts'
import { profiles } from './policy.ts'
import { type ProtocolSettings, settingMembers } from './protocol-settings.ts'
import { secondFactors, secondFactorTimes } from './second-factor.ts'
import type { ClientChange } from './update-client.ts'

const text = z.string().max(4000)
const line = text.optional()
const list = z.array(text).max(200).optional()
const orNone = text.nullable().optional()
const seconds = z.int().nullable().optional()

/** Members that are the same when a client is made and when it is changed. Null takes away what may be missing. */
export const clientMembers = {
  client_name: line,
  client_uri: orNone,
  redirect_uris: list,
  post_logout_redirect_uris: list,
  backchannel_logout_uri: orNone,
  frontchannel_logout_uri: orNone,
  scope: line.meta({ description: 'Standard scopes and those of APIs, separated by spaces.' }),
  apis: list.meta({ description: 'Identifiers of APIs of which it may ask for every scope.' }),
  grant_types: list,
  token_endpoint_auth_method: line,
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())).max(50) }).optional(),
  jwks_uri: line,
  pkce: z.enum(['required', 'optional']).optional(),
  first_party: z.boolean().optional().meta({ description: 'Nobody is asked for consent.' }),
  token_endpoint_auth_signing_alg: orNone,
  tls_client_auth_subject_dn: orNone,
  tls_client_auth_san_dns: orNone,
  tls_client_auth_san_uri: orNone,
  tls_client_auth_san_ip: orNone,
  tls_client_auth_san_email: orNone,
  certificate_authorities: z
    .string()
    .max(40_000)
    .nullable()
    .optional()
    .meta({ description: 'PEM.' }),
  initiate_login_uri: orNone,
  require_pushed_authorization_requests: z.boolean().optional(),
  require_signed_request_object: z.boolean().optional(),
  request_object_signing_alg: orNone,
  response_modes: list.nullable(),
  authorization_details_types: list.nullable(),
  authorization_signed_response_alg: orNone,
  id_token_signed_response_alg: orNone,
  userinfo_signed_response_alg: orNone,
  introspection_signed_response_alg: orNone,
  default_acr_values: list.nullable(),
  dpop_bound_access_tokens: z.boolean().optional(),
  tls_client_certificate_bound_access_tokens: z.boolean().optional(),
  subject_type: z.enum(['public', 'pairwise']).optional(),
  sector_identifier_uri: orNone,
  backchannel_token_delivery_mode: orNone,
  backchannel_client_notification_endpoint: orNone,
  backchannel_authentication_request_signing_alg: orNone,
  profile: z.enum(profiles).nullable().optional(),
  access_token_lifetime: seconds.meta({ description: 'Seconds, as all times here.' }),
  refresh_idle: seconds,
  refresh_total: seconds,
  refresh_rotation: z.enum(['on', 'off']).optional(),
  userinfo_acr: z.enum(levels).nullable().optional(),
  userinfo_max_age: seconds,
  second_factor: z.enum(secondFactorTimes).nullable().optional(),
  second_factors: z.array(z.enum(secondFactors)).nullable().optional(),
  authorization_challenge: z.boolean().optional(),
  claim_names: z
    .partialRecord(z.enum(nameableClaims), z.string().max(200))
    .nullable()
    .optional()
    .meta({ description: 'By which names it reads roles, groups and the like.' }),
}

export type ClientMembers = z.infer<z.ZodObject<typeof clientMembers>>

export function changeFromMembers(given: ClientMembers): ClientChange {
  const settings = Object.entries(settingMembers)
    .filter(([, member]) => given[member as keyof ClientMembers] !== undefined)
    .map(([name, member]) => [name, given[member as keyof ClientMembers]])
  const { refresh_rotation: rotation, subject_type: subject } = given
  return {
    ...(Object.fromEntries(settings) as ProtocolSettings),
    ...(subject === undefined ? {} : { subjectType: subject === 'public' ? null : subject }),
    name: given.client_name?.normalize('NFC'),
    appUrl: given.client_uri,
    redirectUris: given.redirect_uris,
    postLogoutRedirectUris: given.post_logout_redirect_uris,
    backchannelLogoutUri: given.backchannel_logout_uri,
    frontchannelLogoutUri: given.frontchannel_logout_uri,
    scope: given.scope,
    apis: given.apis,
    grantTypes: given.grant_types,
    authMethod: given.token_endpoint_auth_method,
    pkce: given.pkce,
    jwks: given.jwks,
    jwksUri: given.jwks_uri,
    firstParty: given.first_party,
    profile: given.profile,
    accessTokenSeconds: given.access_token_lifetime,
    refreshIdleSeconds: given.refresh_idle,
    refreshTotalSeconds: given.refresh_total,
    refreshRotation: rotation === undefined ? undefined : rotation === 'on',
    userinfoAcr: given.userinfo_acr,
    userinfoMaxAgeSeconds: given.userinfo_max_age,
    secondFactor: given.second_factor,
    secondFactors: given.second_factors,
    authorizationChallenge: given.authorization_challenge,
    claimNames: given.claim_names,
    certificateAuthorities: given.certificate_authorities,
  }
}

/** Of a new client, null says no more than leaving the member out. */
export function inputFromMembers(
  given: ClientMembers & { client_name: string; preset: string; client_id?: string | undefined },
): ClientInput {
  const change = changeFromMembers(given)
  return {
    ...change,
    appUrl: change.appUrl ?? undefined,
    backchannelLogoutUri: change.backchannelLogoutUri ?? undefined,
    frontchannelLogoutUri: change.frontchannelLogoutUri ?? undefined,
    name: given.client_name.normalize('NFC'),
    preset: given.preset,
    clientId: given.client_id,
  }
}
