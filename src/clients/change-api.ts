/**
 * Changes and ends an API. What it loses is lost to its clients, to what people allowed and to opaque tokens in the
 * same transaction, so that nothing of it comes back when a scope of that name is made anew; JWTs live to their end.
 */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import { changesOf } from '../audit/changes.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { checkApi } from './api-rules.ts'
import { type Api, findApi, storeType, type TokenAlg, type TokenFormat } from './apis.ts'
import type { AuthorizationType } from './authorization-types.ts'
import { checkBuiltIn } from './own-api.ts'
import type { Problem } from './rules/problem.ts'

/** `scopes` replaces; `addScopes` and `removeScopes` change some. What is undefined stays. */
export type ApiChange = {
  name?: string | undefined
  scopes?: string[] | undefined
  addScopes?: string[] | undefined
  removeScopes?: string[] | undefined
  tokenLifetimeSeconds?: number | undefined
  tokenFormat?: TokenFormat | undefined
  tokenAlg?: TokenAlg | undefined
  /** New, or in place of the one of that name. */
  authorizationType?: AuthorizationType | undefined
  removeTypes?: string[] | undefined
}

/** What a client that may call the API cannot do there any more. */
export type Loss = { clientId: string; client: string; scopes: string[]; whole: boolean }

type By = { actor: Actor; origin?: Origin }

export function changedScopes(api: Pick<Api, 'scopes'>, change: ApiChange): string[] {
  const { scopes = api.scopes, addScopes = [], removeScopes = [] } = change
  return [...new Set([...scopes, ...addScopes])].filter((scope) => !removeScopes.includes(scope))
}

/** Who loses what when these scopes go, or with `whole` the API itself. By name of the client. */
export async function listLosses(
  db: Db,
  identifier: string,
  removed: readonly string[] | 'whole',
): Promise<Loss[]> {
  const { rows } = await sql<{ id: string; name: string; scopes: string[]; limited: boolean }>`
    select c.id, c.name, coalesce(ca.scopes, a.scopes) as scopes, ca.scopes is not null as limited
    from client_apis ca
      join clients c on c.id = ca.client_id join apis a on a.identifier = ca.api_identifier
    where ca.api_identifier = ${identifier} order by lower(c.name)`.execute(db)
  return rows
    .map(({ id, name, scopes, limited }) => {
      const lost = removed === 'whole' ? scopes : scopes.filter((scope) => removed.includes(scope))
      const whole = removed === 'whole' || (limited && lost.length === scopes.length)
      return { clientId: id, client: name, scopes: lost, whole }
    })
    .filter(({ scopes, whole }) => whole || scopes.length > 0)
}

/**
 * Undefined when there is no such API. Clients that may use all of it gain what is added; those that are limited to some
 * scopes keep theirs, and one that has none left may not call it any more. Throws `authorization_type_taken` (409).
 */
export function updateApi(
  db: Db,
  identifier: string,
  change: ApiChange,
  { actor, origin }: By,
): Promise<
  | { ok: true; api: Api; changed: string[]; losses: Loss[] }
  | { ok: false; problems: Problem[] }
  | undefined
