/**
 * The client's certificate: of the TLS connection, where it ends here, or from the header in which a trusted proxy
 * hands it on (FA-05). Nobody is judged here: who may use which certificate is the business of oidc/mutual-tls.ts.
 */
import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { Config } from '../config.ts'
import { peerAddress, trustProxies } from './client-address.ts'

const longestHeader = 16 * 1024

export function createCertificateReader(
  config: Pick<Config, 'trustedProxies' | 'clientCertHeader'>,
): (req: IncomingMessage) => X509Certificate | undefined {
  const isTrusted = trustProxies(config.trustedProxies)
  const known = new WeakMap<IncomingMessage, X509Certificate | undefined>()

  return (req) => {
    if (!known.has(req)) known.set(req, find(req))
    return known.get(req)
  }

  function find(req: IncomingMessage): X509Certificate | undefined {
    // What a proxy shows us on its own connection is the proxy's.
    if (!isTrusted(peerAddress(req))) {
      return req.socket instanceof TLSSocket ? req.socket.getPeerX509Certificate() : undefined
    }
    const header = config.clientCertHeader && req.headers[config.clientCertHeader]
    return typeof header === 'string' ? parseCertificate(header) : undefined
  }
}

/**
 * In the forms that proxies use: PEM, percent-encoded (nginx, Traefik) or with its line breaks as spaces (Apache);
 * base64 of DER, with the colons of RFC 9440 or without. Undefined for anything else.
 */
export function parseCertificate(header: string): X509Certificate | undefined {
  if (header.length > longestHeader) return undefined
  try {
    const text = header.includes('%') ? decodeURIComponent(header) : header
    const pem = /^\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*$/
    const base64 = (pem.exec(text)?.[1] ?? text.replace(/^:(.*):$/, '$1')).replace(/\s+/g, '')
    if (!/^[A-Za-z0-9+/]+=*$/.test(base64)) return undefined
    return new X509Certificate(Buffer.from(base64, 'base64'))
  } catch {
    return undefined
  }
}
