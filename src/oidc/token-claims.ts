/** What access tokens carry beside the members of the standards, and what a service's own never carry. */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import { ownApiIdentifier, scopesOfPeople } from '../clients/own-api.ts'
import { standardScopes } from '../clients/scopes.ts'
import { claimsOfDerived } from './derived-tokens.ts'
import { roleClaimsOfToken } from './role-claims.ts'

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
export async function extraTokenClaims(ctx: KoaContextWithOIDC, token: Token) {
  if (token.kind === 'ClientCredentials') {
    const all = [...ctx.oidc.requestParamScopes]
    const ours = token.aud === ownApiIdentifier(ctx.oidc.issuer) ? scopesOfPeople(all) : []
    const asked = [...all.filter((scope) => standardScopes.includes(scope)), ...ours]
    if (asked.length > 0) {
      throw new errors.InvalidScope('only a person can allow this scope', asked.join(' '))
    }
  }
  if (token.kind !== 'AccessToken') return undefined
  const signed = token.aud && token.resourceServer?.accessTokenFormat === 'jwt'
  const named = signed ? { gid: token.grantId } : {}
  const roles = signed ? await roleClaimsOfToken(ctx) : {}
  return { ...roles, ...provenBy(ctx), ...claimsOfDerived(token), ...named }
}

type Source = { acr?: string; amr?: string[]; authTime?: number }

/** How and when the person signed in (RFC 9470 §6), from whatever the token is redeemed for. */
function provenBy({ oidc }: KoaContextWithOIDC): Record<string, unknown> {
  const { AuthorizationCode, RefreshToken, DeviceCode, BackchannelAuthenticationRequest } =
    oidc.entities as Record<string, Source | undefined>
  const { acr, amr, authTime } =
    AuthorizationCode ?? RefreshToken ?? DeviceCode ?? BackchannelAuthenticationRequest ?? {}
  return {
    ...(acr === undefined ? {} : { acr }),
    ...(amr === undefined ? {} : { amr }),
    ...(authTime === undefined ? {} : { auth_time: authTime }),
  }
}
