/** How a file calls what a client is made of: RFC 7591 names for its metadata, the words of `idp` for the rest. */
import { inputFromMembers } from '../clients/client-members.ts'
import { type AllowedApi, type Client, wholeScope } from '../clients/clients.ts'
import type { ClientInput } from '../clients/create-client.ts'
import type { ClientAccess } from '../clients/entry.ts'
import { settingMembers } from '../clients/protocol-settings.ts'
import type { After } from '../clients/store-change.ts'
import type { ClientEntry } from './document.ts'
import { fromSeconds, toSeconds } from './durations.ts'
import type { State } from './kind.ts'

const times = {
  access_token_lifetime: 'accessTokenSeconds',
  refresh_idle: 'refreshIdleSeconds',
  refresh_total: 'refreshTotalSeconds',
  userinfo_max_age: 'userinfoMaxAgeSeconds',
} as const satisfies Partial<Record<keyof ClientEntry, keyof ClientInput>>

/** What a client is told to be; what the entry leaves out is the preset's. */
export function toInput(entry: ClientEntry): ClientInput {
  const { name, app_url: uri, preset = defaultPreset, client_id: id, ...members } = entry
  const seconds = (time: string | number | undefined) =>
    time === undefined ? undefined : toSeconds(time)
  return inputFromMembers({
    ...members,
    access_token_lifetime: seconds(entry.access_token_lifetime),
    refresh_idle: seconds(entry.refresh_idle),
    refresh_total: seconds(entry.refresh_total),
    userinfo_max_age: seconds(entry.userinfo_max_age),
    ...{ client_name: name, client_uri: uri, preset, client_id: id },
  })
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
    refresh_rotation: target.refreshRotation ? 'on' : 'off',
    userinfo_acr: target.userinfoAcr ?? undefined,
    authorization_challenge: target.authorizationChallenge,
    second_factor: target.secondFactor ?? undefined,
    second_factors: target.secondFactors ?? undefined,
    ...Object.fromEntries([...members, ...spans]),
    claim_names: target.claimNames ?? undefined,
    disabled,
    roles,
    allowed_roles: access?.roles ?? [],
    allowed_groups: access?.groups ?? [],
  }
}

/** An API that is there as a whole is named as one: its scopes are whatever it has. */
function namedScope(metadata: Client['metadata'], apis: AllowedApi[]): string {
  return wholeScope({ metadata, apis: apis.filter(({ wholeApi }) => !wholeApi) })
}
