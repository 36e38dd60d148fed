/**
 * One origin, whatever a request claims (AC-11). The engine and Koa build addresses from request headers; here
 * those headers are replaced by the issuer's, so that downstream there is nothing left to forge. A Host that
 * is not ours gets 421. Downstream apps run with `proxy: true` and see exactly what is decided here.
 */
import type { IncomingMessage } from 'node:http'
import type { Middleware } from 'koa'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import { type ProxyTrust, peerAddress, trustProxies } from './client-address.ts'

/** Probes know addresses, not names. */
const anyHost: readonly string[] = ['/healthz', '/readyz']

export type PinOptions = Pick<
  Config,
  'issuer' | 'trustedProxies' | 'clientCertHeader' | 'mtlsOrigin'
> & {
  /** What is answered under MTLS_ORIGIN as well. */
  certificatePaths?: readonly string[]
}

/** Scheme and host as this hop carried them; a trusted proxy speaks for the hop before it. */
export function requestOrigin(
  req: IncomingMessage,
  isTrusted: ProxyTrust,
): { protocol: 'http' | 'https'; host: string } {
  const encrypted = 'encrypted' in req.socket && req.socket.encrypted === true
  const trusted = isTrusted(peerAddress(req))
  const protocol = trusted ? lastOf(req.headers['x-forwarded-proto']) : undefined
  const host = trusted ? lastOf(req.headers['x-forwarded-host']) : undefined
  return {
    protocol:
      (protocol?.toLowerCase() ?? (encrypted ? 'https' : 'http')) === 'https' ? 'https' : 'http',
    host: (host ?? req.headers.host ?? '').toLowerCase(),
  }
}

/**
 * Needs `ctx.state.address` (request-context.ts). Throws 421 `unknown_host`. Headers that only a proxy may send
 * (`X-Forwarded-*`, CLIENT_CERT_HEADER) never pass when somebody else sent them.
 */
export function pinHost(config: PinOptions): Middleware {
  const isTrusted = trustProxies(config.trustedProxies)
  const issuer = spellings(config.issuer)
  const certificates = config.mtlsOrigin === undefined ? undefined : spellings(config.mtlsOrigin)
  const certificatePaths = config.certificatePaths ?? []
  // One that ends in a slash stands for all below it.
  const takesCertificate = (path: string) =>
    certificatePaths.some(
      (place) => place === path || (place.endsWith('/') && path.startsWith(place)),
    )

  return async function pinHost(ctx, next) {
    const { req } = ctx
    const { host: asked } = requestOrigin(req, isTrusted)
    // A proof of possession names the address it was made for, so each of the two stays what it is.
    const aliased = !issuer.hosts.has(asked) && certificates?.hosts.has(asked) === true
    const { host, scheme } = aliased ? certificates : issuer
    const known = aliased ? takesCertificate(ctx.path) : issuer.hosts.has(asked)
    if (!known && !anyHost.includes(ctx.path)) {
      throw new AppError('unknown_host', 421, {
        detail: `This server answers to ${issuer.host} only.`,
      })
    }
    if (config.clientCertHeader !== undefined && !isTrusted(peerAddress(req))) {
      delete req.headers[config.clientCertHeader]
    }
    for (const name of Object.keys(req.headers)) {
      if (name === config.clientCertHeader) continue
      if (name === 'forwarded' || name.startsWith('x-forwarded-')) delete req.headers[name]
    }
    req.headers.host = host
    req.headers['x-forwarded-host'] = host
    req.headers['x-forwarded-proto'] = scheme
    req.headers['x-forwarded-for'] = ctx.state.address
    await next()
  }
}

/** An origin's host as browsers and as others write it. */
function spellings(origin: string): { host: string; scheme: string; hosts: Set<string> } {
  const { protocol, host, port } = new URL(origin)
  const scheme = protocol.slice(0, -1)
  const usual = scheme === 'https' ? 443 : 80
  return { host, scheme, hosts: new Set([host, port ? host : `${host}:${usual}`]) }
}

/** Each proxy appends, so the right-most value is the one that the trusted peer wrote. */
function lastOf(header: string | string[] | undefined): string | undefined {
  return [header ?? []].flat().join(',').split(',').at(-1)?.trim() || undefined
}
