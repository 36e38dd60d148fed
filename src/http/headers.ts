/**
 * The security headers of every answer, errors included (WB-06, WB-08). Set before anything else runs, so that a
 * door may widen one for its own answer: the engine adds the hash of its form_post script to `script-src`.
 *
 * - No `form-action`: browsers apply it to the redirect after the sign-in form's POST, which leads to the app (WB-07).
 * - `Referrer-Policy: same-origin`, not `no-referrer`: under that a browser sends `Origin: null` with our own forms,
 *   and csrf.ts could no longer tell them from a sandboxed frame's. Other sites see neither.
 * - `strict-origin` where the address holds a mailed token or an invitation: not even our own log gets that twice (AC-10).
 * - Inside an authorization request COOP is off: apps open sign-in in a popup and need their `window.opener` when it
 *   comes back. `same-origin-allow-popups` would not help, it is a setting of the opener.
 */
import helmet from 'helmet'
import type { Middleware } from 'koa'
import type { Config } from '../config.ts'

const twoYearsSeconds = 2 * 365 * 24 * 60 * 60

const policy = (nonce: string): string =>
  [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'none'",
    "connect-src 'self'",
    "base-uri 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

const permissions = [
  ...['accelerometer', 'camera', 'display-capture', 'geolocation', 'gyroscope', 'magnetometer'],
  ...['microphone', 'midi', 'payment', 'usb'],
]
  .map((feature) => `${feature}=()`)
  .concat('publickey-credentials-get=(self)', 'publickey-credentials-create=(self)')
  .join(', ')

/** Needs `ctx.state.nonce`. `Cache-Control` is `no-store` unless a door says otherwise. */
export function securityHeaders(config: Pick<Config, 'production'>): Middleware {
  const common = helmet({
    contentSecurityPolicy: false,
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'same-origin' },
    // Not on loopback, even with https: it would hold for every other port of this machine.
    hsts: config.production && {
      maxAge: twoYearsSeconds,
      includeSubDomains: true,
    },
    // For browsers that have been gone for a decade.
    dnsPrefetchControl: false,
    ieNoOpen: false,
    permittedCrossDomainPolicies: false,
  })

  return async function securityHeaders(ctx, next) {
    common(ctx.req, ctx.res, () => {})
    ctx.set('Content-Security-Policy', policy(ctx.state.nonce))
    ctx.set('Permissions-Policy', permissions)
    ctx.set('Cache-Control', 'no-store')
    if (/^\/(oauth2|\.well-known)\//.test(ctx.path)) {
      ctx.set('Cross-Origin-Resource-Policy', 'cross-origin')
    }
    if (/[?&](token|invite)=/.test(ctx.req.url ?? '')) ctx.set('Referrer-Policy', 'strict-origin')
    if (/^\/(oauth2|sign-in)\//.test(ctx.path)) ctx.set('Cross-Origin-Opener-Policy', 'unsafe-none')
    await next()
  }
}
