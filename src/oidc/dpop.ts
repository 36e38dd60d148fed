/**
 * Proofs of possession (RFC 9449). Nonces come from a secret that all processes share and that follows from
 * SECRET_KEY, so one is good at every process and after a restart. Clients that are held to DPoP must use them; others
 * may, and a proof without one has to be fresh.
 */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
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
      return client?.dpopBoundAccessTokens === true
    },
  } satisfies NonNullable<Configuration['features']>['dPoP']
}

function read(proof: string): { iat?: unknown; alg?: unknown } {
  try {
    return { iat: decodeJwt(proof).iat, alg: decodeProtectedHeader(proof).alg }
  } catch {
    // The engine says what is wrong with it.
    return {}
  }
}
