/**
 * Assertions as grants (RFC 7523 §2.1): a client brings what a trusted issuer signed about a person (clients/issuers.ts)
 * and gets an access token for that person. Each assertion is good once, for us alone, and for minutes.
 */
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JWTPayload,
  jwtVerify,
} from 'jose'
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { type Account, findAccount, findByIdentifier } from '../accounts/accounts.ts'
import { canonicalEmail } from '../accounts/email.ts'
import { findIssuer, type TrustedIssuer } from '../clients/issuers.ts'
import { checkKeySet, type KeySet } from '../clients/rules/keys.ts'
import { isStandardScope } from '../clients/scopes.ts'
import type { Db } from '../database/connection.ts'
import type { Queryable } from '../sessions/reads.ts'
import type { ClientCache } from './client-cache.ts'
import { issueDerived, type Target } from './derived-tokens.ts'
import { furthestFutureSeconds } from './dpop.ts'
import { demandEntry } from './entry.ts'
import type { FindCertificate } from './mutual-tls.ts'
import type { EngineFetch } from './outgoing-fetch.ts'
import { provePossession } from './possession.ts'
import { allowedApis } from './resources.ts'

export const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
export const bearerParameters = ['assertion', 'scope', 'resource']

/** FAPI 2.0 §5.3.2.1: clocks may differ by so much. */
const toleranceSeconds = 10
const longestAssertion = 8192
const longestId = 256

type Deps = {
  issuer: string
  db: Db
  pool: Queryable
  clients: ClientCache
  fetch: EngineFetch
  findCertificate: FindCertificate
}

export type Accepted = { accountId: string; issuer: string; scopes: string[]; resource?: string }

