/**
 * One line for each request that ended, however it ended. Addresses are logged as patterns: a real path may hold a
 * flow's id, a query may hold a code. Headers, bodies and cookies are never logged; JSON keeps CR and LF inside
 * their string (IN-07).
 */
import type { Context, Middleware } from 'koa'
import type { Logger } from '../logger.ts'

/** What `observe` gets for metrics: `route` is one of a bounded number of patterns. */
export type RequestObservation = { method: string; route: string; status: number; seconds: number }

const longestPath = 200
const protocolPlaces = new Set(
  [
    ...['authorize', 'token', 'userinfo', 'jwks', 'introspect', 'revoke', 'par', 'device'],
    ...['bc-authorize', 'register', 'logout', 'authorize-challenge'],
  ]
    .map((name) => `/oauth2/${name}`)
    .concat(
      '/.well-known/openid-configuration',
      '/.well-known/oauth-authorization-server',
      '/.well-known/authzen-configuration',
    ),
)

/** Needs request-context.ts above it. `observe` is called with every line. */
export function logRequests(options: {
  logger: Logger
  observe?: (request: RequestObservation) => void
}): Middleware {
  const { observe } = options
  // Nothing below carries a secret, and looking for one costs more than the rest of the line.
  const logger = options.logger.child({}, { redact: { paths: [] } })
  return async function logRequests(ctx, next) {
    const begun = performance.now()
    // `close` comes for finished answers and for clients that hung up alike.
    ctx.res.once('close', () => {
      const ms = performance.now() - begun
      const route = routeOf(ctx)
      const status = ctx.res.statusCode
      observe?.({ method: ctx.method, route: route ?? 'unmatched', status, seconds: ms / 1000 })
      logger[levelOf(status, route)](
        {
          requestId: ctx.state.requestId,
          method: ctx.method,
          path: route ?? ctx.path.slice(0, longestPath),
          status,
          ms: Math.round(ms * 10) / 10,
          address: ctx.state.address,
          clientId: ctx.state.clientId,
          ...(ctx.res.writableFinished ? {} : { aborted: true }),
        },
        'request',
      )
    })
    await next()
  }
}

/** Probes come every second and say nothing while they succeed. */
function levelOf(status: number, route: string | undefined): 'warn' | 'info' | 'debug' {
  if (status >= 500) return 'warn'
  return route === '/healthz' || route === '/readyz' ? 'debug' : 'info'
}

/** The pattern of the route that answered; undefined when none did. */
function routeOf(ctx: Context): string | undefined {
  if (ctx.state.route !== undefined) return ctx.state.route
  const { _matchedRoute } = ctx as { _matchedRoute?: unknown }
  return typeof _matchedRoute === 'string' ? _matchedRoute : protocolRoute(ctx.path)
}

/** The engine keeps its router to itself; its places are few and fixed. What follows one is an id. */
function protocolRoute(path: string): string | undefined {
  const [place, rest] = /^(\/[^/]+\/[^/]+)(\/.*)?$/.exec(path)?.slice(1) ?? []
  if (place === undefined || !protocolPlaces.has(place)) return undefined
  return rest === undefined ? place : `${place}/:id`
}
