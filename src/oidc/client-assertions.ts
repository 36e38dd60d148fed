/**
 * Client assertions (private_key_jwt, RFC 7523 §3) beyond what the engine checks: that one is meant for us alone, lives
 * shortly, is not something else that the client signed, and keeps the client's profile.
 */

import type { JWTPayload } from 'jose'
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { strongAlgorithms } from '../clients/rules/profile.ts'
import { furthestFutureSeconds } from './dpop.ts'

/** A stolen one is worth something until it ends; its `jti` is remembered for as long. */
const longestSeconds = 3600

/** RFC 8725 §3.11: a request object of the same client has another type. */
const types = [undefined, 'JWT', 'client-authentication+jwt']

/** The engine's `assertJwtClientAuthClaimsAndHeader`, called once the signature has been verified. */
export async function assertClientAssertion(
  ctx: KoaContextWithOIDC,
  given: Record<string, unknown>,
  header: { typ?: unknown; alg?: unknown },
  client: Client,
): Promise<void> {
  const claims = given as JWTPayload
  const now = Math.floor(Date.now() / 1000)
  const refuse = (reason: string) => {
    throw new errors.InvalidClientAuth(reason)
  }
  if (!types.includes(header.typ as string | undefined)) refuse('the assertion is of another type')
  if ((claims.exp ?? 0) > now + longestSeconds) refuse('the assertion lives too long')
  if ((claims.iat ?? 0) > now + furthestFutureSeconds) refuse('the assertion is from the future')
  // Whoever else is named could use it here.
  if (Array.isArray(claims.aud) && claims.aud.length !== 1)
    refuse('the assertion has more than one audience')
  if (!client.profile) return
  if (claims.aud !== ctx.oidc.issuer) refuse('the audience must be the issuer alone')
  if (!strongAlgorithms.includes(String(header.alg)))
    refuse('the profile does not allow this algorithm')
}
