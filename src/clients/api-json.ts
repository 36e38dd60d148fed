/** How an API looks to programs. */
import type { Api } from './apis.ts'

export function apiJson(api: Api) {
  return {
    identifier: api.identifier,
    name: api.name,
    scopes: api.scopes,
    ...(api.builtIn ? { built_in: true } : {}),
    token_format: api.tokenFormat,
    access_token_lifetime: api.tokenLifetimeSeconds,
    token_alg: api.tokenAlg,
    authorization_types: Object.fromEntries(
      api.authorizationTypes.map(({ name, schema }) => [name, schema]),
    ),
    created_at: api.createdAt.toISOString(),
  }
}
