/**
 * What an app brings as an `id_token_hint` is an ID token. The engine looks at signature, issuer and audience alone, which
 * answers of userinfo and logout tokens for the same app have as well (RFC 8725 §3.11).
 */
import type { Client, Provider } from 'oidc-provider'

type Verified = { header: { typ?: unknown }; payload: { auth_time?: unknown } }

export function takeOnlyIdTokens(provider: Provider): void {
  const model = provider.IdToken as unknown as {
    validate(jwt: string, client: Client): Promise<Verified>
  }
  const { validate } = model
  model.validate = async function validateIdToken(jwt, client) {
    const verified = await validate.call(model, jwt, client)
    // Ours have no type, and always say when the person signed in; nothing else that we sign does.
    const isIdToken =
      verified.header.typ === undefined && typeof verified.payload.auth_time === 'number'
    if (!isIdToken) throw new Error('a JWT of another kind')
    return verified
  }
}
