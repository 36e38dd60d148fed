/**
 * Which client may turn which tokens into tokens for whom (RFC 8693). Nobody may without a row, and a row never gives
 * more than it names; what the token that is brought allows is asked beside it (oidc/token-exchange.ts).
 */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { findApi } from './apis.ts'
import { type Client, findClient } from './clients.ts'
import { type Problem, shorten } from './rules/problem.ts'
import { checkGrantOfProfile } from './rules/profile.ts'
import { isScopeToken } from './scopes.ts'

export const exchangeModes = ['impersonation', 'delegation'] as const
export type ExchangeMode = (typeof exchangeModes)[number]

export type Exchange = {
  clientId: string
  /** An API's identifier, or a client's id. */
  audience: string
  audienceKind: 'api' | 'client'
  /** Whose tokens it may bring; null: its own, and those for an API that it serves. */
  sourceClientId: string | null
  mode: ExchangeMode
  /** Null: never more than the token that was brought. */
  scopes: string[] | null
  createdAt: Date
}

export type ExchangeInput = {
  client: Client
  audience: string
  source?: Client | undefined
  mode: ExchangeMode
  scopes?: string[] | undefined
}

type By = { actor: Actor; origin?: Origin }

/** Replaces what was allowed for the same three. */
export function allowExchange(
  db: Db,
  input: ExchangeInput,
  by: By,
): Promise<{ ok: true; exchange: Exchange } | { ok: false; problems: Problem[] }> {
  return transact(db, async (trx) => {
    const { client, source, mode, scopes = null } = input
    const api = await findApi(trx, input.audience)
    const audience = api ? undefined : await findClient(trx, input.audience)
    const problems = [
      ...checkClient(client),
      ...checkGrantOfProfile(client),
      ...(api || audience ? [] : [unknownAudience(input.audience)]),
      ...(api?.builtIn ? [ownAudience] : []),
      ...checkScopes(scopes ?? [], api?.scopes),
    ]
    if (problems.length > 0) return { ok: false, problems }
    const row = {
      clientId: client.id,
      apiIdentifier: api?.identifier ?? null,
      audienceClientId: audience?.id ?? null,
      sourceClientId: source?.id ?? null,
      mode,
      scopes,
    }
    await trx
      .insertInto('tokenExchanges')
      .values(row)
      .onConflict((conflict) =>
        conflict
          .columns(['clientId', 'apiIdentifier', 'audienceClientId', 'sourceClientId'])
          .doUpdateSet({ mode, scopes }),
      )
      .execute()
    await bumpVersion(trx, 'clients')
    const named = { audience: api?.identifier ?? audience?.id ?? '', source: source?.id ?? null }
    await record(trx, {
      type: 'exchange.allowed',
      actor: by.actor,
      origin: by.origin,
      clientId: client.id,
      detail: { ...named, mode, scopes },
    })
    const [exchange] = await readExchanges(
      trx,
      sql`e.client_id = ${client.id} and ${sameAudience(named.audience)}
        and e.source_client_id is not distinct from ${named.source}`,
    )
    return { ok: true, exchange: exchange as Exchange }
  })
}

/** By client, audience and source. */
export function listExchanges(db: Db, clientId?: string): Promise<Exchange[]> {
  return readExchanges(db, clientId === undefined ? sql`true` : sql`e.client_id = ${clientId}`)
}

/** What this client may do for this audience, and for whose tokens; one statement of the token endpoint. */
export function findExchanges(db: Db, clientId: string, audience?: string): Promise<Exchange[]> {
  const forIt = audience === undefined ? sql`true` : sameAudience(audience)
  return readExchanges(db, sql`e.client_id = ${clientId} and ${forIt}`)
}

/** Without `source` the row without one. False when there is none. Tokens that are out live to their end. */
export function removeExchange(
  db: Db,
  {
    clientId,
    audience,
    source,
  }: { clientId: string; audience: string; source?: string | undefined },
  by: By,
): Promise<boolean> {
  return transact(db, async (trx) => {
    const { rows } = await sql`delete from token_exchanges e where e.client_id = ${clientId}
      and ${sameAudience(audience)} and e.source_client_id is not distinct from ${source ?? null}
      returning 1`.execute(trx)
    if (rows.length === 0) return false
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'exchange.removed',
      actor: by.actor,
      origin: by.origin,
      clientId,
      detail: { audience, source: source ?? null },
    })
    return true
  })
}

function sameAudience(audience: string) {
  return sql`coalesce(e.api_identifier, e.audience_client_id) = ${audience}`
}

async function readExchanges(db: Db, condition: ReturnType<typeof sql>): Promise<Exchange[]> {
  const { rows } = await sql<Exchange>`
    select e.client_id, coalesce(e.api_identifier, e.audience_client_id) as audience,
      case when e.api_identifier is null then 'client' else 'api' end as audience_kind,
      e.source_client_id, e.mode, e.scopes, e.created_at
    from token_exchanges e where ${condition}
    order by e.client_id, audience, e.source_client_id nulls first`.execute(db)
  return rows
}

/** RFC 8693 §5: whoever exchanges acts on what it is trusted with, so it has to prove who it is. */
function checkClient({ id, metadata }: Client): Problem[] {
  if (metadata.token_endpoint_auth_method !== 'none') return []
  return [
    {
      field: 'token_endpoint_auth_method',
      code: 'client_public',
      message: `of ${id} is none: anybody could say to be it`,
      fix: 'Let a confidential client exchange, such as one of --preset service.',
    },
  ]
}

const ownAudience: Problem = {
  field: 'audience',
  code: 'audience_built_in',
  message: 'is our own API, for which tokens are not exchanged',
  fix: 'Let the app ask the person itself: idp clients update APP --scope "openid account"',
}

function unknownAudience(audience: string): Problem {
  return {
    field: 'audience',
    code: 'audience_unknown',
    message: `${shorten(audience)} is neither an API nor a client`,
    fix: 'See `idp apis list` and `idp clients list`.',
  }
}

function checkScopes(scopes: string[], ofApi: string[] | undefined): Problem[] {
  return scopes
    .filter(
      (scope) =>
        (ofApi ? !ofApi.includes(scope) : !isScopeToken(scope)) || scope === 'offline_access',
    )
    .map((scope) => ({
      field: 'scope',
      code: 'scope_unknown',
      message: `contains ${shorten(scope)}, which the audience does not have`,
      fix: ofApi ? `Use ${ofApi.join(' ') || 'none'}.` : 'Use what the audience understands.',
    }))
}
