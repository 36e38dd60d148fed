/**
 * Tells `idp doctor` what a request through the proxy really carried: Host, X-Forwarded-*, who holds the other end, and
 * what we made of it. Only a token that the command has just put into the database opens it, once; to everybody else
 * the address is one that does not exist.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Middleware } from 'koa'
import type { Config } from '../config.ts'
import { peerAddress, trustProxies } from './client-address.ts'
import { type PinOptions, requestOrigin } from './pinned-host.ts'

export const probePath = '/doctor/probe'
export const probeHeader = 'idp-probe'

/** What arrived, and what we understood. Headers are cut to 300 characters and null where they were missing. */
export type ProbeAnswer = {
  /** The server's own settings, where the command may have others. */
  issuer: string
  trustedProxies: string[]
  clientCertHeader: string | null
  received: {
    host: string | null
    forwardedHost: string | null
    forwardedProto: string | null
    forwardedFor: string | null
    /** The other end of the connection. */
    peer: string
    trusted: boolean
    /** TLS ended here. */
    encrypted: boolean
    /** Something stood in CLIENT_CERT_HEADER. */
    certificate: boolean
  }
  understood: { scheme: 'http' | 'https'; host: string; address: string }
}

export type ProbeOptions = {
  /** True once, for a token that is known and alive. */
  take(token: string): Promise<boolean>
  /** Counts one; throws 429. */
  limit(address: string): Promise<void>
}

const longestHeader = 300
const tokenShape = /^[\w-]{43}$/

/** Needs `ctx.state.address`; stands above pinHost, since a wrong Host is what it is asked about. */
export function answerProbes(
  config: PinOptions & Pick<Config, 'issuer'>,
  { take, limit }: ProbeOptions,
): Middleware {
  const isTrusted = trustProxies(config.trustedProxies)

  return async function answerProbes(ctx, next) {
    const { req } = ctx
    const token = req.headers[probeHeader]
    if (ctx.path !== probePath || typeof token !== 'string' || !tokenShape.test(token)) {
      await next()
      return
    }
    await limit(ctx.state.address)
    if (!(await take(token))) {
      await next()
      return
    }
    ctx.state.route = probePath
    const { protocol, host } = requestOrigin(req, isTrusted)
    const { headers } = req
    const { clientCertHeader } = config
    const peer = peerAddress(req)
    ctx.body = {
      issuer: config.issuer,
      trustedProxies: config.trustedProxies,
      clientCertHeader: clientCertHeader ?? null,
      received: {
        host: shown(headers, 'host'),
        forwardedHost: shown(headers, 'x-forwarded-host'),
        forwardedProto: shown(headers, 'x-forwarded-proto'),
        forwardedFor: shown(headers, 'x-forwarded-for'),
        peer,
        trusted: isTrusted(peer),
        encrypted: 'encrypted' in req.socket && req.socket.encrypted === true,
        certificate: clientCertHeader !== undefined && Boolean(headers[clientCertHeader]),
      },
      understood: { scheme: protocol, host, address: ctx.state.address },
    } satisfies ProbeAnswer
  }
}

function shown(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name]
  return value === undefined ? null : [value].flat().join(', ').slice(0, longestHeader)
}
