/**
 * Who calls our own API: an access token of ours for it, in the Authorization header and nowhere else (RFC 6750 §2.1). It
 * is asked of the database each time, so what has ended is refused at once; a token that is bound to a key is good with
 * the proof of that key alone (RFC 9449, RFC 8705).
 */
import type { X509Certificate } from 'node:crypto'
import type { Context } from 'koa'
import { errors, type Provider } from 'oidc-provider'
import type { StoredClient } from '../clients/clients.ts'
import { type OwnScope, ownApiIdentifier } from '../clients/own-api.ts'
import { wellKnownPath } from '../clients/resource-metadata.ts'
import { type Demand, shortfall } from '../credentials/step-up.ts'
import { AppError } from '../errors.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import type { Limits } from '../http/limits.ts'
import type { ClientCache } from '../oidc/client-cache.ts'
import { proofAlgorithms } from '../oidc/dpop.ts'
import type { OwnToken, TokenReader } from '../oidc/own-tokens.ts'
import { holdsKeyOf, proveAtDoor, thumbprintOf } from '../oidc/possession.ts'
import type { Row } from '../sessions/artefacts.ts'

/** Whose token it is, and what it stands for. */
export type Caller = {
  clientId: string
  client: StoredClient
  scopes: string[]
  /** Absent where a service calls for itself. */
  accountId?: string
  account?: Row
  /** What the token hangs on, and the session that this belongs to. */
  grantId?: string
  sessionUid?: string
  /** How and when the person signed in; `authTime` in seconds since 1970. */
  acr?: string
  amr: string[]
  authTime?: number
}

/** What a door asks. With `person` a service's own token is not enough. */
export type Wanted = { scope: OwnScope; person?: boolean; stepUp?: Demand }

export type BearerDeps = {
  issuer: string
  clients: ClientCache
  limits: Pick<Limits, 'check' | 'consume'>
  /** The engine of the moment: its keys change. */
  engine(): { provider: Provider; tokens: TokenReader }
  findCertificate(ctx: Context): X509Certificate | undefined
}

export type Bearer = ReturnType<typeof createBearer>

