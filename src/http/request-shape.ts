/**
 * Requests that no browser and no client library sends are refused before anything reads them: verbs that a
 * place does not have (WB-11), NUL and broken escapes (IN-02), absolute request targets (WB-12), which would
 * replace the host that pinned-host.ts has fixed.
 */
import type { Middleware } from 'koa'
import { AppError } from '../errors.ts'

const pageVerbs = ['GET', 'HEAD', 'POST']
const programVerbs = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
// The engine runs its GET for a HEAD, and its GETs write sessions, interactions and codes.
const protocolVerbs = programVerbs.filter((verb) => verb !== 'HEAD')
/** What apps post to and nothing else (RFC 6749 §3.2, RFC 9126 §2.3), and what browsers and apps also get. */
const posted = /^\/oauth2\/(token|introspect|revoke|par|device|bc-authorize|authorize-challenge)$/
const gotOrPosted = /^\/oauth2\/(authorize|userinfo|logout)$/
// Room for a request object by value; all headers together may have 16 KB (listen.ts).
const longestTarget = 12 * 1024

/** Throws 400 `invalid_request`, 405 `method_not_allowed` (with Allow) or 414 `too_large`. */
export const refuseOddRequests: Middleware = async function refuseOddRequests(ctx, next) {
  const target = ctx.req.url ?? ''
  if (target.length > longestTarget) throw new AppError('too_large', 414)
  if (!target.startsWith('/') || !isReadable(target)) throw new AppError('invalid_request', 400)

  const verbs = verbsOf(ctx.path)
  if (!verbs.includes(ctx.method)) {
    ctx.set('Allow', verbs.join(', '))
    throw new AppError('method_not_allowed', 405)
  }
  await next()
}

function verbsOf(path: string): string[] {
  if (path === '/oauth2/jwks') return ['GET', 'HEAD', 'OPTIONS']
  if (posted.test(path)) return ['POST', 'OPTIONS']
  if (gotOrPosted.test(path)) return ['GET', 'POST', 'OPTIONS']
  if (path.startsWith('/oauth2/')) return protocolVerbs
  return /^\/(api|access|\.well-known)\//.test(path) ? programVerbs : pageVerbs
}

/** Every `%` begins an escape, the path is UTF-8, and no NUL is anywhere: PostgreSQL stores none. */
function isReadable(target: string): boolean {
  if (!target.includes('%')) return true
  if (/%(?![0-9a-f]{2})|%00/i.test(target)) return false
  const [path = ''] = target.split('?', 1)
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}
