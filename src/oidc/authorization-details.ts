/**
 * Rich authorization requests (RFC 9396): what is asked for in detail, by types that belong to APIs. People are asked
 * each time, our own apps' included, since two equal details may be two payments; nothing of it is remembered. A token
 * carries what concerns its API.
 */
import { isDeepStrictEqual } from 'node:util'
import type { ValidateFunction } from 'ajv/dist/2020.js'
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import {
  type AuthorizationType,
  compileType,
  type listAuthorizationTypes,
} from '../clients/authorization-types.ts'
import { jsonDepth } from '../json-depth.ts'
import { allowedApis } from './resources.ts'

export type Detail = { type: string; locations?: string[] } & Record<string, unknown>
export type DetailType = AuthorizationType & { api: { identifier: string; name: string } }
export type StoredTypes = Awaited<ReturnType<typeof listAuthorizationTypes>>
export type DetailTypes = ReadonlyMap<string, DetailType & { judge: ValidateFunction }>

/** They travel in tokens, and people read them. */
const longestDetails = 4096
const deepestDetails = 8

/** Those of the database, ready to judge. */
export function compileTypes(types: StoredTypes): DetailTypes {
  return new Map(types.map((type) => [type.name, { ...type, judge: compileType(type) }]))
}

/** The engine's `richAuthorizationRequests`. Refusals are `invalid_authorization_details` (§5). */
export function richAuthorizationRequests(types: DetailTypes) {
  return {
    enabled: true,
    types: Object.fromEntries(
      [...types].map(([name, type]) => [
        name,
        {
          validate: async (ctx: KoaContextWithOIDC, detail: object, client: Client) =>
            assertDetail(type, ctx, detail as Detail, client),
        },
      ]),
    ),
    /** The consent page has shown them: without it nothing is issued for a request that has some. */
    authorizationDetailsForGrantSource: async (ctx: KoaContextWithOIDC) =>
      detailsOf(ctx.oidc.params?.authorization_details),
    authorizationDetailsForAccessToken: async (
      ctx: KoaContextWithOIDC,
      token: object,
      source: object | undefined,
      grantType: unknown,
    ) => forToken(types, ctx, token, source, grantType),
    authorizationDetailsForIntrospection: async (_ctx: KoaContextWithOIDC, token: object) =>
      (token as Carrier).rar,
  }
}

type Carrier = { rar?: Detail[]; resourceServer?: { identifier(): string } }

/** As they stand in a request that was checked. */
export function detailsOf(parameter: unknown): Detail[] {
  return typeof parameter === 'string' ? (JSON.parse(parameter) as Detail[]) : []
}

/** Whose types the request names: what it asks for is for these APIs, also when it names none. */
export function apisOfDetails(types: DetailTypes, parameter: unknown): string[] {
  const apis = detailsOf(parameter).map(({ type }) => types.get(type)?.api.identifier)
  return [...new Set(apis)].filter((identifier) => identifier !== undefined)
}

function assertDetail(
  { name, api, judge }: DetailType & { judge: ValidateFunction },
  ctx: KoaContextWithOIDC,
  detail: Detail,
  client: Client,
): void {
  const refuse = (reason: string): never => {
    throw new errors.InvalidAuthorizationDetails(reason)
  }
  const { authorization_details: written, resource } = ctx.oidc.params ?? {}
  if (String(written).length > longestDetails || jsonDepth(String(written)) > deepestDetails) {
    refuse('authorization_details are too long or nested too deeply')
  }
  if (!allowedApis(client).some(({ identifier }) => identifier === api.identifier)) {
    refuse(`authorization details type ${name} is not allowed for this client`)
  }
  if (resource !== undefined && ![resource].flat().includes(api.identifier)) {
    refuse(`authorization details type ${name} belongs to a resource that was not named`)
  }
  if (detail.locations?.some((location) => location !== api.identifier)) {
    refuse(`authorization details type ${name} belongs to ${api.identifier} alone`)
  }
  if (!judge(detail)) refuse(`authorization details of type ${name}: ${reasonOf(judge)}`)
}

/** In the characters of an `error_description` (RFC 6749 §4.1.2.1). */
function reasonOf({ errors: found }: ValidateFunction): string {
  const { instancePath = '', message = 'do not fit', params = {} } = found?.[0] ?? {}
  const more = params.unevaluatedProperty ?? params.additionalProperty
  const words = `${instancePath} ${message}${more === undefined ? '' : ` (${more})`}`.trim()
  return words.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 200)
}

/**
 * Of what was granted, or of what the request narrows it to (§6), what is for the token's API. A service asks for itself,
 * within the APIs that it was given.
 */
function forToken(
  types: DetailTypes,
  ctx: KoaContextWithOIDC,
  token: Carrier,
  source: Carrier | undefined,
  grantType: unknown,
): Detail[] | undefined {
  const api = token.resourceServer?.identifier()
  const asked = detailsOf(ctx.oidc.params?.authorization_details)
  const granted = source?.rar ?? []
  if (grantType !== 'client_credentials') {
    const beyond = asked.some((detail) => !granted.some((known) => isWithin(detail, known)))
    if (beyond) {
      throw new errors.InvalidAuthorizationDetails('authorization_details exceed what was granted')
    }
  }
  // What was taken from the app meanwhile is not in its next token.
  const allowed = (ctx.oidc.client?.authorizationDetailsTypes ?? []) as string[]
  return (asked.length > 0 ? asked : granted).filter(
    ({ type }) =>
      api !== undefined && types.get(type)?.api.identifier === api && allowed.includes(type),
  )
}

/** What a list of these says is the more the longer it is (§2.2); whatever else differs may mean anything. */
const narrowable = new Set(['locations', 'actions', 'datatypes', 'privileges'])

function isWithin(asked: Detail, granted: Detail): boolean {
  const names = new Set([...Object.keys(asked), ...Object.keys(granted)])
  return [...names].every((name) => {
    const [one, other] = [asked[name], granted[name]]
    if (!narrowable.has(name)) return isDeepStrictEqual(one, other)
    const [few, many] = [one, other] as (string[] | undefined)[]
    return few !== undefined && many !== undefined && few.every((word) => many.includes(word))
  })
}
