/** APIs (RFC 8707): which tokens they take, and who may ask for them. */
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { StoredClient } from '../clients/clients.ts'
import { ownApiIdentifier } from '../clients/own-api.ts'
import { apisOfDetails, type DetailTypes } from './authorization-details.ts'
import type { ClientCache } from './client-cache.ts'

type AllowedApi = { identifier: string; scopes: string[]; tokenLifetimeSeconds: number }

/** The engine's `resourceIndicators`. Throws `invalid_target` for an API that is not the client's. */
export function resourceIndicators(clients: ClientCache, types: DetailTypes) {
  return {
    enabled: true,
    /**
     * Several may be consented to at once; a token is for one, so the request names it. Who asks in detail has named
     * the API by the type.
     */
    defaultResource: async (
      ctx: KoaContextWithOIDC,
      _client: Client,
      given?: readonly string[] | undefined,
    ) => {
      const oneOf = given ?? apisOfDetails(types, ctx.oidc.params?.authorization_details)
      return (oneOf.length > 1 ? oneOf : oneOf[0]) as string | undefined
    },
    /**
     * A refresh or redemption that names no API gets the token that userinfo takes, unless something was granted in
     * detail: whoever asked for that need not know of resource indicators (RFC 9396 §7).
     */
    useGrantedResource: async (_ctx: KoaContextWithOIDC, source: object): Promise<boolean> =>
      (source as { rar?: unknown[] }).rar !== undefined,
    getResourceServerInfo: async (_ctx: KoaContextWithOIDC, identifier: string, client: Client) => {
      const allowed = allowedApis(client).find((api) => api.identifier === identifier)
      const api = allowed && (await clients.api(identifier))
      if (!api) {
        throw new errors.InvalidTarget('this client may not use the resource, or it does not exist')
      }
      return {
        scope: allowed.scopes.join(' '),
        audience: identifier,
        accessTokenFormat: api.tokenFormat,
        accessTokenTTL: api.tokenLifetimeSeconds,
        ...(api.tokenFormat === 'jwt' ? { jwt: { sign: { alg: api.tokenAlg } } } : {}),
      }
    },
  }
}

/**
 * Whether the client is a service of the API that a token is for: it may ask about such tokens. Our own API is served by
 * us alone; a service that may call it learns nothing of other tokens for it.
 */
export function servesApi(client: Client | undefined, audience: unknown, issuer: string): boolean {
  return (
    client?.grantTypeAllowed('client_credentials') === true &&
    audience !== ownApiIdentifier(issuer) &&
    allowedApis(client).some((api) => api.identifier === audience)
  )
}

export function allowedApis(client: Client): AllowedApi[] {
  return (client.apis ?? []) as AllowedApi[]
}

/**
 * Some apps send the `resource` of another product to every provider. For a client marked so, what names none of
 * its APIs is left out; for all others it is `invalid_target`.
 */
export function withoutForeignResources(
  client: Pick<StoredClient, 'ignoresUnknownResource' | 'apis'> | undefined,
  resource: string | string[] | undefined,
): string[] | undefined {
  if (!client?.ignoresUnknownResource || resource === undefined) return undefined
  const own = client.apis.map(({ identifier }) => identifier)
  return [resource].flat().filter((identifier) => own.includes(identifier))
}
