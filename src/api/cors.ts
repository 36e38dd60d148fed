/**
 * What apps in a browser may reach from their own origin: with a token in a header, never with a cookie. Nothing here
 * looks at cookies, so any origin may ask.
 */
import type { Middleware } from 'koa'

const told = [
  'WWW-Authenticate',
  'DPoP-Nonce',
  'ETag',
  'Location',
  'Link',
  'Retry-After',
  'X-Request-Id',
]
const sent = [
  'Authorization',
  'Content-Type',
  'DPoP',
  'If-Match',
  'Idempotency-Key',
  'Accept-Language',
]

/** For the paths below `prefix`; answers preflights. */
export function allowOrigins(prefix: string): Middleware {
  return async function allowOrigins(ctx, next) {
    if (ctx.path !== prefix && !ctx.path.startsWith(`${prefix}/`)) return next()
    ctx.set('Access-Control-Allow-Origin', '*')
    ctx.set('Access-Control-Expose-Headers', told.join(', '))
    ctx.set('Cross-Origin-Resource-Policy', 'cross-origin')
    if (ctx.method !== 'OPTIONS' || ctx.get('Access-Control-Request-Method') === '') return next()
    ctx.set('Access-Control-Allow-Methods', 'GET, POST, PUT, PATCH, DELETE')
    ctx.set('Access-Control-Allow-Headers', sent.join(', '))
    ctx.set('Access-Control-Max-Age', '600')
    ctx.status = 204
  }
}
