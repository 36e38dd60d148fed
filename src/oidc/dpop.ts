/**
 * Proofs of possession (RFC 9449). Nonces come from a secret that all processes share and that follows from
 * SECRET_KEY, so one is good at every process and after a restart. Clients that are held to DPoP must use them; others
 * may, and a proof without one has to be fresh.
 */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { Context } from 'koa'
import { type Configuration, errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { strongAlgorithms } from '../clients/rules/profile.ts'
import type { Keyring } from '../crypto.ts'

/** FAPI 2.0 §5.3.2.1: clocks may differ by ten seconds, and not by more than a minute. */
export const furthestFutureSeconds = 60

export const proofAlgorithms = ['ES256', 'EdDSA', 'RS256', 'PS256'] as const

export function dpop(keyring: Keyring) {
  return {
    enabled: true,
    nonceSecret: keyring.mac('dpop-nonce'),
    requireNonce(ctx: KoaContextWithOIDC): boolean {
      const { client } = ctx.oidc
      const { iat, alg } = read(ctx.get('DPoP'))
      // The engine takes a proof from five minutes ahead, and would forget it before it has expired.
      if (Number(iat) > Math.floor(Date.now() / 1000) + furthestFutureSeconds) {
        throw new errors.InvalidDpopProof('DPoP proof iat is in the future')
      }
      if (client?.profile && !strongAlgorithms.includes(String(alg))) {
        throw new errors.InvalidDpopProof('the profile of the client does not allow this algorithm')
      }
      return (client?.dpopBoundAccessTokens ?? holders.get(ctx.req)) === true
    },
  } satisfies NonNullable<Configuration['features']>['dPoP']
}

/** Requests to userinfo by whether the client that the token was given to is held to DPoP. */
const holders = new WeakMap<KoaContextWithOIDC['req'], boolean>()

/**
 * Userinfo judges a proof before it looks at the token, so whose it is has to be known before. The token is read once:
 * the unit of work keeps it for the engine.
 */
export async function learnHolder(ctx: Context, provider: Provider): Promise<void> {
  const value = /^DPoP ([\w-]+)$/i.exec(ctx.get('Authorization'))?.[1]
  if (value === undefined || ctx.get('DPoP') === '') return
  const token = await provider.AccessToken.find(value)
  const client = token?.clientId ? await provider.Client.find(token.clientId) : undefined
  holders.set(ctx.req, client?.dpopBoundAccessTokens === true)
}

function read(proof: string): { iat?: unknown; alg?: unknown } {
  try {
    return { iat: decodeJwt(proof).iat, alg: decodeProtectedHeader(proof).alg }
  } catch {
    // The engine says what is wrong with it.
    return {}
  }
}
