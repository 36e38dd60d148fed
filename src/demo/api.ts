/**
 * The demo API: a resource server that knows the provider by its published keys alone. It takes JWT access tokens
 * (RFC 9068) that were made for it and carry its scope, and answers everybody else as RFC 6750 §3 says.
 */
import Router from '@koa/router'
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose'

export const notesApi = {
  name: 'Demo notes',
  identifier: 'urn:demo:notes',
  scope: 'notes:read',
  path: '/api/notes',
}

export function createApi({ issuer }: { issuer: string }): Router {
  const { identifier, scope, path } = notesApi
  // Fetched when a token comes, then kept; an unknown key makes it look again.
  const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`))

  /** Undefined unless the token is genuine, alive and for us. */
  async function verify(token: string): Promise<JWTPayload | undefined> {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience: identifier,
        // An ID token is signed by the same provider, and must not open this door.
        typ: 'at+jwt',
        algorithms: ['ES256'],
        requiredClaims: ['sub', 'exp', 'client_id'],
      })
      return payload
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }

  const router = new Router()
  router.get(path, async (ctx) => {
    const [, token] = /^Bearer ([\w.~+/-]+=*)$/i.exec(ctx.get('authorization')) ?? []
    const refuse = (status: number, challenge: string) => {
      ctx.status = status
      ctx.set('WWW-Authenticate', challenge)
      ctx.body = { error: 'This API needs an access token of its own.' }
    }
    if (!token) return refuse(401, 'Bearer')
    const claims = await verify(token)
    if (!claims) return refuse(401, 'Bearer error="invalid_token"')
    if (!String(claims.scope).split(' ').includes(scope)) {
      return refuse(403, `Bearer error="insufficient_scope", scope="${scope}"`)
    }
    ctx.body = { for: claims.sub, askedBy: claims.client_id, notes: ['Buy milk', 'Learn now'] }
  })
  return router
}
