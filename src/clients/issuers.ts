/**
 * Others whose word about a person we take (RFC 7523 §2.1): an identity provider of a partner, a build system. Each for
 * the clients that are named, within the scopes that are named, and about people that we know already.
 */
import { type RawBuilder, sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { listApis } from './apis.ts'
import type { Client } from './clients.ts'
import { checkKeySet, type KeySet } from './rules/keys.ts'
import { type Problem, shorten } from './rules/problem.ts'
import { checkGrantOfProfile } from './rules/profile.ts'
import { theirAlgorithms } from './rules/signatures.ts'
import { findWebUriFault } from './rules/uris.ts'
import { isStandardScope } from './scopes.ts'

/** What the `sub` of an assertion is of ours; `email`: its verified `email` is a verified one here. */
export const subjectMappings = ['account', 'username', 'email'] as const
export type SubjectMapping = (typeof subjectMappings)[number]

export type TrustedIssuer = {
  issuer: string
  jwks: KeySet | null
  jwksUri: string | null
  algorithms: string[]
  subject: SubjectMapping
  scopes: string[]
  maxLifetimeSeconds: number
  clientIds: string[]
  createdAt: Date
}

export type IssuerInput = {
  issuer: string
  jwks?: KeySet | undefined
  jwksUri?: string | undefined
  algorithms: string[]
  subject: SubjectMapping
  scopes: string[]
  maxLifetimeSeconds: number
  clients: Client[]
}

export const defaultAssertionSeconds = 300
const lifetimes = { min: 10, max: 3600 }

type By = { actor: Actor; origin?: Origin; ourIssuer?: string }

export function createIssuer(
  db: Db,
  input: IssuerInput,
  by: By,
): Promise<
  | { ok: true; issuer: TrustedIssuer }
  | { ok: false; reason: 'invalid'; problems: Problem[] }
  | { ok: false; reason: 'taken' }
> {
  return transact(db, async (trx) => {
    // Nobody else's word lets an app into our own API.
    const others = (await listApis(trx)).filter(({ builtIn }) => !builtIn)
    const known = others.flatMap(({ scopes }) => scopes)
    const problems = [
      ...checkIssuer(input, known, by.ourIssuer),
      ...input.clients.flatMap(checkGrantOfProfile),
    ]
    if (problems.length > 0) return { ok: false, reason: 'invalid', problems }
    const { issuer, jwks, jwksUri = null, algorithms, subject, scopes, clients } = input
    const { maxLifetimeSeconds } = input
    const { numInsertedOrUpdatedRows: inserted } = await trx
      .insertInto('trustedIssuers')
      .values({
        issuer,
        jwks: jwks === undefined ? null : JSON.stringify(jwks),
        jwksUri,
        algorithms,
        subject,
        scopes,
        maxLifetimeSeconds,
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst()
    if (inserted === 0n) return { ok: false, reason: 'taken' }
    const clientIds = clients.map(({ id }) => id)
    await trx
      .insertInto('trustedIssuerClients')
      .values(clientIds.map((clientId) => ({ issuer, clientId })))
      .execute()
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'issuer.created',
      actor: by.actor,
      origin: by.origin,
      detail: { issuer, subject, scopes, clientIds, maxLifetimeSeconds },
    })
    return {
      ok: true,
      issuer: (await readIssuers(trx, sql`i.issuer = ${issuer}`))[0] as TrustedIssuer,
    }
  })
}

export function listIssuers(db: Db): Promise<TrustedIssuer[]> {
  return readIssuers(db, sql`true`)
}

/** Where this client may bring its assertions; one statement of the token endpoint. */
export async function findIssuer(
  db: Db,
  issuer: string,
  clientId: string,
): Promise<TrustedIssuer | undefined> {
  const [found] = await readIssuers(
    db,
    sql`i.issuer = ${issuer} and exists (select from trusted_issuer_clients c
      where c.issuer = i.issuer and c.client_id = ${clientId})`,
  )
  return found
}

/** False when there is none. Tokens that are out live to their end. */
export function deleteIssuer(db: Db, issuer: string, by: By): Promise<boolean> {
  return transact(db, async (trx) => {
    const { numDeletedRows } = await trx
      .deleteFrom('trustedIssuers')
      .where('issuer', '=', issuer)
      .executeTakeFirst()
    if (numDeletedRows === 0n) return false
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'issuer.deleted',
      actor: by.actor,
      origin: by.origin,
      detail: { issuer },
    })
    return true
  })
}

async function readIssuers(db: Db, condition: RawBuilder<unknown>): Promise<TrustedIssuer[]> {
  const { rows } = await sql<TrustedIssuer>`
    select i.issuer, i.jwks, i.jwks_uri, i.algorithms, i.subject, i.scopes, i.max_lifetime_seconds,
      array(select c.client_id from trusted_issuer_clients c where c.issuer = i.issuer
        order by c.client_id) as client_ids, i.created_at
    from trusted_issuers i where ${condition} order by i.issuer`.execute(db)
  return rows
}

function checkIssuer(input: IssuerInput, known: string[], ourIssuer?: string): Problem[] {
  const { issuer, jwks, jwksUri, algorithms, scopes, clients, maxLifetimeSeconds } = input
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  if (issuer === '' || issuer.length > 500 || /[^\x21-\x7e]/.test(issuer)) {
    add(
      'issuer',
      'issuer_malformed',
      `${shorten(issuer)} is no issuer`,
      'Give its iss, letter by letter.',
    )
  } else if (issuer === ourIssuer) {
    add('issuer', 'issuer_reserved', 'is our own', 'Use token exchange: idp exchanges allow --help')
  }
  if ((jwks === undefined) === (jwksUri === undefined)) {
    add(
      'jwks',
      'jwks_missing',
      'is missing, or given twice',
      'Give --jwks-file FILE or --jwks-uri URL.',
    )
  }
  if (jwks !== undefined) problems.push(...checkKeySet(jwks))
  const fault = jwksUri === undefined ? undefined : findWebUriFault(jwksUri)
  if (fault) add('jwks_uri', fault.code, fault.message, fault.fix)
  for (const alg of algorithms.filter(
    (name) => !(theirAlgorithms as readonly string[]).includes(name),
  )) {
    add(
      'alg',
      'algorithm_unknown',
      `contains ${shorten(alg)}`,
      `Use ${theirAlgorithms.join(', ')}.`,
    )
  }
  for (const scope of scopes) {
    if (scope === 'offline_access' || !(isStandardScope(scope) || known.includes(scope))) {
      add(
        'scope',
        'scope_unknown',
        `contains ${shorten(scope)}`,
        'Use scopes of an API (`idp apis list`).',
      )
    }
  }
  if (clients.length === 0)
    add('client', 'client_missing', 'is missing', 'Name who may bring its assertions.')
  for (const { id, metadata } of clients) {
    if (metadata.token_endpoint_auth_method !== 'none') continue
    add(
      'client',
      'client_public',
      `${id} is public: anybody could say to be it`,
      'Name a confidential client.',
    )
  }
  const { min, max } = lifetimes
  if (
    !Number.isInteger(maxLifetimeSeconds) ||
    maxLifetimeSeconds < min ||
    maxLifetimeSeconds > max
  ) {
    add(
      'max_lifetime',
      'lifetime_out_of_range',
      `is ${maxLifetimeSeconds} seconds`,
      `Use ${min} to ${max}.`,
    )
  }
  return problems
}
