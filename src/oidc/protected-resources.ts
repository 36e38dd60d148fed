/**
 * Serves the metadata of protected resources (RFC 9728): of userinfo, which is ours, and of every API, for those that
 * cannot serve their own. What is served is public and the same for everybody, so it may be kept.
 */
import type { Context, Middleware } from 'koa'
import { apiMetadata, wellKnownPath } from '../clients/resource-metadata.ts'
import { ourAlgorithms } from '../clients/rules/signatures.ts'
import { standardScopes } from '../clients/scopes.ts'
import type { Config } from '../config.ts'
import type { ClientCache } from './client-cache.ts'
import { createDocument, sendDocument } from './documents.ts'
import { proofAlgorithms } from './dpop.ts'
import { takesCertificates } from './mutual-tls.ts'

type Options = {
  config: Pick<Config, 'issuer' | 'tls' | 'mtlsOrigin' | 'clientCertHeader'>
  clients: ClientCache
}

const maxAgeSeconds = 300
const longestIdentifier = 500

/** `/.well-known/oauth-protected-resource/oauth2/userinfo`, `…/PATH` for an API below our issuer, `…?resource=` for any. */
export function protectedResources({ config, clients }: Options): Middleware {
  const { issuer } = config
  const userinfo = createDocument(userinfoMetadata(config), maxAgeSeconds)

  return async (ctx, next) => {
    const { path, method } = ctx
    const isOurs = path === wellKnownPath || path.startsWith(`${wellKnownPath}/`)
    if (!isOurs || (method !== 'GET' && method !== 'HEAD')) return next()
    const identifier = identifierOf(ctx)
    if (identifier === userinfoAddress(issuer)) return sendDocument(ctx, userinfo)
    if (identifier === undefined || identifier.length > longestIdentifier) return next()
    const api = await clients.api(identifier)
    if (!api) return next()
    sendDocument(ctx, createDocument(apiMetadata(api, issuer), maxAgeSeconds))
  }

  /** Undefined when it names none, or several. */
  function identifierOf({ path, query, search }: Context): string | undefined {
    if (path !== wellKnownPath) return `${issuer}${path.slice(wellKnownPath.length)}${search}`
    return typeof query.resource === 'string' ? query.resource : undefined
  }
}

/** Tells whoever came to userinfo without a good token where to learn what one is (§5.1). */
export function pointToMetadata(ctx: Context, issuer: string): void {
  const challenge = ctx.response.get('WWW-Authenticate')
  if (!challenge) return
  const at = `${issuer}${wellKnownPath}${userinfoPath}`
  ctx.set('WWW-Authenticate', `${challenge}, resource_metadata="${at}"`)
}

const userinfoPath = '/oauth2/userinfo'
const userinfoAddress = (issuer: string) => `${issuer}${userinfoPath}`

function userinfoMetadata(config: Options['config']): Record<string, unknown> {
  const { issuer } = config
  return {
    resource: userinfoAddress(issuer),
    authorization_servers: [issuer],
    jwks_uri: `${issuer}/oauth2/jwks`,
    scopes_supported: standardScopes.filter((scope) => scope !== 'offline_access'),
    bearer_methods_supported: ['header', 'body'],
    resource_signing_alg_values_supported: [...ourAlgorithms],
    dpop_signing_alg_values_supported: [...proofAlgorithms],
    ...(takesCertificates(config) ? { tls_client_certificate_bound_access_tokens: true } : {}),
  }
}
