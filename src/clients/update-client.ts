/** Changes a client. What is not named stays; what is taken away is taken from living tokens too. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { type Access, resolveAccess } from './access.ts'
import { unknownTypes } from './authorization-types.ts'
import { type Client, findClient, getClient } from './clients.ts'
import {
  type By,
  type ClientInput,
  type Refused,
  unique,
  withDelivery,
  withRefresh,
} from './create-client.ts'
import { runEngineCheck } from './engine-check.ts'
import { type ClientMetadata, checkMetadata } from './metadata.ts'
import { changedPolicy, type PolicyChange } from './policy.ts'
import { findPreset, presetUris } from './presets.ts'
import { withProfile } from './profiles.ts'
import { applySettings, type ProtocolSettings, withoutLeftovers } from './protocol-settings.ts'
import { backchannelGrant } from './rules/grants.ts'
import { checkChallenge } from './rules/step-up.ts'
import { splitScope } from './scopes.ts'
import { storeChange } from './store-change.ts'

/** Lists replace; `add…` and `remove…` change one entry. Null removes, and of a policy restores what holds for all. */
export type ClientChange = {
  [Field in
    | 'name'
    | 'redirectUris'
    | 'postLogoutRedirectUris'
    | 'scope'
    | 'apis'
    | 'grantTypes'
    | 'authMethod'
    | 'pkce'
    | 'jwks'
    | 'jwksUri'
    | 'firstParty']?: ClientInput[Field] | undefined
} & ProtocolSettings &
  PolicyChange & {
    appUrl?: string | null | undefined
    backchannelLogoutUri?: string | null | undefined
    frontchannelLogoutUri?: string | null | undefined
    addRedirectUris?: string[] | undefined
    removeRedirectUris?: string[] | undefined
  }

/**
 * `secret` is there when the client had none and now needs one. `narrowed` says that its tokens have ended,
 * because it may do less than before. Undefined when there is no such client.
 */
export function updateClient(
  db: Db,
  id: string,
  given: ClientChange,
  by: By,
): Promise<
  | { ok: true; client: Client; changed: string[]; narrowed: boolean; secret?: string }
  | Refused
  | undefined
> {
  return transact(db, async (trx) => {
    const { rows } = await sql`select 1 from clients where id = ${id} for update`.execute(trx)
    if (rows.length === 0) return undefined
    const before = await getClient(trx, id)
    const change = withoutLeftovers(withProfile(given, before.metadata))
    const { problems: unresolved, ...access } = await changedAccess(trx, before, change)
    const metadata = changedMetadata(before, change, access.standard)
    const policy = changedPolicy(before, change)
    const pkceRequired =
      change.pkce === undefined ? before.pkceRequired : change.pkce === 'required'
    const firstParty = change.firstParty ?? before.firstParty
    const problems = [
      ...unresolved,
      ...checkMetadata(metadata, { pkceRequired, ...policy }),
      ...checkChallenge(metadata, policy, firstParty),
      ...(await unknownTypes(trx, change.authorizationTypes, access.apis)),
    ]
    if (problems.length === 0)
      problems.push(...(await runEngineCheck(by.engineCheck, id, metadata)))
    if (problems.length > 0) return { ok: false, reason: 'invalid', problems }

    const { preset, ignoresUnknownResource } = before
    const after = {
      ...{ preset, ignoresUnknownResource, ...policy },
      ...{ metadata, pkceRequired, firstParty, apis: access.apis },
    }
    const namesake = before.registeredWith ? undefined : await findClient(trx, metadata.client_name)
    if (before.name !== metadata.client_name && namesake && namesake.id !== id) {
      return { ok: false, reason: 'taken', field: 'name', client: namesake }
    }
    return { ok: true, ...(await storeChange(trx, before, after, by)) }
  })
}

