/**
 * Mutual TLS (RFC 8705): clients that prove themselves by a certificate, and tokens bound to one. Always on in the
 * engine, so that a client held to certificates is refused and not let through where none can arrive; advertised only
 * where they can (discovery.ts).
 */
import type { X509Certificate } from 'node:crypto'
import type { Client, Configuration, KoaContextWithOIDC } from 'oidc-provider'
import {
  isVouchedFor,
  namesSubject,
  readAuthorities,
  type TlsSubject,
} from '../clients/certificates.ts'
import type { Config } from '../config.ts'

/** The certificate that came with a request: in its TLS connection, or in a trusted proxy's header. */
export type FindCertificate = (ctx: KoaContextWithOIDC) => X509Certificate | undefined

export function mutualTls(findCertificate: FindCertificate) {
  return {
    enabled: true,
    certificateBoundAccessTokens: true,
    selfSignedTlsClientAuth: true,
    tlsClientAuth: true,
    getCertificate: findCertificate,
    certificateAuthorized(ctx: KoaContextWithOIDC): boolean {
      const certificate = findCertificate(ctx)
      const authorities = authoritiesOf(ctx.oidc.client)
      return certificate !== undefined && isVouchedFor(certificate, authorities)
    },
    certificateSubjectMatches(
      ctx: KoaContextWithOIDC,
      property: string,
      expected: string,
    ): boolean {
      const certificate = findCertificate(ctx)
      return (
        certificate !== undefined && namesSubject(certificate, property as TlsSubject, expected)
      )
    },
  } satisfies NonNullable<Configuration['features']>['mTLS']
}

function authoritiesOf(client: Client | undefined): X509Certificate[] {
  return readAuthorities(String(client?.certificate_authorities ?? '')) ?? []
}

/** Certificates reach us where TLS ends here and asks for them, or where a proxy hands them on. */
export function takesCertificates(
  config: Pick<Config, 'tls' | 'mtlsOrigin' | 'clientCertHeader'>,
): boolean {
  return (
    config.clientCertHeader !== undefined ||
    (config.tls !== undefined && config.mtlsOrigin !== undefined)
  )
}

/** The addresses of which clients with certificates use another spelling, by their names in discovery. */
export const certificateEndpoints: Readonly<Record<string, string>> = {
  token_endpoint: '/oauth2/token',
  introspection_endpoint: '/oauth2/introspect',
  revocation_endpoint: '/oauth2/revoke',
  pushed_authorization_request_endpoint: '/oauth2/par',
  device_authorization_endpoint: '/oauth2/device',
  backchannel_authentication_endpoint: '/oauth2/bc-authorize',
  userinfo_endpoint: '/oauth2/userinfo',
}
