/** Turns what an admin wrote (`--scope`, `--api`) into standard scopes and APIs. */
import type { Db } from '../database/connection.ts'
import { listApis } from './apis.ts'
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
  wanted: { scope: string; apis: string[]; preferred?: string[] },
): Promise<Access & { problems: Problem[] }> {
  const tokens = splitScope(wanted.scope)
  const standard = tokens.filter(isStandardScope)
  const special = tokens.filter((token) => !isStandardScope(token))
  if (special.length === 0 && wanted.apis.length === 0) return { standard, apis: [], problems: [] }

  const known = await listApis(db)
  const problems: Problem[] = []
  const chosen = new Map<string, string[]>()
  for (const identifier of wanted.apis) {
    if (known.some((api) => api.identifier === identifier)) chosen.set(identifier, [])
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
    if (!only) problems.push(unknownScope(token))
    else if (others.length > 0)
      problems.push(
        ambiguousScope(
          token,
          having.map(({ identifier }) => identifier),
        ),
      )
    else chosen.set(only.identifier, [...(chosen.get(only.identifier) ?? []), token])
  }
  const apis = known
    .filter(({ identifier }) => chosen.has(identifier))
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
  const meant = (await listApis(db)).filter(({ identifier }) => apis.includes(identifier))
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

function unknownScope(token: string): Problem {
  return {
    field: 'scope',
    code: 'scope_unknown',
    message: `contains ${shorten(token)}, which nobody offers`,
    fix: 'Use openid profile email address phone groups offline_access, or scopes of an API (`idp apis list`).',
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
