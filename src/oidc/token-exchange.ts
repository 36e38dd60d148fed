/**
 * Token exchange (RFC 8693): a client brings a living token of a person and gets one for an API or client further on,
 * as far as an admin allowed this client (clients/exchanges.ts) and the token itself reaches. What comes out is for one
 * audience, carries no more scope, lives no longer, and says who acts where it was allowed as delegation.
 */
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { type Exchange, findExchanges } from '../clients/exchanges.ts'
import type { Db } from '../database/connection.ts'
import type { Queryable } from '../sessions/reads.ts'
import type { ClientCache } from './client-cache.ts'
import { issueDerived, type Target } from './derived-tokens.ts'
import { demandEntry } from './entry.ts'
import type { FindCertificate } from './mutual-tls.ts'
import type { Act, OwnToken, TokenReader } from './own-tokens.ts'
import { holdsKeyOf, type Possession, provePossession } from './possession.ts'
import { servesApi } from './resources.ts'

export const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
const tokenType = 'urn:ietf:params:oauth:token-type:'
const accessTokenType = `${tokenType}access_token`

export const exchangeParameters = [
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'resource',
  'audience',
  'scope',
]
/** May come several times; more than one audience is refused in words. */
export const repeatableParameters = ['resource', 'audience']

/** How many have acted, the one of this request included. */
const longestChain = 5

type Deps = {
  db: Db
  pool: Queryable
  clients: ClientCache
  tokens: TokenReader
  findCertificate: FindCertificate
}

export type Exchanged = { exchange: Exchange; subject: OwnToken; scopes: string[] }

/** Answers the request, and gives what was exchanged, for the audit. Throws the errors of §2.2.2. */
export function createTokenExchange({ db, pool, clients, tokens, findCertificate }: Deps) {
  return async (ctx: KoaContextWithOIDC): Promise<Exchanged> => {
    const client = ctx.oidc.client as Client
    const params = (ctx.oidc.params ?? {}) as Record<string, string | string[] | undefined>
    if (client.clientAuthMethod === 'none') {
      throw new errors.UnauthorizedClient('a public client may not exchange tokens')
    }
    const wanted = params.requested_token_type
    if (wanted !== undefined && wanted !== accessTokenType && wanted !== `${tokenType}jwt`) {
      throw new errors.InvalidRequest('requested_token_type is not supported')
    }
    const shown = await provePossession(ctx, findCertificate)
    const subject = await present(params, 'subject', shown)
    if (!subject?.accountId || !subject.grant) throw unacceptable('subject', 'it is of no person')
    const exchange = await allowed(ctx, subject, audienceOf(params))
    const actor = await present(params, 'actor', shown)
    const act = actAs(client, exchange, subject, actor)
    await demandEntry({ clients, pool }, client.clientId, subject.accountId)
    if (exchange.audienceKind === 'client')
      await demandEntry({ clients, pool }, exchange.audience, subject.accountId)
    const target = await targetOf(exchange)
    if (wanted === `${tokenType}jwt` && target.format !== 'jwt') {
      throw new errors.InvalidRequest('requested_token_type is not supported for this audience')
    }
    const scopes = scopesOf(exchange, subject, target, String(params.scope ?? ''))
    const issued = await issueDerived(ctx, {
      accountId: subject.accountId,
      target,
      scopes,
      until: subject.expiresAt,
      parent: subject.grant,
      held: heldBy(subject),
      claims: { ...subject.proven, ...(act ? { act } : {}) },
      shown,
    })
    ctx.body = {
      ...issued,
      issued_token_type: wanted ?? accessTokenType,
    }
    return { exchange, subject, scopes }
  }

  /** The token in `<who>_token`, alive and, where it is bound to a key, proven. */
  async function present(
    params: Record<string, string | string[] | undefined>,
    who: 'subject' | 'actor',
    shown: Possession,
  ): Promise<OwnToken | undefined> {
    const [value, type] = [params[`${who}_token`], params[`${who}_token_type`]]
    if (value === undefined && type === undefined && who === 'actor') return undefined
    if (typeof value !== 'string' || typeof type !== 'string') {
      throw new errors.InvalidRequest(`${who}_token and ${who}_token_type come together`)
    }
    const read = new Map([
      [accessTokenType, tokens.accessToken],
      [`${tokenType}id_token`, tokens.idToken],
    ]).get(type)
    if (!read) throw new errors.InvalidRequest(`${who}_token_type is not supported`)
    const token = await read(value)
    if (!token) throw unacceptable(who, 'it is not a token of ours of that type, or has ended')
    if (!holdsKeyOf(token.cnf, shown))
      throw unacceptable(who, 'it is bound to a key that was not shown')
    return token
  }

  async function allowed(
    { oidc: { client, issuer } }: KoaContextWithOIDC,
    subject: OwnToken,
    audience: string | undefined,
  ) {
    if (!client) throw new errors.InvalidClient('client authentication is needed')
    const mayHold =
      subject.clientId === client.clientId ||
      servesApi(client, subject.audience, issuer) ||
      subject.audience === client.clientId
    const rows = (await findExchanges(db, client.clientId, audience)).filter(
      ({ sourceClientId }) =>
        sourceClientId === null ? mayHold : sourceClientId === subject.clientId,
    )
    // What was said of this very source counts before what holds for any.
    const [first] = rows.toSorted(
      (a, b) => Number(b.sourceClientId !== null) - Number(a.sourceClientId !== null),
    )
    if (!first)
      throw new errors.InvalidTarget('this client may not exchange this token for that audience')
    if (new Set(rows.map((row) => row.audience)).size > 1) {
      throw new errors.InvalidTarget('name the audience by resource or audience')
    }
    return first
  }

  async function targetOf({ audience, audienceKind }: Exchange): Promise<Target> {
    if (audienceKind === 'client') {
      if (await clients.client(audience)) return { audience, scope: '', format: 'opaque' }
    } else {
      const api = await clients.api(audience)
      if (api && !api.builtIn) {
        return {
          audience,
          scope: api.scopes.join(' '),
          lifetimeSeconds: api.tokenLifetimeSeconds,
          format: api.tokenFormat,
          alg: api.tokenAlg,
        }
      }
    }
    throw new errors.InvalidTarget('the audience does not exist')
  }
}

