/** How a file calls what a client is made of: RFC 7591 names for its metadata, the words of `idp` for the rest. */
import { type AllowedApi, type Client, wholeScope } from '../clients/clients.ts'
import type { ClientInput } from '../clients/create-client.ts'
import type { ClientAccess } from '../clients/entry.ts'
import { settingMembers } from '../clients/protocol-settings.ts'
import type { After } from '../clients/store-change.ts'
import type { ClientEntry } from './document.ts'
import { fromSeconds, toSeconds } from './durations.ts'
import type { State } from './kind.ts'

type Field = keyof ClientEntry

/** Field of the file → of ClientInput, where the value is the same. */
const plain = {
  app_url: 'appUrl',
  redirect_uris: 'redirectUris',
  post_logout_redirect_uris: 'postLogoutRedirectUris',
  backchannel_logout_uri: 'backchannelLogoutUri',
  frontchannel_logout_uri: 'frontchannelLogoutUri',
  scope: 'scope',
  apis: 'apis',
  grant_types: 'grantTypes',
  token_endpoint_auth_method: 'authMethod',
  jwks: 'jwks',
  jwks_uri: 'jwksUri',
  first_party: 'firstParty',
  pkce: 'pkce',
  profile: 'profile',
  certificate_authorities: 'certificateAuthorities',
  refresh_rotation: 'refreshRotation',
  userinfo_acr: 'userinfoAcr',
  authorization_challenge: 'authorizationChallenge',
  second_factor: 'secondFactor',
  second_factors: 'secondFactors',
  claim_names: 'claimNames',
} as const satisfies Partial<Record<Field, keyof ClientInput>>

const times = {
  access_token_lifetime: 'accessTokenSeconds',
  refresh_idle: 'refreshIdleSeconds',
  refresh_total: 'refreshTotalSeconds',
  userinfo_max_age: 'userinfoMaxAgeSeconds',
} as const satisfies Partial<Record<Field, keyof ClientInput>>

/** What a client is told to be; what the entry leaves out is the preset's. */
export function toInput(entry: ClientEntry): ClientInput {
  const members = Object.entries(settingMembers).map(([name, member]) => [
    name,
    entry[member as Field],
  ])
  const said = [
    ...Object.entries(plain).map(([field, name]) => [name, entry[field as Field]]),
    ...members,
    ...Object.entries(times).map(([field, name]) => {
      const time = entry[field as keyof typeof times]
      return [name, time === undefined ? undefined : toSeconds(time)]
    }),
  ]
  const given = Object.fromEntries(said.filter(([, value]) => value !== undefined))
  return {
    ...given,
    name: entry.name.normalize('NFC'),
    preset: entry.preset ?? defaultPreset,
    clientId: entry.client_id,
  }
}

export const defaultPreset = 'generic'

/** What hangs on a client and is not its own. */
export type Beside = { disabled: boolean; roles: string[]; access: ClientAccess | null }

export const nothingBeside: Beside = { disabled: false, roles: [], access: null }

/** Every field that an entry may have, as it is; undefined where there is nothing. */
export function toState(target: After | Client, { disabled, roles, access }: Beside): State {
  const { metadata, apis } = target
  const members = Object.values(settingMembers).map((member) => [member, metadata[member]])
  const spans = Object.entries(times).map(([field, name]) => {
    const seconds = target[name]
    return [field, seconds === null ? undefined : fromSeconds(seconds)]
  })
  return {
    preset: target.preset,
    app_url: metadata.client_uri,
    redirect_uris: metadata.redirect_uris,
    post_logout_redirect_uris: metadata.post_logout_redirect_uris,
    backchannel_logout_uri: metadata.backchannel_logout_uri,
    frontchannel_logout_uri: metadata.frontchannel_logout_uri,
    scope: namedScope(target.metadata, apis),
    apis: apis.filter(({ wholeApi }) => wholeApi).map(({ identifier }) => identifier),
    grant_types: metadata.grant_types,
    token_endpoint_auth_method: metadata.token_endpoint_auth_method,
    jwks: metadata.jwks,
    jwks_uri: metadata.jwks_uri,
    first_party: target.firstParty,
    pkce: target.pkceRequired ? 'required' : 'optional',
    profile: target.profile ?? undefined,
    certificate_authorities: target.certificateAuthorities ?? undefined,
    refresh_rotation: target.refreshRotation,
    userinfo_acr: target.userinfoAcr ?? undefined,
    authorization_challenge: target.authorizationChallenge,
    second_factor: target.secondFactor ?? undefined,
    second_factors: target.secondFactors ?? undefined,
    ...Object.fromEntries([...members, ...spans]),
    claim_names: target.claimNames ?? undefined,
    disabled,
    roles,
    allow_roles: access?.roles ?? [],
    allow_groups: access?.groups ?? [],
  }
}

/** An API that is there as a whole is named as one: its scopes are whatever it has. */
function namedScope(metadata: Client['metadata'], apis: AllowedApi[]): string {
  return wholeScope({ metadata, apis: apis.filter(({ wholeApi }) => !wholeApi) })
}
