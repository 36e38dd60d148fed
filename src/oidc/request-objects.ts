/**
 * Request objects (JAR, RFC 9101) beyond what the engine checks. They come by value, plainly or pushed; what a
 * pushed one said was checked when it came.
 */

import type { JWTPayload } from 'jose'
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { strongAlgorithms } from '../clients/rules/profile.ts'
import { furthestFutureSeconds } from './dpop.ts'

/** FAPI 2.0 Message Signing §5.3.1: sixty minutes from `nbf`. */
const longestSeconds = 3600
const longestObject = 16 * 1024
const types = [undefined, 'JWT', 'oauth-authz-req+jwt']

/** The engine's `requestObjects.assertJwtClaimsAndHeader`. */
export async function assertRequestObject(
  ctx: KoaContextWithOIDC,
  given: Record<string, unknown>,
  header: { typ?: unknown; alg?: unknown },
  client: Client,
): Promise<void> {
  if (ctx.oidc.entities.PushedAuthorizationRequest) return
  const refuse = (reason: string) => {
    throw new errors.InvalidRequestObject(reason)
  }
  const claims = given as JWTPayload
  const now = Math.floor(Date.now() / 1000)
  if (String(ctx.oidc.params?.request).length > longestObject)
    refuse('the request object is too long')
  if (!types.includes(header.typ as string | undefined))
    refuse('the request object is of another type')
  // RFC 9101 §10.8: with the client as its subject it could serve as a client assertion.
  if (claims.sub === client.clientId) refuse('the request object must not be about the client')
  for (const claim of demanded(ctx, client)) {
    if (claims[claim] === undefined) refuse(`the request object lacks ${claim}`)
  }
  const { exp = 0, nbf, iat } = claims
  const lives = exp - (nbf ?? iat ?? now)
  if (lives <= 0 || lives > longestSeconds) refuse('the request object lives too long')
  if ((iat ?? 0) > now + furthestFutureSeconds) refuse('the request object is from the future')
  if (client.profile && !strongAlgorithms.includes(String(header.alg))) {
    refuse('the profile does not allow this algorithm')
  }
}

function demanded(ctx: KoaContextWithOIDC, client: Client): string[] {
  // CIBA Core §7.1.1.
  if (ctx.oidc.route === 'backchannel_authentication') return ['exp', 'iat', 'nbf', 'jti']
  return client.profile ? ['exp', 'nbf'] : ['exp']
}
