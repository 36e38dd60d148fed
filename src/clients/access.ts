/** Turns what an admin wrote (`--scope`, `--api`) into standard scopes and APIs. */
import type { Db } from '../database/connection.ts'
import { type Api, listApis } from './apis.ts'
import type { AllowedApi } from './clients.ts'
import { type Problem, shorten } from './rules/problem.ts'
import { isStandardScope, splitScope } from './scopes.ts'

export type Access = {
  /** Standard scopes in their order, for `metadata.scope`. */
  standard: string[]
  apis: AllowedApi[]
}

/**
 * An API is meant by its identifier, or by a scope that no other API has. Of an API whose scopes are named
 * the client gets these, of one that is named alone it gets all. `preferred` settles a scope that several have.
 */
export async function resolveAccess(
  db: Db,
  wanted: {
    scope: string
    apis: string[]
    preferred?: string[]
    /** What of our own API may be named: everything where an admin says so, else what the client has of it. */
    own?: 'any' | AllowedApi[]
  },
): Promise<Access & { problems: Problem[] }> {
  const tokens = splitScope(wanted.scope)
  const standard = tokens.filter(isStandardScope)
  const special = tokens.filter((token) => !isStandardScope(token))
  if (special.length === 0 && wanted.apis.length === 0) return { standard, apis: [], problems: [] }

  const all = await listApis(db)
  const known = all.map((api) => withinReach(api, wanted.own ?? []))
  const problems: Problem[] = []
  const chosen = new Map<string, string[]>()
  for (const identifier of wanted.apis) {
    const api = known.find((one) => one.identifier === identifier)
    if (api?.builtIn && api.scopes.length === 0) problems.push(forAdmins('api', identifier))
    else if (api) chosen.set(identifier, [])
    else {
      problems.push({
        field: 'api',
        code: 'api_unknown',
        message: `${shorten(identifier)} does not exist`,
        fix: 'See `idp apis list`, or make it with `idp apis create IDENTIFIER --scope "…"`.',
      })
    }
  }
  const first = [...chosen.keys(), ...(wanted.preferred ?? [])]
  for (const token of special) {
    const having = known.filter(({ scopes }) => scopes.includes(token))
    const meant = having.filter(({ identifier }) => first.includes(identifier))
    const [only, ...others] = meant.length > 0 ? meant : having
    if (!only) {
      const reserved = all.some(({ scopes }) => scopes.includes(token))
      problems.push(reserved ? forAdmins('scope', token) : unknownScope(token))
    }
    if (only && others.length > 0)
      problems.push(
        ambiguousScope(
          token,
          having.map(({ identifier }) => identifier),
        ),
      )
    else if (only) chosen.set(only.identifier, [...(chosen.get(only.identifier) ?? []), token])
  }
  const apis = known
    .filter(({ identifier }) => chosen.has(identifier))
    .filter((api) => {
      // Whoever is given everything is given what is added later too.
      const whole = api.builtIn && chosen.get(api.identifier)?.length === 0
      if (whole) problems.push(nameScopes(api))
      return !whole
    })
    .map(({ identifier, scopes, tokenLifetimeSeconds }) => {
      const named = chosen.get(identifier) ?? []
      const wholeApi = named.length === 0
      return { identifier, scopes: wholeApi ? scopes : named, tokenLifetimeSeconds, wholeApi }
    })
  return { standard, apis, problems }
}

/** What an app that comes by itself may ask for: scopes, and the APIs that those of them belong to that are not standard. */
export type ScopePolicy = { scopes: string[]; apis: string[] }

/** As an admin wrote it, with the APIs that were meant. Of an API that is named without a scope, all that it has now. */
export async function resolvePolicy(
  db: Db,
  { scopes, apis }: ScopePolicy,
): Promise<{ policy: ScopePolicy; problems: Problem[] }> {
  const access = await resolveAccess(db, { scope: scopes.join(' '), apis })
  const whole = access.apis.filter(({ wholeApi }) => wholeApi)
  const policy = {
    scopes: [...new Set([...scopes, ...whole.flatMap((api) => api.scopes)])],
    apis: access.apis.map(({ identifier }) => identifier),
  }
  return { policy, problems: access.problems }
}

/** What is left of a policy: an API may have gone, or lost a scope, and nobody is refused for that. */
export async function livingScopes(db: Db, { scopes, apis }: ScopePolicy): Promise<string[]> {
  if (scopes.every(isStandardScope)) return scopes
  const meant = (await listApis(db)).filter(
    ({ identifier, builtIn }) => apis.includes(identifier) && !builtIn,
  )
  return scopes.filter(
    (scope) => isStandardScope(scope) || meant.some((api) => api.scopes.includes(scope)),
  )
}

/** Replaces what the client may call. */
export async function storeApis(db: Db, clientId: string, apis: AllowedApi[]): Promise<void> {
  await db.deleteFrom('clientApis').where('clientId', '=', clientId).execute()
  if (apis.length === 0) return
  await db
    .insertInto('clientApis')
    .values(
      apis.map(({ identifier, scopes, wholeApi }) => ({
        clientId,
        apiIdentifier: identifier,
        scopes: wholeApi ? null : scopes,
      })),
    )
    .execute()
}

/** Of our own API only what may be named here. */
function withinReach(api: Api, own: 'any' | AllowedApi[]): Api {
  if (!api.builtIn || own === 'any') return api
  const held = own.find(({ identifier }) => identifier === api.identifier)?.scopes ?? []
  return { ...api, scopes: api.scopes.filter((scope) => held.includes(scope)) }
}

function forAdmins(field: 'api' | 'scope', name: string): Problem {
  return {
    field,
    code: 'for_admins_to_allow',
    message: `contains ${shorten(name)}, which only an admin allows an app`,
    fix: 'idp clients update APP --scope "…"',
  }
}

function nameScopes({ identifier, scopes }: Api): Problem {
  return {
    field: 'api',
    code: 'scopes_missing',
    message: `${shorten(identifier)} is our own, of which nobody gets everything`,
    fix: `Name what is needed of --scope "${scopes.join(' ')}".`,
  }
}

function unknownScope(token: string): Problem {
  return {
    field: 'scope',
    code: 'scope_unknown',
    message: `contains ${shorten(token)}, which nobody offers`,
    fix: 'Use openid profile email address phone groups roles permissions service_settings offline_access, or scopes of an API (`idp apis list`).',
  }
}

function ambiguousScope(token: string, identifiers: string[]): Problem {
  return {
    field: 'scope',
    code: 'scope_ambiguous',
    message: `contains ${shorten(token)}, which several APIs have: ${identifiers.join(', ')}`,
    fix: 'Say which one with --api IDENTIFIER.',
  }
}
