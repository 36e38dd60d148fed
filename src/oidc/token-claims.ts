/** What access tokens carry beside the members of the standards, and what a service's own never carry. */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import { standardScopes } from './claims.ts'

type Token = {
  kind: string
  aud?: string | string[] | undefined
  grantId?: string | undefined
  resourceServer?: { accessTokenFormat?: string | undefined } | undefined
}

/**
 * The engine's `extraTokenClaims`. A JWT names its grant (`gid`), so that introspection learns of its end.
 * Throws `invalid_scope` when a service asks for itself what only a person can allow (TK-17).
 */
export function extraTokenClaims(ctx: KoaContextWithOIDC, token: Token) {
  if (token.kind === 'ClientCredentials') {
    const asked = [...ctx.oidc.requestParamScopes].filter((scope) => standardScopes.includes(scope))
    if (asked.length > 0) {
      throw new errors.InvalidScope('only a person can allow this scope', asked.join(' '))
    }
  }
  const signed = token.aud && token.resourceServer?.accessTokenFormat === 'jwt'
  return token.kind === 'AccessToken' && signed ? { gid: token.grantId } : undefined
}