export function createBearer(deps: BearerDeps) {
  const { issuer } = deps
  const audience = ownApiIdentifier(issuer)
  const metadata = `${issuer}${wellKnownPath}/api`
  return { requireToken, demand }

  /**
   * Throws 401 `token_required`, `invalid_token`, `invalid_dpop_proof`, `use_dpop_nonce` or
   * `insufficient_user_authentication` (RFC 9470), 403 `insufficient_scope`, 429, each with its WWW-Authenticate.
   */
  async function requireToken(ctx: Context, wanted: Wanted): Promise<Caller> {
    const from = limitKeyAddress(ctx.state.address)
    await deps.limits.check('api-address', from)
    const { scheme, value } = presented(ctx, wanted)
    const token = await deps.engine().tokens.accessToken(value)
    const client = token && (await deps.clients.client(token.clientId))
    // A token that somebody else acts with is for what it was exchanged for (RFC 8693 §4.1), and that is never this.
    if (!token || !client || token.audience !== audience || token.act) {
      await deps.limits.consume('api-address', from)
      throw refuse(ctx, scheme, 'invalid_token', 401)
    }
    await demandKey(ctx, scheme, value, token, client)
    if (token.accountId) await deps.limits.consume('api-caller', client.id, token.accountId)
    // An admin may have taken it away since; a service's own token hangs on no grant that would tell.
    const allowed = client.apis.find(({ identifier }) => identifier === audience)
    const has = [token, allowed].every((held) => held?.scopes.includes(wanted.scope))
    if (!has || (wanted.person && !token.accountId)) {
      throw refuse(ctx, scheme, 'insufficient_scope', 403, { scope: wanted.scope })
    }
    const caller = callerOf(token, client)
    if (wanted.stepUp) demand(ctx, caller, wanted.stepUp)
    return caller
  }

  /** Throws 401 `insufficient_user_authentication` with what a new sign-in has to have (RFC 9470 §3). */
  function demand(ctx: Context, { acr, authTime }: Caller, wanted: Demand): void {
    const lacking = shortfall({ acr, authTime }, wanted)
    if (!lacking) return
    const scheme = /^dpop /i.test(ctx.get('Authorization')) ? 'DPoP' : 'Bearer'
    throw refuse(ctx, scheme, 'insufficient_user_authentication', 401, lacking)
  }

  function presented(ctx: Context, { scope }: Wanted): { scheme: Scheme; value: string } {
    const [, name, value] = /^(Bearer|DPoP) +([\w.~+/-]+=*)$/i.exec(ctx.get('Authorization')) ?? []
    if (name && value) return { scheme: /^d/i.test(name) ? 'DPoP' : 'Bearer', value }
    // §3.1: whoever brought nothing has made no mistake that could be named.
    ctx.set('WWW-Authenticate', [
      `Bearer ${join({ scope, resource_metadata: metadata })}`,
      `DPoP ${join({ scope, algs: proofAlgorithms.join(' ') })}`,
    ])
    throw new AppError('token_required', 401)
  }

  /** What a token is bound to is shown, and no token that is bound comes as if it were not. */
  async function demandKey(
    ctx: Context,
    scheme: Scheme,
    value: string,
    { cnf }: OwnToken,
    client: StoredClient,
  ): Promise<void> {
    if ((scheme === 'DPoP') !== (cnf?.jkt !== undefined)) {
      throw refuse(ctx, scheme, 'invalid_token', 401)
    }
    const shown: { jkt?: string; x5t?: string } = {}
    if (scheme === 'DPoP') {
      // Ours, or that of clients with certificates: no other host comes this far.
      const url = `${ctx.protocol}://${ctx.host}${ctx.path}`
      const { provider } = deps.engine()
      const jkt = await proveAtDoor(ctx, { provider, url, accessToken: value, client }).catch(
        (error: unknown) => {
          if (error instanceof errors.OIDCProviderError) {
            throw refuse(ctx, scheme, error.error, 401)
          }
          throw error
        },
      )
      if (jkt === undefined) throw refuse(ctx, scheme, 'invalid_dpop_proof', 401)
      shown.jkt = jkt
    }
    if (cnf?.['x5t#S256'] !== undefined) {
      const certificate = deps.findCertificate(ctx)
      if (certificate) shown.x5t = thumbprintOf(certificate)
    }
    if (!holdsKeyOf(cnf, shown)) throw refuse(ctx, scheme, 'invalid_token', 401)
  }

  function refuse(
    ctx: Context,
    scheme: Scheme,
    code: string,
    status: number,
    more: Record<string, string | number | undefined> = {},
  ): AppError {
    const algs = scheme === 'DPoP' ? { algs: proofAlgorithms.join(' ') } : {}
    const said = { error: code, ...more, ...algs, resource_metadata: metadata }
    ctx.set('WWW-Authenticate', `${scheme} ${join(said)}`)
    return new AppError(code, status)
  }
}

type Scheme = 'Bearer' | 'DPoP'

function callerOf(token: OwnToken, client: StoredClient): Caller {
  const { clientId, scopes, accountId, account, grant, proven } = token
  const { acr, amr, auth_time: authTime } = proven
  const { id: grantId, session_uid: sessionUid } = grant ?? {}
  return {
    clientId,
    client,
    scopes,
    ...(accountId === undefined ? {} : { accountId }),
    ...(account ? { account } : {}),
    ...(typeof grantId === 'string' ? { grantId } : {}),
    ...(typeof sessionUid === 'string' ? { sessionUid } : {}),
    ...(typeof acr === 'string' ? { acr } : {}),
    ...(typeof authTime === 'number' ? { authTime } : {}),
    amr: Array.isArray(amr) ? amr.filter((value) => typeof value === 'string') : [],
  }
}

/** Values are ours: tokens, numbers and addresses, none with a quote in it. */
function join(members: Record<string, string | number | undefined>): string {
  return Object.entries(members)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')
}
