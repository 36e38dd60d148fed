/** How a client looks to programs: RFC 7591 names and a few of ours. */
import { type Client, wholeScope } from './clients.ts'

/** `secret` is known only right after it was made. */
export function clientJson(client: Client, secret?: string): Record<string, unknown> {
  const { metadata, apis } = client
  const scope = wholeScope(client)
  return {
    client_id: client.id,
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    ...inOrder({ ...metadata, ...(scope === '' ? {} : { scope }) }),
    preset: client.preset,
    ...cameJson(client),
    pkce: client.pkceRequired ? 'required' : 'optional',
    ...policyJson(client),
    first_party: client.firstParty,
    disabled: client.disabledAt !== null,
    apis: apis.map(({ identifier }) => identifier),
  }
}

function cameJson({ registeredWith }: Client): Record<string, unknown> {
  return registeredWith ? { registered_by: 'itself', registration_token: registeredWith.name } : {}
}

/** What one looks for first, first; the database keeps no order. */
const order = [
  'client_name',
  'client_uri',
  'application_type',
  'redirect_uris',
  'post_logout_redirect_uris',
  'initiate_login_uri',
  'backchannel_logout_uri',
  'backchannel_logout_session_required',
  'frontchannel_logout_uri',
  'frontchannel_logout_session_required',
  'scope',
  'grant_types',
  'response_types',
  'token_endpoint_auth_method',
]

function inOrder(metadata: Record<string, unknown>): Record<string, unknown> {
  const names = [...order.filter((name) => name in metadata), ...Object.keys(metadata).toSorted()]
  return Object.fromEntries(names.map((name) => [name, metadata[name]]))
}

/** Beside the metadata; what is not set holds for every app and is left out. Times in seconds. */
function policyJson(client: Client): Record<string, unknown> {
  const { accessTokenSeconds, refreshIdleSeconds, refreshTotalSeconds } = client
  return {
    ...(client.profile === null ? {} : { profile: client.profile }),
    ...(accessTokenSeconds === null ? {} : { access_token_lifetime: accessTokenSeconds }),
    ...(refreshIdleSeconds === null ? {} : { refresh_idle: refreshIdleSeconds }),
    ...(refreshTotalSeconds === null ? {} : { refresh_total: refreshTotalSeconds }),
    ...(client.refreshRotation ? {} : { refresh_rotation: 'off' }),
    ...(client.userinfoAcr === null ? {} : { userinfo_acr: client.userinfoAcr }),
    ...(client.userinfoMaxAgeSeconds === null
      ? {}
      : { userinfo_max_age: client.userinfoMaxAgeSeconds }),
    ...(client.secondFactor === null ? {} : { second_factor: client.secondFactor }),
    ...(client.secondFactors === null ? {} : { second_factors: client.secondFactors }),
    ...(client.claimNames === null ? {} : { claim_names: client.claimNames }),
    ...(client.access === null
      ? {}
      : { allowed_roles: client.access.roles, allowed_groups: client.access.groups }),
    ...(client.authorizationChallenge ? { authorization_challenge: true } : {}),
    ...(client.certificateAuthorities === null
      ? {}
      : { certificate_authorities: client.certificateAuthorities }),
  }
}
