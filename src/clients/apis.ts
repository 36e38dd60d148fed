/** APIs (resource servers, RFC 8707): what a token may be for, and which scopes it may carry there. */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { type Problem, shorten } from './rules/problem.ts'
import { isScopeToken, reservedScopes } from './scopes.ts'

export type Api = {
  /** An absolute URI; it becomes the audience of its tokens, letter by letter. */
  identifier: string
  name: string
  scopes: string[]
  tokenLifetimeSeconds: number
  createdAt: Date
}

export const defaultTokenLifetimeSeconds = 600
const lifetimes = { min: 30, max: 86_400 }
const columns = ['identifier', 'name', 'scopes', 'tokenLifetimeSeconds', 'createdAt'] as const

export function findApi(db: Db, identifier: string): Promise<Api | undefined> {
  return db
    .selectFrom('apis')
    .select(columns)
    .where('identifier', '=', identifier)
    .executeTakeFirst()
}

export function listApis(db: Db): Promise<Api[]> {
  return db.selectFrom('apis').select(columns).orderBy('identifier').execute()
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
    const {
      identifier,
      name = identifier,
      scopes,
      tokenLifetimeSeconds = defaultTokenLifetimeSeconds,
    } = input
    const api = await trx
      .insertInto('apis')
      .values({ identifier, name, scopes: [...new Set(scopes)], tokenLifetimeSeconds })
      .onConflict((conflict) => conflict.doNothing())
      .returning(columns)
      .executeTakeFirst()
    if (!api) {
      const existing = (await findApi(trx, identifier)) as Api
      return ifNotExists
        ? { ok: true, created: false, api: existing }
        : { ok: false, reason: 'taken', api: existing }
    }
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'api.created',
      actor,
      origin,
      detail: { identifier, scopes, tokenLifetimeSeconds },
    })
    return { ok: true, created: true, api }
  })
}

/** Clients lose it with it. False when there is none. */
export function deleteApi(
  db: Db,
  identifier: string,
  { actor, origin }: Options,
): Promise<boolean> {
  return transact(db, async (trx) => {
    const { numDeletedRows } = await trx
      .deleteFrom('apis')
      .where('identifier', '=', identifier)
      .executeTakeFirst()
    if (numDeletedRows === 0n) return false
    // Otherwise an API made anew under this name would inherit what people allowed for the old one.
    await sql`update grants set resources = resources - ${identifier}::text where resources ? ${identifier}`.execute(
      trx,
    )
    await sql`update consents set resources = resources - ${identifier}::text where resources ? ${identifier}`.execute(
      trx,
    )
    await bumpVersion(trx, 'clients')
    await record(trx, { type: 'api.deleted', actor, origin, detail: { identifier } })
    return true
  })
}

function checkApi(
  { identifier, name, scopes, tokenLifetimeSeconds }: ApiInput,
  issuer?: string,
): Problem[] {
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  const absolute = /^(https?:\/\/[^/]|urn:)/.test(identifier) && URL.canParse(identifier)
  if (!absolute || /[^\x21-\x7e]/.test(identifier) || identifier.length > 500) {
    add(
      'identifier',
      'identifier_malformed',
      `${shorten(identifier)} is not an absolute URI`,
      'Use the address of the API, such as https://api.example.org.',
    )
  } else if (identifier.includes('#') || identifier.includes('@')) {
    add(
      'identifier',
      'identifier_malformed',
      `${shorten(identifier)} has a fragment or a user name`,
      'Remove # and what follows, and everything up to @ (RFC 8707 §2).',
    )
  } else if (issuer !== undefined && identifier.replace(/\/+$/, '') === issuer) {
    add(
      'identifier',
      'identifier_reserved',
      'is our own issuer',
      'Use the address of the API itself.',
    )
  }
  if (
    name !== undefined &&
    (name.trim() === '' || [...name].length > 80 || /[\p{C}<>]/u.test(name))
  ) {
    add(
      'name',
      'name_characters',
      'is empty, longer than 80 characters or not plain text',
      'Use letters, digits, spaces and plain punctuation.',
    )
  }
  for (const scope of scopes.filter((token) => !isScopeToken(token))) {
    add(
      'scope',
      'scope_malformed',
      `${shorten(scope)} is not a scope`,
      'Use letters, digits and punctuation without spaces, quotes and backslashes (RFC 6749 §3.3).',
    )
  }
  for (const scope of scopes.filter((token) => reservedScopes.includes(token))) {
    add(
      'scope',
      'scope_reserved',
      `${shorten(scope)} belongs to OpenID Connect`,
      'Choose another name, such as files:read.',
    )
  }
  const { min, max } = lifetimes
  if (
    tokenLifetimeSeconds !== undefined &&
    (!Number.isInteger(tokenLifetimeSeconds) ||
      tokenLifetimeSeconds < min ||
      tokenLifetimeSeconds > max)
  ) {
    add(
      'token_lifetime',
      'lifetime_out_of_range',
      `is ${tokenLifetimeSeconds} seconds`,
      `Use ${min} to ${max}; such tokens cannot be called back before they end.`,
    )
  }
  return problems
}
