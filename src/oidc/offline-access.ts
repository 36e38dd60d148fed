/**
 * `offline_access` without `prompt=consent`. The engine drops the scope then, as OpenID Connect Core §11
 * allows; most apps never send the prompt and lose their refresh token. Here the consent itself decides:
 * the scope is put back, and the consent page, a remembered consent or our own app covers it.
 */
import { decodeJwt } from 'jose'
import type { Client, KoaContextWithOIDC } from 'oidc-provider'

/** The engine's validator of an extra parameter, which runs after it has dropped the scope. */
export async function keepOfflineAccess(
  ctx: KoaContextWithOIDC,
  _value: unknown,
  client: Client,
): Promise<void> {
  const { params } = ctx.oidc
  if (!params) return
  const current = String(params.scope ?? '')
    .split(' ')
    .filter((scope) => scope !== '')
  if (current.includes('offline_access') || !current.includes('openid')) return
  if (!askedScopes(ctx).includes('offline_access')) return
  if (
    !String(params.response_type ?? '')
      .split(' ')
      .includes('code')
  )
    return
  if (!client.grantTypeAllowed('refresh_token')) return
  if (client.scope && !client.scope.split(' ').includes('offline_access')) return
  params.scope = [...current, 'offline_access'].join(' ')
}

/** The scope as it was sent: in a pushed request, a request object or plainly. */
function askedScopes(ctx: KoaContextWithOIDC): string[] {
  const body = ctx.oidc.body as Record<string, unknown> | undefined
  const pushed = ctx.oidc.entities.PushedAuthorizationRequest as { request?: string } | undefined
  // A parameter without a value counts as left out (RFC 6749 §3.1), and is no request object.
  const object = pushed?.request || body?.request || ctx.query.request
  const sent =
    typeof object === 'string' && object !== ''
      ? decodeJwt(object).scope
      : (body?.scope ?? ctx.query.scope)
  return typeof sent === 'string' ? sent.split(' ') : []
}
