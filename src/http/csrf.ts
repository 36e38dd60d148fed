/**
 * Proof that a form's POST comes from a page that we gave to this browser (WB-05), sign-in included, without a row
 * anywhere. Two locks: the hidden field `csrf` is a keyed hash of a random cookie, and the browser's own word about
 * where the form stood (Origin, Sec-Fetch-Site) must name us.
 *
 * A browser that opens two tabs at once is given two cookies. Each has a name of its own, so that neither replaces
 * the other and both tabs can send their form; from then on every page uses the one that came.
 */
import type { Context, Middleware } from 'koa'
import type { Config } from '../config.ts'
import { equalBytes, type Keyring, randomToken, sha256 } from '../crypto.ts'
import { AppError } from '../errors.ts'
import { cookiesNamed, hostCookieName, setCookie } from './cookies.ts'

declare module 'koa' {
  interface DefaultState {
    /** The cookie that this answer sets or that came, so that several forms of a page agree. */
    csrfSecret?: string
  }
}

export type Csrf = {
  /** For the hidden field `csrf`; sets the cookie where there is none. */
  token(ctx: Context): string
  /** Throws 403 `csrf_failed`. For POST routes, after `parseForm`. */
  require: Middleware
  /**
   * What a flow is bound to, by the same cookie, which no other host can plant: the browser's name, and every name that
   * it has come with. It is a hash, so whoever reads it cannot be that browser.
   */
  browser(ctx: Context): string
  browsers(ctx: Context): string[]
}

const purpose = 'csrf'
const secretPattern = /^[A-Za-z0-9_-]{43}$/

export function createCsrf(options: { config: Pick<Config, 'issuer'>; keyring: Keyring }): Csrf {
  const { keyring } = options
  const { issuer } = options.config
  const secure = issuer.startsWith('https:')
  const prefix = hostCookieName('csrf-', secure)

  function secretsOf(ctx: Context): string[] {
    return cookiesNamed(ctx, prefix)
      .map(({ value }) => value)
      .filter((value) => secretPattern.test(value))
      .slice(0, 10)
  }

  function newSecret(ctx: Context): string {
    const secret = randomToken()
    setCookie(ctx, prefix + secret.slice(0, 6), secret, { secure })
    return secret
  }

  function matches(ctx: Context, token: string): boolean {
    const given = Buffer.from(token, 'base64url')
    return secretsOf(ctx).some((secret) =>
      keyring.macs(purpose, secret).some((expected) => equalBytes(expected, given)),
    )
  }

  function secretFor(ctx: Context): string {
    ctx.state.csrfSecret ??= secretsOf(ctx)[0] ?? newSecret(ctx)
    return ctx.state.csrfSecret
  }

  return {
    token: (ctx) => keyring.mac(purpose, secretFor(ctx)).toString('base64url'),
    browser: (ctx) => nameOf(secretFor(ctx)),
    browsers: (ctx) => secretsOf(ctx).map(nameOf),
    require: async function requireCsrf(ctx, next) {
      if (!isOwnPage(ctx, issuer) || !matches(ctx, ctx.state.form?.csrf ?? '')) {
        throw new AppError('csrf_failed', 403)
      }
      await next()
    },
  }
}

function nameOf(secret: string): string {
  return sha256(secret).toString('base64url')
}

/** Absent headers leave the decision to the token: old browsers send neither. */
function isOwnPage(ctx: Context, issuer: string): boolean {
  const { origin } = ctx.req.headers
  const site = ctx.req.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  // A page under `Referrer-Policy: no-referrer` sends "null"; the browser's other word then has to vouch for it.
  if (origin === 'null') return site === 'same-origin'
  return origin === undefined || origin === issuer
}
