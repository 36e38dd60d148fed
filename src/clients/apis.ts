/**
 * APIs (resource servers, RFC 8707): what a token may be for, and what it may carry there. Changing and deleting one is
 * change-api.ts.
 */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { AppError } from '../errors.ts'
import { checkApi } from './api-rules.ts'
import type { AuthorizationType } from './authorization-types.ts'
import type { Problem } from './rules/problem.ts'

export type Api = {
  /** An absolute URI; it becomes the audience of its tokens, letter by letter. */
  identifier: string
  name: string
  scopes: string[]
  tokenLifetimeSeconds: number
  /** A JWT that the API verifies by itself, or a value that it asks us about (introspection). */
  tokenFormat: TokenFormat
  /** What signs its JWTs. */
  tokenAlg: TokenAlg
  /** What may be asked for there in detail, by name. */
  authorizationTypes: AuthorizationType[]
  /** Our own (own-api.ts). */
  builtIn: boolean
  createdAt: Date
}

export const tokenFormats = ['jwt', 'opaque'] as const
export const tokenAlgs = ['RS256', 'ES256', 'EdDSA'] as const
export type TokenFormat = (typeof tokenFormats)[number]
export type TokenAlg = (typeof tokenAlgs)[number]

export const defaultTokenLifetimeSeconds = 600
const columns = [
  'identifier',
  'name',
  'scopes',
  'tokenLifetimeSeconds',
  'tokenFormat',
  'tokenAlg',
  'builtIn',
  'createdAt',
] as const
const types = sql<AuthorizationType[]>`coalesce((
  select json_agg(json_build_object('name', t.name, 'schema', t.schema) order by t.name)
  from authorization_types t where t.api_identifier = apis.identifier), '[]')`

/** `lock` holds other changes of it back until the transaction ends. */
export async function findApi(
  db: Db,
  identifier: string,
  { lock = false } = {},
): Promise<Api | undefined> {
  if (lock) await sql`select 1 from apis where identifier = ${identifier} for update`.execute(db)
  return db
    .selectFrom('apis')
    .select(columns)
    .select(types.as('authorizationTypes'))
    .where('identifier', '=', identifier)
    .executeTakeFirst()
}

export function listApis(db: Db): Promise<Api[]> {
  return db
    .selectFrom('apis')
    .select(columns)
    .select(types.as('authorizationTypes'))
    .orderBy('identifier')
    .execute()
}

/** The clients that may call it, by name. */
export function listApiClients(
  db: Db,
  identifier: string,
): Promise<{ id: string; name: string }[]> {
  return db
    .selectFrom('clientApis')
    .innerJoin('clients', 'clients.id', 'clientApis.clientId')
    .select(['clients.id', 'clients.name'])
    .where('apiIdentifier', '=', identifier)
    .orderBy('clients.name')
    .execute()
}

export type ApiInput = {
  identifier: string
  name?: string | undefined
  scopes: string[]
  tokenLifetimeSeconds?: number | undefined
  tokenFormat?: TokenFormat | undefined
  tokenAlg?: TokenAlg | undefined
  authorizationType?: AuthorizationType | undefined
}

type Options = { actor: Actor; origin?: Origin; ifNotExists?: boolean; issuer?: string }

/** With `ifNotExists` an API that is there is the answer, unchanged. */
export function createApi(
  db: Db,
  input: ApiInput,
  { actor, origin, ifNotExists = false, issuer }: Options,
): Promise<
  | { ok: true; created: boolean; api: Api }
  | { ok: false; reason: 'invalid'; problems: Problem[] }
  | { ok: false; reason: 'taken'; api: Api }
> {
  return transact(db, async (trx) => {
    const problems = checkApi(input, issuer)
    if (problems.length > 0) return { ok: false, reason: 'invalid', problems }
    const { identifier, name = identifier, scopes, tokenFormat, tokenAlg } = input
    const { tokenLifetimeSeconds = defaultTokenLifetimeSeconds } = input
    const made = await trx
      .insertInto('apis')
      .values({
        identifier,
        name,
        scopes: [...new Set(scopes)],
        tokenLifetimeSeconds,
        tokenFormat,
        tokenAlg,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('identifier')
      .executeTakeFirst()
    if (!made) {
      const existing = (await findApi(trx, identifier)) as Api
      return ifNotExists
        ? { ok: true, created: false, api: existing }
        : { ok: false, reason: 'taken', api: existing }
    }
    const { authorizationType: type } = input
    if (type) await storeType(trx, identifier, type)
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'api.created',
      actor,
      origin,
      detail: { identifier, scopes, tokenLifetimeSeconds, authorizationType: type?.name },
    })
    return { ok: true, created: true, api: (await findApi(trx, identifier)) as Api }
  })
}

/** New or replaced. Throws `authorization_type_taken` (409) when another API has a type of that name. */
export async function storeType(
  trx: Db,
  identifier: string,
  { name, schema }: AuthorizationType,
): Promise<void> {
  const stored = await trx
    .insertInto('authorizationTypes')
    .values({ name, apiIdentifier: identifier, schema: JSON.stringify(schema) })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet((row) => ({ schema: row.ref('excluded.schema') }))
        .where('authorizationTypes.apiIdentifier', '=', identifier),
    )
    .returning('name')
    .executeTakeFirst()
  if (stored) return
  const detail = `Another API has a type ${name} already; a request names it without its API.`
  throw new AppError('authorization_type_taken', 409, { detail })
}
