/**
 * A refresh whose answer was lost may be repeated: for half a minute, and only while its successor is unused,
 * the same client and key get the same successor again. Any later replay ends the family (RFC 9700 §4.14.2).
 * The successor's value is derived from its parent, so it need not be stored to be given twice.
 */
import type { Provider } from 'oidc-provider'
import { type Keyring, sha256 } from '../crypto.ts'
import type { Found } from '../sessions/reads.ts'
import type { Payload } from './records.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** The value of the one token that follows `id`. */
function successorOf(keyring: Keyring, id: string): string {
  return keyring.mac('refresh-successor', id).toString('base64url')
}

/** Within the window the engine is not told that the token was consumed; the client check is the engine's. */
export function hideRetry(unit: UnitOfWork, found: Found, payload: Payload): Payload {
  if (payload.consumed === undefined || !found.mayRetry) return payload
  const { consumed: _, ...unspent } = payload
  unit.retriedRefresh = true
  return unspent
}

export async function consumeRefreshToken(
  keyring: Keyring,
  unit: UnitOfWork,
  id: string,
): Promise<void> {
  unit.writes.set(`spend:RefreshToken:${id}`, {
    kind: 'spend',
    from: 'refresh_tokens',
    idHash: sha256(id),
    successorHash: sha256(successorOf(keyring, id)),
  })
}

/** Makes a rotated refresh token's value follow from its parent; a first one stays random. */
export function deriveSuccessors(
  provider: Provider,
  engine: typeof Provider,
  keyring: Keyring,
): void {
  const { prototype } = provider.RefreshToken as unknown as {
    prototype: { generateTokenId(): string }
  }
  const random = prototype.generateTokenId
  prototype.generateTokenId = function generateTokenId() {
    const parent = engine.ctx?.oidc.entities.RotatedRefreshToken as { jti: string } | undefined
    return parent ? successorOf(keyring, parent.jti) : random.call(this)
  }
}
