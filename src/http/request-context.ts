/**
 * What every later middleware knows about a request: its id, where it came from, the language, the nonce of its
 * scripts. Nothing here throws, so that faults.ts always has what it needs for an answer.
 */
import type { Context, Middleware } from 'koa'
import type { Origin } from '../audit/audit.ts'
import type { Config } from '../config.ts'
import { randomToken } from '../crypto.ts'
import type { Locale } from '../views/page-data.ts'
import { clientAddress, isLoopbackPeer, trustProxies } from './client-address.ts'
import { hostCookieName, readCookie, setCookie } from './cookies.ts'
import { localeOf, localeOfBrowser } from './locale.ts'

export type RequestState = {
  /** Ours alone: an id from outside could be used to forge or to hide lines of the log. */
  requestId: string
  /** The client's address (client-address.ts). */
  address: string
  /** From this machine and through no proxy. */
  fromLoopback: boolean
  /** For audit events. */
  origin: Origin
  locale: Locale
  /** For `<script nonce>`; the same value stands in the Content-Security-Policy. */
  nonce: string
  /** Set by whoever knows it, for the log. */
  clientId?: string
  /** Set by doors whose routes Koa's router does not know, for log and metrics: a pattern, never a raw path. */
  route?: string
}

declare module 'koa' {
  interface DefaultState extends RequestState {}
}

const yearSeconds = 365 * 24 * 60 * 60
const longestUserAgent = 256

/** Sets `ctx.state` and answers with `X-Request-Id`. The first middleware of all. */
export function requestContext(config: Pick<Config, 'issuer' | 'trustedProxies'>): Middleware {
  const isTrusted = trustProxies(config.trustedProxies)
  const secure = config.issuer.startsWith('https:')
  const cookie = hostCookieName('locale', secure)

  return async function requestContext(ctx, next) {
    const requestId = randomToken(12)
    const address = clientAddress(ctx.req, isTrusted)
    const userAgent = ctx.req.headers['user-agent']?.slice(0, longestUserAgent)
    Object.assign(ctx.state, {
      requestId,
      address,
      fromLoopback: isLoopbackPeer(ctx.req),
      origin: { address, requestId, userAgent },
      locale: chooseLocale(ctx, cookie),
      nonce: randomToken(16),
    } satisfies RequestState)
    ctx.set('X-Request-Id', requestId)
    await next()
  }

  function chooseLocale(ctx: Context, name: string): Locale {
    // Looked at before request-shape.ts has refused what cannot be parsed.
    const asked = /[?&]ui_locales=/.test(ctx.req.url ?? '')
      ? localeOf([ctx.query.ui_locales ?? []].flat()[0])
      : undefined
    const kept = localeOf(readCookie(ctx, name))
    // A language chosen on a page stays chosen; one that an app asked for is for that request alone.
    if (asked && asked !== kept && isPage(ctx.path)) {
      setCookie(ctx, name, asked, { secure, maxAgeSeconds: yearSeconds })
    }
    return asked ?? kept ?? localeOfBrowser(ctx.req.headers['accept-language']) ?? 'en'
  }
}

function isPage(path: string): boolean {
  return !/^\/(oauth2|api|access|\.well-known|assets)\//.test(path)
}
