/**
 * A refresh whose answer was lost may be repeated: for half a minute, and only while its successor is unused,
 * the same client and key get the same successor again. Any later replay ends the family (RFC 9700 §4.14.2).
 * The successor's value is derived from its parent, so it need not be stored to be given twice.
 */
import type { Provider } from 'oidc-provider'
import { type Keyring, sha256 } from '../crypto.ts'
import type { Found } from '../sessions/reads.ts'
import type { Payload } from './records.ts'
import { type UnitOfWork, unitOfWork } from './unit-of-work.ts'

const purpose = 'refresh-successor'

/**
 * Within the window the engine is not told that the token was consumed; the client check is the engine's. The
 * successor may have been made with a key that another process, or this one before a change, has as its newest.
 */
export function hideRetry(
  keyring: Keyring,
  unit: UnitOfWork,
  found: Found,
  payload: Payload,
): Payload {
  if (payload.consumed === undefined || !found.mayRetry) return payload
  const hash = found.token?.successor_hash as Buffer
  unit.successor = keyring
    .macs(purpose, payload.jti as string)
    .map((mac) => mac.toString('base64url'))
    .find((value) => sha256(value).equals(hash))
  if (!unit.successor) return payload
  const { consumed: _, ...unspent } = payload
  return unspent
}

/** The value of the one token that follows `id`. */
function successorOf(keyring: Keyring, unit: UnitOfWork, id: string): string {
  return unit.successor ?? keyring.mac(purpose, id).toString('base64url')
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
    successorHash: sha256(successorOf(keyring, unit, id)),
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
    return parent ? successorOf(keyring, unitOfWork(), parent.jti) : random.call(this)
  }
}
