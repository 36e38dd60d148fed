/** An app that asks by a way that is not its own is told so in the word that RFC 6749 §5.2 has for it. */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'

/** The engine says `invalid_request`. */
export function nameUnauthorizedClients(provider: Provider): void {
  const rename = (ctx: KoaContextWithOIDC) => {
    const body = ctx.body as { error?: string; error_description?: string } | undefined
    if (body?.error !== 'invalid_request') return
    if (!/grant.* is not allowed for this client$/.test(body.error_description ?? '')) return
    ctx.body = { ...body, error: 'unauthorized_client' }
  }
  provider.on('grant.error', rename)
  provider.on('device_authorization.error', rename)
  provider.on('backchannel_authentication.error', rename)
}