> {
  return transact(db, async (trx) => {
    await sql`select 1 from apis where identifier = ${identifier} for update`.execute(trx)
    const before = await findApi(trx, identifier)
    if (!before) return undefined
    const { authorizationType: type, removeTypes = [] } = change
    const scopes = changedScopes(before, change)
    const next = {
      name: change.name ?? before.name,
      scopes,
      tokenLifetimeSeconds: change.tokenLifetimeSeconds ?? before.tokenLifetimeSeconds,
      tokenFormat: change.tokenFormat ?? before.tokenFormat,
      tokenAlg: change.tokenAlg ?? before.tokenAlg,
    }
    const problems = checkApi({ identifier, ...next, authorizationType: type })
    problems.push(...unknownTypes(before, removeTypes))
    const changed = Object.entries(next)
      .filter(([name, value]) => `${value}` !== `${before[name as keyof typeof next]}`)
      .map(([name]) => name)
    if (type || removeTypes.length > 0) changed.push('authorizationTypes')
    problems.push(...checkBuiltIn(before, changed))
    if (problems.length > 0) return { ok: false, problems }
    if (changed.length === 0) return { ok: true, api: before, changed, losses: [] }

    const removed = before.scopes.filter((scope) => !scopes.includes(scope))
    const losses = await listLosses(trx, identifier, removed)
    await trx
      .updateTable('apis')
      .set({ ...next, updatedAt: sql<Date>`now()` })
      .where('identifier', '=', identifier)
      .execute()
    if (type) await storeType(trx, identifier, type)
    if (removeTypes.length > 0) {
      await trx
        .deleteFrom('authorizationTypes')
        .where('apiIdentifier', '=', identifier)
        .where('name', 'in', removeTypes)
        .execute()
    }
    if (removed.length > 0) await takeScopes(trx, identifier, removed)
    if (removed.length > 0 || removeTypes.length > 0) await endOpaqueTokens(trx, identifier)
    const api = (await findApi(trx, identifier)) as Api
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'api.updated',
      actor,
      origin,
      detail: {
        identifier,
        changed,
        removed,
        losses: losses.map(({ clientId }) => clientId),
        ...changesOf(before, api, changed),
      },
    })
    return { ok: true, api, changed, losses }
  })
}

/** Clients lose it with it. Undefined when there is none, and for our own, which stays. */
export function deleteApi(
  db: Db,
  identifier: string,
  { actor, origin }: By,
): Promise<{ losses: Loss[] } | undefined> {
  return transact(db, async (trx) => {
    const losses = await listLosses(trx, identifier, 'whole')
    const { numDeletedRows } = await trx
      .deleteFrom('apis')
      .where('identifier', '=', identifier)
      .where('builtIn', '=', false)
      .executeTakeFirst()
    if (numDeletedRows === 0n) return undefined
    // Otherwise an API made anew under this name would inherit what people allowed for the old one.
    for (const table of ['grants', 'consents']) {
      await sql`update ${sql.table(table)} set resources = resources - ${identifier}::text
        where resources ? ${identifier}`.execute(trx)
    }
    await endOpaqueTokens(trx, identifier)
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'api.deleted',
      actor,
      origin,
      detail: { identifier, losses: losses.map(({ clientId }) => clientId) },
    })
    return { losses }
  })
}

/** From the clients that are limited to some, and from what people allowed. */
async function takeScopes(trx: Db, identifier: string, removed: string[]): Promise<void> {
  await sql`
    update client_apis
    set scopes = array(select kept from unnest(scopes) with ordinality as given (kept, place)
      where kept <> all (${removed}::text[]) order by place)
    where api_identifier = ${identifier} and scopes && ${removed}::text[]`.execute(trx)
  // No scope at all is written as an empty list and means none; absent would mean all of them.
  await sql`delete from client_apis where api_identifier = ${identifier} and scopes = '{}'`.execute(
    trx,
  )
  for (const table of ['grants', 'consents']) {
    await sql`
      update ${sql.table(table)} set resources = jsonb_set(resources, array[${identifier}]::text[], to_jsonb(
        array_to_string(array(
          select kept from unnest(string_to_array(resources ->> ${identifier}, ' ')) as kept
          where kept <> all (${removed}::text[])), ' ')))
      where resources ? ${identifier}`.execute(trx)
  }
}

async function endOpaqueTokens(trx: Db, identifier: string): Promise<void> {
  await sql`delete from access_tokens where rest ->> 'aud' = ${identifier}`.execute(trx)
  await sql`delete from client_credentials where rest ->> 'aud' = ${identifier}`.execute(trx)
}

function unknownTypes(api: Api, removed: string[]): Problem[] {
  return removed
    .filter((name) => !api.authorizationTypes.some((type) => type.name === name))
    .map((name) => ({
      field: 'authorization_type',
      code: 'type_unknown',
      message: `${name} is not a type of this API`,
      fix: 'See: idp apis get IDENTIFIER',
    }))
}
