/**
 * Introspection (RFC 7662) of our JWT access tokens, which the engine refuses: signature, time, grant, account
 * and client are checked, so a service that asks learns of an end before the token's own expiry. Answered
 * for the client it was given to and for service clients of the API it is for.
 */
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { type Queryable, read } from '../sessions/reads.ts'
import type { ClientCache } from './client-cache.ts'
import { allowedApis } from './resources.ts'

type Options = { issuer: string; pool: Queryable; clients: ClientCache; keys: JSONWebKeySet }

const claimsShown = ['aud', 'client_id', 'exp', 'iat', 'iss', 'jti', 'scope', 'sub', 'cnf', 'act']

/**
 * Answers in the engine's place, after it has authenticated the client and refused the token for being
 * structured. Does nothing for any other request.
 */
export function createStructuredIntrospection(options: Options) {
  const keySet = createLocalJWKSet(options.keys)

  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    if (ctx.oidc?.route !== 'introspection' || !ctx.oidc.client) return
    const body = ctx.body as { error?: string } | undefined
    if (body?.error !== 'unsupported_token_type') return
    const claims = await activeClaims(ctx)
    ctx.status = 200
    ctx.body = claims ? { active: true, token_type: 'Bearer', ...claims } : { active: false }
  }

  async function activeClaims(ctx: KoaContextWithOIDC) {
    const token = String(ctx.oidc.params?.token)
    const payload = await verified(token)
    if (!payload) return undefined
    const { client } = ctx.oidc
    const own = payload.client_id === client?.clientId
    const serves =
      client?.grantTypeAllowed('client_credentials') === true &&
      allowedApis(client).some((api) => api.identifier === payload.aud)
    if (!own && !serves) return undefined
    if (!(await options.clients.client(String(payload.client_id)))) return undefined
    if (payload.gid !== undefined) {
      const { grant } = await read(options.pool, 'grant', [String(payload.gid)])
      if (!grant || grant.account_id !== payload.sub) return undefined
      if (grant.client_id !== payload.client_id) return undefined
    }
    return Object.fromEntries(
      claimsShown
        .filter((name) => payload[name] !== undefined)
        .map((name) => [name, payload[name]]),
    )
  }

  async function verified(token: string) {
    try {
      if (decodeProtectedHeader(token).typ !== 'at+jwt') return undefined
      const { payload } = await jwtVerify(token, keySet, {
        issuer: options.issuer,
        algorithms: ['ES256', 'RS256'],
        typ: 'at+jwt',
      })
      return payload
    } catch {
      return undefined
    }
  }
}
