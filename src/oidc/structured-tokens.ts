/**
 * Introspection (RFC 7662) of our JWT access tokens, which the engine refuses: signature, time, grant, account
 * and client are checked, so a service that asks learns of an end before the token's own expiry. Answered
 * for the client it was given to and for service clients of the API it is for.
 */
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Row } from '../sessions/artefacts.ts'
import { type Queryable, read } from '../sessions/reads.ts'
import type { ClientCache } from './client-cache.ts'
import { letsIn } from './entry.ts'
import { servesApi } from './resources.ts'
import { pairwiseIdentifier } from './subjects.ts'

type Options = {
  issuer: string
  reads: Queryable
  clients: ClientCache
  keys: JSONWebKeySet
  pairwiseSecret: Buffer
}

/** RFC 9701. */
const signedType = 'application/token-introspection+jwt'
const claimsShown = [
  ...[
    'aud',
    'client_id',
    'exp',
    'iat',
    'iss',
    'jti',
    'scope',
    'authorization_details',
    'sub',
    'cnf',
    'act',
  ],
  ...['acr', 'amr', 'auth_time'],
]

/**
 * Answers in the engine's place, after it has authenticated the client and refused the token for being
 * structured. Does nothing for any other request.
 */
export function createStructuredIntrospection(options: Options) {
  const keySet = createLocalJWKSet(options.keys)
  const pairwise = pairwiseIdentifier(options.pairwiseSecret)

  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    if (ctx.oidc?.route !== 'introspection' || !ctx.oidc.client) return
    if (ctx.oidc.client.clientAuthMethod === 'none') return refusePublic(ctx)
    const body = ctx.body as { error?: string } | undefined
    if (body?.error !== 'unsupported_token_type') return
    const claims = await activeClaims(ctx)
    ctx.status = 200
    ctx.body = claims
      ? { active: true, token_type: tokenType(claims.cnf), ...claims }
      : { active: false }
    if (ctx.accepts('json', signedType) === signedType) await sign(ctx)
  }

  async function activeClaims(ctx: KoaContextWithOIDC) {
    const token = String(ctx.oidc.params?.token)
    const payload = await verified(token)
    if (!payload) return undefined
    const { client } = ctx.oidc
    const own = payload.client_id === client?.clientId
    if (!own && !servesApi(client, payload.aud, options.issuer)) return undefined
    if (!(await options.clients.client(String(payload.client_id)))) return undefined
    if (payload.gid !== undefined) {
      const { grant, account } = await read(options.reads, 'grant', [String(payload.gid)])
      if (!grant || grant.client_id !== payload.client_id) return undefined
      if (!(await letsIn(options.clients, payload.client_id, account))) return undefined
      if ((await subjectOf(ctx, grant)) !== payload.sub) return undefined
    }
    return Object.fromEntries(
      claimsShown
        .filter((name) => payload[name] !== undefined)
        .map((name) => [name, payload[name]]),
    )
  }

  /** What the client that got the token calls the person by. */
  async function subjectOf(ctx: KoaContextWithOIDC, grant: Row): Promise<string> {
    const accountId = String(grant.account_id)
    const client = await ctx.oidc.provider.Client.find(String(grant.client_id))
    return client?.subjectType === 'pairwise' ? pairwise(ctx, accountId, client) : accountId
  }

  async function verified(token: string) {
    try {
      if (decodeProtectedHeader(token).typ !== 'at+jwt') return undefined
      const { payload } = await jwtVerify(token, keySet, {
        issuer: options.issuer,
        algorithms: ['ES256', 'RS256', 'EdDSA'],
        typ: 'at+jwt',
      })
      return payload
    } catch {
      return undefined
    }
  }
}

/** RFC 7662 §2.1: whoever asks says who they are. A `client_id` alone says nothing. */
function refusePublic(ctx: KoaContextWithOIDC): void {
  ctx.status = 401
  ctx.body = {
    error: 'invalid_client',
    error_description: 'this endpoint needs client authentication',
  }
}

function tokenType(cnf: unknown): 'DPoP' | 'Bearer' {
  return cnf && Object.hasOwn(cnf, 'jkt') ? 'DPoP' : 'Bearer'
}

type Signer = { extra: object; issue(options: { use: string }): Promise<string> }

/** As the engine does for its own tokens. */
async function sign(ctx: KoaContextWithOIDC): Promise<void> {
  const token = new ctx.oidc.provider.IdToken({}, { ctx }) as unknown as Signer
  token.extra = { token_introspection: ctx.body }
  ctx.body = await token.issue({ use: 'introspection' })
  ctx.type = `${signedType}; charset=utf-8`
}