/** Answers the request, and gives what was accepted, for the audit. Throws `invalid_grant` for a bad assertion. */
export function createJwtBearer({ issuer: us, db, pool, clients, fetch, findCertificate }: Deps) {
  return async (ctx: KoaContextWithOIDC): Promise<Accepted> => {
    const client = ctx.oidc.client as Client
    const { assertion, scope = '', resource } = (ctx.oidc.params ?? {}) as Record<string, unknown>
    if (client.clientAuthMethod === 'none') {
      throw new errors.UnauthorizedClient('a public client may not bring assertions')
    }
    if (typeof assertion !== 'string') throw new errors.InvalidRequest('assertion is missing')
    const shown = await provePossession(ctx, findCertificate)
    const trusted = await issuerOf(assertion, client)
    const claims = await verified(assertion, trusted)
    const account = await accountOf(claims, trusted.subject)
    await demandEntry({ clients, pool }, client.clientId, account.id)
    const target = resource === undefined ? undefined : await targetOf(client, String(resource))
    const scopes = scopesOf(client, trusted, target, String(scope))
    await spend(ctx, trusted, claims)
    const issued = await issueDerived(ctx, {
      accountId: account.id,
      ...(target ? { target } : {}),
      scopes,
      // How long a token lives is ours to say; the assertion has been used up.
      until: Number.POSITIVE_INFINITY,
      claims: {},
      shown,
    })
    ctx.body = issued
    return {
      accountId: account.id,
      issuer: trusted.issuer,
      scopes,
      ...(target ? { resource: target.audience } : {}),
    }
  }

  async function issuerOf(assertion: string, client: Client): Promise<TrustedIssuer> {
    if (assertion.length > longestAssertion) throw refuse('the assertion is too long')
    let iss: unknown
    try {
      const { typ } = decodeProtectedHeader(assertion)
      // Access tokens, proofs and logout tokens say what they are; none of them is an assertion.
      if (typ !== undefined && typ !== 'JWT') throw refuse('the assertion is of another type')
      iss = decodeJwt(assertion).iss
    } catch (error) {
      throw error instanceof errors.InvalidGrant ? error : refuse('the assertion is no JWT')
    }
    const found = typeof iss === 'string' ? await findIssuer(db, iss, client.clientId) : undefined
    if (!found)
      throw refuse(`nobody said to trust ${JSON.stringify(iss)?.slice(0, 200)} for this client`)
    return found
  }

  async function verified(assertion: string, trusted: TrustedIssuer): Promise<JWTPayload> {
    const keys = trusted.jwks ?? (await fetchKeys(String(trusted.jwksUri)))
    let payload: JWTPayload
    try {
      const set = createLocalJWKSet(keys as never)
      const { issuer, algorithms } = trusted
      const options = { issuer, algorithms, clockTolerance: toleranceSeconds }
      ;({ payload } = await jwtVerify(assertion, set, options))
    } catch (error) {
      throw refuse((error as Error).message)
    }
    const reason = findFault(payload, trusted)
    if (reason) throw refuse(reason)
    return payload
  }

  function findFault(
    payload: JWTPayload,
    { maxLifetimeSeconds }: TrustedIssuer,
  ): string | undefined {
    const { aud, exp, iat, sub, jti } = payload
    const now = Math.floor(Date.now() / 1000)
    const audiences = [aud ?? []].flat()
    if (audiences.length !== 1 || ![us, `${us}/oauth2/token`].includes(String(audiences[0]))) {
      return 'the assertion is not for us alone'
    }
    if (exp === undefined || iat === undefined) return 'the assertion lacks exp or iat'
    if (iat > now + furthestFutureSeconds) return 'the assertion is from the future'
    if (exp - iat > maxLifetimeSeconds) return 'the assertion lives longer than was allowed'
    if (typeof sub !== 'string' || sub === '') return 'the assertion has no subject'
    if (typeof jti !== 'string' || jti === '' || jti.length > longestId)
      return 'the assertion has no jti'
    return undefined
  }

  async function fetchKeys(uri: string): Promise<KeySet> {
    try {
      const response = await fetch(uri, { method: 'GET' })
      if (response.status !== 200) throw new Error(`answered ${response.status}`)
      const keys = (await response.json()) as KeySet
      const [problem] = checkKeySet(keys)
      if (problem) throw new Error(problem.message)
      return keys
    } catch (error) {
      throw refuse(`the keys of the issuer cannot be read: ${(error as Error).message}`)
    }
  }

  /** Only of people who are here; whoever is unknown stays so. */
  async function accountOf(
    claims: JWTPayload,
    mapping: TrustedIssuer['subject'],
  ): Promise<Account> {
    const account = await candidate(claims, mapping)
    if (account?.status !== 'active') throw refuse('the subject is nobody here')
    return account
  }

  async function candidate(claims: JWTPayload, mapping: TrustedIssuer['subject']) {
    const { sub = '', email, email_verified: proven } = claims
    if (mapping === 'username') return sub.includes('@') ? undefined : findByIdentifier(db, sub)
    if (mapping === 'account') {
      return /^[0-9a-f-]{36}$/.test(sub) ? findAccount(db, sub) : undefined
    }
    // Only the boolean says that an address was proven.
    if (typeof email !== 'string' || proven !== true || !canonicalEmail(email).ok) return undefined
    const account = await findByIdentifier(db, email)
    return account?.emailVerifiedAt ? account : undefined
  }

  async function targetOf(client: Client, resource: string): Promise<Target> {
    const allowed = allowedApis(client).find(({ identifier }) => identifier === resource)
    const api = allowed && (await clients.api(resource))
    if (!api || api.builtIn)
      throw new errors.InvalidTarget('this client may not use the resource, or it does not exist')
    return {
      audience: resource,
      scope: allowed.scopes.join(' '),
      lifetimeSeconds: api.tokenLifetimeSeconds,
      format: api.tokenFormat,
      alg: api.tokenAlg,
    }
  }
}

/** One insert decides: of twenty at once, over any number of processes, one is new. */
async function spend(ctx: KoaContextWithOIDC, { issuer }: TrustedIssuer, claims: JWTPayload) {
  const { ReplayDetection } = ctx.oidc.provider as unknown as {
    ReplayDetection: { unique(issuer: string, jti: string, exp: number): Promise<boolean> }
  }
  // Clients spend ids of their own; a word before the issuer keeps the two apart.
  const fresh = await ReplayDetection.unique(
    `assertion of ${issuer}`,
    String(claims.jti),
    Number(claims.exp) + toleranceSeconds,
  )
  if (!fresh) throw refuse('the assertion was used before')
}

/** Throws `invalid_scope` for more than issuer and client allow. Nothing asked for is all that they allow. */
function scopesOf(
  client: Client,
  trusted: TrustedIssuer,
  target: Target | undefined,
  asked: string,
): string[] {
  const own = target
    ? target.scope.split(' ')
    : (client.scope ?? '').split(' ').filter((scope) => isStandardScope(scope))
  const may = trusted.scopes.filter((scope) => own.includes(scope) && scope !== 'offline_access')
  const wanted = [...new Set(asked.split(' ').filter((scope) => scope !== ''))]
  const beyond = wanted.filter((scope) => !may.includes(scope))
  if (beyond.length > 0 || may.length === 0) {
    throw new errors.InvalidScope(
      'more than the issuer and the client are allowed',
      beyond.join(' ') || asked,
    )
  }
  return wanted.length > 0 ? wanted : may
}

function refuse(reason: string) {
  return new errors.InvalidGrant(reason)
}