async function changedAccess(trx: Db, before: Client, change: ClientChange) {
  const standard = splitScope(before.metadata.scope ?? '')
  if (change.scope === undefined && change.apis === undefined) {
    return { standard, apis: before.apis, problems: [] } satisfies Access & { problems: [] }
  }
  const whole = before.apis.filter(({ wholeApi }) => wholeApi)
  return resolveAccess(trx, {
    scope: change.scope ?? standard.join(' '),
    apis: change.apis ?? whole.map(({ identifier }) => identifier),
    preferred: before.apis.map(({ identifier }) => identifier),
    own: 'any',
  })
}

function changedMetadata(before: Client, change: ClientChange, scopes: string[]): ClientMetadata {
  const method = change.authMethod ?? before.metadata.token_endpoint_auth_method
  const grantTypes = withRefresh(change.grantTypes ?? before.metadata.grant_types, scopes)
  const next: Record<string, unknown> = {
    ...before.metadata,
    client_name: change.name ?? before.name,
    token_endpoint_auth_method: method,
    redirect_uris: changedRedirectUris(before, change),
    post_logout_redirect_uris:
      change.postLogoutRedirectUris ?? moved(before, change, 'postLogoutRedirectUris'),
    scope: scopes.length === 0 ? undefined : scopes.join(' '),
    grant_types: grantTypes,
    response_types: grantTypes.includes('authorization_code') ? ['code'] : [],
  }
  const single = {
    client_uri: change.appUrl,
    backchannel_logout_uri: change.backchannelLogoutUri,
    backchannel_logout_session_required: onlyWith(change.backchannelLogoutUri),
    frontchannel_logout_uri: change.frontchannelLogoutUri,
    frontchannel_logout_session_required: onlyWith(change.frontchannelLogoutUri),
    jwks: change.jwks ?? (change.jwksUri && null),
    jwks_uri: change.jwksUri ?? (change.jwks && null),
  }
  for (const [name, value] of Object.entries(single))
    if (value !== undefined) next[name] = value ?? undefined
  const kept = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined))
  return applySettings(kept as ClientMetadata, deliveryOf(before, change, grantTypes))
}

/** What is set stays with the grant, and goes with it. */
function deliveryOf(before: Client, change: ClientChange, grantTypes: string[]): ClientChange {
  if (!grantTypes.includes(backchannelGrant)) {
    if (!change.grantTypes) return change
    return {
      ...change,
      backchannelDelivery: change.backchannelDelivery ?? null,
      backchannelNotificationEndpoint: change.backchannelNotificationEndpoint ?? null,
      backchannelRequestAlg: change.backchannelRequestAlg ?? null,
    }
  }
  const { backchannel_token_delivery_mode: mode } = before.metadata
  if (change.backchannelDelivery === 'poll' && mode === 'ping') {
    const endpoint = change.backchannelNotificationEndpoint ?? null
    return { ...change, backchannelNotificationEndpoint: endpoint }
  }
  const asked = change.backchannelDelivery !== undefined || !change.backchannelNotificationEndpoint
  return mode !== undefined && asked ? change : withDelivery(change, grantTypes)
}

/** The logout token names the session wherever there is a place to send one. */
function onlyWith(uri: string | null | undefined): true | null | undefined {
  return typeof uri === 'string' ? true : uri
}

function changedRedirectUris(before: Client, change: ClientChange): string[] {
  const { addRedirectUris = [], removeRedirectUris = [] } = change
  const base = change.redirectUris ?? moved(before, change, 'redirectUris')
  return unique([...base, ...addRedirectUris]).filter((uri) => !removeRedirectUris.includes(uri))
}

/** When the app moves, the addresses that the preset had derived move with it; others stay. */
function moved(
  before: Client,
  change: ClientChange,
  kind: 'redirectUris' | 'postLogoutRedirectUris',
): string[] {
  const kept =
    kind === 'redirectUris'
      ? before.metadata.redirect_uris
      : before.metadata.post_logout_redirect_uris
  const preset = findPreset(before.preset)
  if (!change.appUrl || !preset) return kept
  const old = presetUris(preset, before.metadata.client_uri)[kind]
  return unique([
    ...kept.filter((uri) => !old.includes(uri)),
    ...presetUris(preset, change.appUrl)[kind],
  ])
}
