/** A stored client in the engine's words: RFC 7591 names, and the few settings of ours that travel along. */
import type { Configuration } from 'oidc-provider'
import type { StoredClient } from '../clients/clients.ts'
import { usesSecret } from '../clients/metadata.ts'
import type { DetailTypes } from './authorization-details.ts'
import type { Payload } from './records.ts'

const extras = [
  'first_party',
  'pkce_required',
  'ignores_unknown_resource',
  'apis',
  'profile',
  'access_token_seconds',
  'refresh_idle_seconds',
  'refresh_total_seconds',
  'refresh_rotation',
  'authorization_challenge',
  'userinfo_acr',
  'userinfo_max_age',
  'certificate_authorities',
  'claim_names',
  'access',
  'frontchannel_logout_uri',
  'frontchannel_logout_session_required',
]

/** Only our own storage gives these; a client that registers itself cannot. */
export const clientExtras: NonNullable<Configuration['extraClientMetadata']> = {
  properties: extras,
}

/** Stands where the engine wants a secret; what is compared are hashes (provider.ts). */
const unusableSecret = 'kept-as-a-hash-and-never-compared'

/** `types` are those that the engine at hand knows; a client may ask for those of its APIs (RFC 9396 §10). */
export function clientMetadata(client: StoredClient, types?: DetailTypes): Payload {
  return {
    ...client.metadata,
    // A profile holds as a whole, also when it came after what an admin had allowed.
    grant_types: [...client.metadata.grant_types, ...(client.profile ? [] : client.policyGrants)],
    client_id: client.id,
    client_name: client.name,
    ...(usesSecret(client.metadata) ? { client_secret: unusableSecret } : {}),
    authorization_details_types: typesOf(client, types),
    first_party: client.firstParty,
    pkce_required: client.pkceRequired,
    ignores_unknown_resource: client.ignoresUnknownResource,
    apis: client.apis,
    profile: client.profile ?? undefined,
    access_token_seconds: client.accessTokenSeconds ?? undefined,
    refresh_idle_seconds: client.refreshIdleSeconds ?? undefined,
    refresh_total_seconds: client.refreshTotalSeconds ?? undefined,
    refresh_rotation: client.refreshRotation,
    authorization_challenge: client.authorizationChallenge,
    userinfo_acr: client.userinfoAcr ?? undefined,
    userinfo_max_age: client.userinfoMaxAgeSeconds ?? undefined,
    certificate_authorities: client.certificateAuthorities ?? undefined,
    claim_names: client.claimNames ?? undefined,
    access: client.access ?? undefined,
  }
}

/** Never all of them again because those that it was limited to are gone. */
function typesOf({ apis, metadata }: StoredClient, types: DetailTypes = new Map()): string[] {
  const own = new Set(apis.map(({ identifier }) => identifier))
  const { authorization_details_types: limit } = metadata
  return [...types.values()]
    .filter(({ name, api }) => own.has(api.identifier) && (limit?.includes(name) ?? true))
    .map(({ name }) => name)
}