/** §2.2.2: a token that is not acceptable is an invalid request. Why, `idp explain` says. */
function unacceptable(who: string, reason: string): Error {
  return new errors.InvalidRequest(
    `the ${who} token is not acceptable`,
    400,
    `${who} token: ${reason}`,
  )
}

function audienceOf({ resource, audience }: Record<string, string | string[] | undefined>) {
  const named = new Set([resource ?? [], audience ?? []].flat())
  if (named.size > 1) throw new errors.InvalidTarget('a token is for one audience')
  return [...named][0]
}

/** Undefined where nobody is said to act. Who acted before stays, whatever the mode. */
function actAs(
  client: Client,
  { mode }: Exchange,
  subject: OwnToken,
  actor: OwnToken | undefined,
): Act | undefined {
  const { mayAct, act: before } = subject
  if (actor && actor.clientId !== client.clientId) {
    throw unacceptable('actor', 'it was given to another client')
  }
  if (actor && mode === 'impersonation') throw unacceptable('actor', 'the policy is impersonation')
  const self = actor
    ? { sub: actor.sub, client_id: actor.clientId }
    : { sub: client.clientId, client_id: client.clientId }
  const fits =
    mayAct === undefined ||
    ((mayAct.sub === undefined || mayAct.sub === self.sub) &&
      (mayAct.client_id === undefined || mayAct.client_id === self.client_id) &&
      (mayAct.sub ?? mayAct.client_id) !== undefined)
  if (!fits) throw unacceptable('subject', 'its may_act names somebody else')
  if (mode === 'impersonation') return before
  const act = { ...self, ...(before ? { act: before } : {}) }
  if (depthOf(act) > longestChain) throw unacceptable('subject', 'too many have acted')
  return act
}

function depthOf(act: Act | undefined): number {
  return act ? 1 + depthOf(act.act) : 0
}

/** What the way to this token held at each API: no later exchange gets more there. */
function heldBy({ grant, audience, scopes }: OwnToken): Record<string, string> {
  const held = { ...(grant?.resources as Record<string, string>) }
  return audience === undefined || !(audience in held)
    ? held
    : { ...held, [audience]: scopes.join(' ') }
}

/** Throws `invalid_scope` for more than may be. Nothing asked for is all that may be. */
function scopesOf(exchange: Exchange, subject: OwnToken, target: Target, asked: string): string[] {
  const held = heldBy(subject)[target.audience]
  const before = held === undefined ? (exchange.scopes ?? subject.scopes) : held.split(' ')
  const offered = exchange.audienceKind === 'api' ? target.scope.split(' ') : before
  const may = before.filter(
    (scope) =>
      scope !== '' &&
      scope !== 'offline_access' &&
      offered.includes(scope) &&
      (exchange.scopes ?? [scope]).includes(scope),
  )
  const wanted = [...new Set(asked.split(' ').filter((scope) => scope !== ''))]
  const beyond = wanted.filter((scope) => !may.includes(scope))
  if (beyond.length > 0) {
    throw new errors.InvalidScope('more than this exchange may give', beyond.join(' '))
  }
  return wanted.length > 0 ? wanted : may
}
