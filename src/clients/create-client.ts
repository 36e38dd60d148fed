/** Makes a client out of a preset and the little that an admin adds to it. */
import { randomInt } from 'node:crypto'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import { randomToken, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { resolveAccess, storeApis } from './access.ts'
import { unknownTypes } from './authorization-types.ts'
import { type Client, findClient, getClient } from './clients.ts'
import { runEngineCheck } from './engine-check.ts'
import {
  type ClientMetadata,
  checkMetadata,
  type EngineCheck,
  type Problem,
  usesSecret,
} from './metadata.ts'
import { changedPolicy, noPolicy, type PolicyChange } from './policy.ts'
import { findPreset, type Preset, presetUris } from './presets.ts'
import { withProfile } from './profiles.ts'
import { applySettings, type ProtocolSettings } from './protocol-settings.ts'
import { backchannelGrant, signsPeopleIn } from './rules/grants.ts'
import { checkChallenge } from './rules/step-up.ts'
import type { After } from './store-change.ts'

/** What is not given comes from the profile or the preset. */
export type ClientInput = ProtocolSettings &
  PolicyChange & {
    name: string
    preset: string
    appUrl?: string | undefined
    redirectUris?: string[] | undefined
    postLogoutRedirectUris?: string[] | undefined
    backchannelLogoutUri?: string | undefined
    frontchannelLogoutUri?: string | undefined
    /** Standard scopes and scopes of APIs, separated by spaces. */
    scope?: string | undefined
    /** Identifiers. */
    apis?: string[] | undefined
    /** RFC 7591 names, in place of the preset's. */
    grantTypes?: string[] | undefined
    authMethod?: string | undefined
    pkce?: 'required' | 'optional' | undefined
    jwks?: ClientMetadata['jwks'] | undefined
    jwksUri?: string | undefined
    firstParty?: boolean | undefined
    /** Made from the name when not given. */
    clientId?: string | undefined
  }

export type By = { actor: Actor; origin?: Origin; engineCheck?: EngineCheck | undefined }

export type Refused =
  | { ok: false; reason: 'invalid'; problems: Problem[] }
  | { ok: false; reason: 'taken'; field: 'name' | 'client_id'; client: Client }

/** What a client of this input is, before it is stored, and what speaks against it. */
export type Prepared = { id: string; target: After; problems: Problem[] }

/** Reads and judges; writes nothing. Undefined for an unknown preset. */
export async function prepareClient(
  db: Db,
  given: ClientInput,
  engineCheck?: EngineCheck,
): Promise<Prepared | undefined> {
  const preset = findPreset(given.preset)
  if (!preset) return undefined
  const grantTypes = given.grantTypes ?? [...preset.grantTypes]
  const input = withProfile(given, { grant_types: grantTypes })
  const policy = changedPolicy(noPolicy, input)
  const { problems: unresolved, ...access } = await resolveAccess(db, {
    scope: input.scope ?? preset.scopes.join(' '),
    apis: input.apis ?? [],
    // No preset gives any of it.
    own: input.scope === undefined ? [] : 'any',
  })
  const metadata = draft(input, { ...preset, grantTypes }, access.standard)
  const pkceRequired = (input.pkce ?? preset.pkce) === 'required'
  const firstParty = input.firstParty ?? false
  const id = input.clientId ?? makeId(input.name)
  const problems = [
    ...checkId(id),
    ...unresolved,
    ...checkMetadata(metadata, { pkceRequired, ...policy }),
    ...checkChallenge(metadata, policy, firstParty),
    ...(await unknownTypes(db, input.authorizationTypes, access.apis)),
  ]
  if (problems.length === 0) problems.push(...(await runEngineCheck(engineCheck, id, metadata)))
  const { apis } = access
  const ignoresUnknownResource = preset.ignoresUnknownResource ?? false
  const target = { metadata, pkceRequired, firstParty, apis, ignoresUnknownResource, ...policy }
  return { id, target: { ...target, preset: preset.name }, problems }
}

/**
 * `secret` is in clear here and never again. With `ifNotExists` a client of that name is the answer, unchanged
 * and without its secret, however many ask at once.
 */
export async function createClient(
  db: Db,
  input: ClientInput,
  by: By & { ifNotExists?: boolean },
): Promise<{ ok: true; created: boolean; client: Client; secret?: string } | Refused> {
  const prepared = await prepareClient(db, input, by.engineCheck)
  if (!prepared) return { ok: false, reason: 'invalid', problems: [unknownPreset] }
  const { id, target, problems } = prepared
  if (problems.length > 0) return { ok: false, reason: 'invalid', problems }
  const { metadata, apis, ...columns } = target

  return transact(db, async (trx) => {
    const { numInsertedOrUpdatedRows: inserted } = await trx
      .insertInto('clients')
      .values({
        id,
        name: input.name,
        metadata: JSON.stringify(metadata),
        ...columns,
        disabledAt: null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst()
    if (inserted === 0n)
      return answerTaken(trx, { ...input, clientId: id }, by.ifNotExists ?? false)

    await storeApis(trx, id, apis)
    const secret = usesSecret(metadata) ? await addSecret(trx, id) : undefined
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'client.created',
      actor: by.actor,
      origin: by.origin,
      clientId: id,
      detail: { name: input.name, preset: target.preset, redirectUris: metadata.redirect_uris },
    })
    const client = await getClient(trx, id)
    return { ok: true, created: true, client, ...(secret === undefined ? {} : { secret }) }
  })
}

/** 256 random bits of `[A-Za-z0-9_-]`, which no client library needs to encode. Only the hash is kept. */
export async function addSecret(db: Db, clientId: string): Promise<string> {
  const secret = randomToken(32)
  await db
    .insertInto('clientSecrets')
    .values({ hash: sha256(secret), clientId, expiresAt: null })
    .execute()
  return secret
}

function draft(input: ClientInput, preset: Preset, scopes: string[]): ClientMetadata {
  const known = presetUris(preset, input.appUrl)
  const withCode = preset.grantTypes.includes('authorization_code')
  const grantTypes = withRefresh(unique([...preset.grantTypes]), scopes)
  const metadata: ClientMetadata = {
    client_name: input.name,
    ...(input.appUrl === undefined ? {} : { client_uri: input.appUrl }),
    application_type: preset.applicationType,
    redirect_uris: unique(input.redirectUris ?? (withCode ? known.redirectUris : [])),
    post_logout_redirect_uris: unique(input.postLogoutRedirectUris ?? known.postLogoutRedirectUris),
    ...(input.backchannelLogoutUri === undefined
      ? {}
      : {
          backchannel_logout_uri: input.backchannelLogoutUri,
          backchannel_logout_session_required: true,
        }),
    ...(input.frontchannelLogoutUri === undefined
      ? {}
      : {
          frontchannel_logout_uri: input.frontchannelLogoutUri,
          frontchannel_logout_session_required: true,
        }),
    response_types: withCode ? ['code'] : [],
    grant_types: grantTypes,
    token_endpoint_auth_method: input.authMethod ?? preset.authMethod,
    ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    ...(input.jwks === undefined ? {} : { jwks: input.jwks }),
    ...(input.jwksUri === undefined ? {} : { jwks_uri: input.jwksUri }),
  }
  return applySettings(metadata, withDelivery(input, grantTypes))
}

/** Whoever may stay signed in needs refresh tokens. */
export function withRefresh(grantTypes: string[], scopes: string[]): string[] {
  const needed = signsPeopleIn({ grant_types: grantTypes }) && scopes.includes('offline_access')
  return needed ? unique([...grantTypes, 'refresh_token']) : grantTypes
}

/** CIBA Core §4 has no default; polling works for everybody. */
export function withDelivery<T extends ProtocolSettings>(settings: T, grantTypes: string[]): T {
  if (!grantTypes.includes(backchannelGrant) || settings.backchannelDelivery !== undefined) {
    return settings
  }
  const pings = typeof settings.backchannelNotificationEndpoint === 'string'
  return { ...settings, backchannelDelivery: pings ? 'ping' : 'poll' }
}

async function answerTaken(
  trx: Db,
  input: ClientInput & { clientId: string },
  ifNotExists: boolean,
) {
  const sameName = await findClient(trx, input.name)
  if (sameName && ifNotExists) return { ok: true, created: false, client: sameName } as const
  const client = sameName ?? (await getClient(trx, input.clientId))
  const field = sameName ? 'name' : 'client_id'
  return { ok: false, reason: 'taken', field, client } as const
}

/** Readable in a log, yet never given twice: what was allowed to a deleted app is not allowed to its namesake. */
function makeId(name: string): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz234567'
  const suffix = Array.from({ length: 8 }, () => letters[randomInt(letters.length)]).join('')
  const words = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
  return `${words || 'app'}-${suffix}`
}

function checkId(id: string): Problem[] {
  if (/^[A-Za-z0-9_-]{1,128}$/.test(id)) return []
  return [
    {
      field: 'client_id',
      code: 'client_id_malformed',
      message: 'has characters that apps would have to encode, or too many',
      fix: 'Use up to 128 letters, digits, - and _.',
    },
  ]
}

const unknownPreset: Problem = {
  field: 'preset',
  code: 'preset_unknown',
  message: 'does not exist',
  fix: 'See `idp clients presets`.',
}

export function unique(values: string[]): string[] {
  return [...new Set(values)]
}
