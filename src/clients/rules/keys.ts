/** Rules for public keys that somebody registers: a client its own, an admin those of an issuer. */
import type { Problem } from './problem.ts'

export type KeySet = { keys: Record<string, unknown>[] }

const shortestRsaBits = 2048
const privateParts = ['d', 'p', 'q', 'k', 'priv']

export function checkKeySet(jwks: KeySet): Problem[] {
  const add = (code: string, message: string, fix: string): Problem[] => [
    { field: 'jwks', code, message, fix },
  ]
  if (!Array.isArray(jwks.keys) || jwks.keys.length === 0) {
    return add('jwks_malformed', 'is not a key set', 'Give {"keys": [public keys]} (RFC 7517 §5).')
  }
  if (
    jwks.keys.some((key) => key?.kty === 'oct' || privateParts.some((part) => part in Object(key)))
  ) {
    return add(
      'jwks_private',
      'holds a private or shared key',
      'Export the public keys alone and replace that key: it has been shown.',
    )
  }
  if (jwks.keys.some(({ kty, n }) => kty === 'RSA' && typeof n === 'string' && isShort(n))) {
    return add(
      'jwks_weak',
      `holds an RSA key of fewer than ${shortestRsaBits} bits`,
      'Make a new one, or use a P-256 or Ed25519 key.',
    )
  }
  return []
}

function isShort(modulus: string): boolean {
  return Buffer.from(modulus, 'base64url').length * 8 < shortestRsaBits
}
