/**
 * What a verification mail carries: six digits to type and a token for its link. Both are derived from the
 * root secret and the mail's number, so a job that is run twice sends the same mail, and neither a row nor a
 * payload ever holds them. Rows hold hashes: keyed for the digits, which could be guessed, plain for the token.
 */
import { equalBytes, type Keyring, sha256 } from '../crypto.ts'
import type { Registration } from './deps.ts'

type Mail = Pick<Registration, 'id' | 'mailNumber' | 'emailCanonical'>

export type ProofSecrets = { code: string; codeHash: Buffer; token: string; tokenHash: Buffer }

/** Bound to registration, address and mail: each of them another, and the code is another. */
export function deriveSecrets(keyring: Keyring, mail: Mail): ProofSecrets {
  const parts = [mail.id, mail.emailCanonical, String(mail.mailNumber)]
  const number = keyring.mac('verification-code', ...parts).readUIntBE(0, 6)
  const code = String(number % 1_000_000).padStart(6, '0')
  const token = keyring.mac('verification-link', ...parts).toString('base64url')
  return { code, codeHash: hashCode(keyring, mail.id, code), token, tokenHash: sha256(token) }
}

/**
 * Hashes that no code and no token has. Stored when the mail holds none, so that guessing against an address
 * with an owner looks like guessing against any other.
 */
export function deriveDecoy(
  keyring: Keyring,
  mail: Mail,
): Pick<ProofSecrets, 'codeHash' | 'tokenHash'> {
  const parts = [mail.id, mail.emailCanonical, String(mail.mailNumber)]
  return {
    codeHash: keyring.mac('verification-decoy', 'code', ...parts),
    tokenHash: keyring.mac('verification-decoy', 'link', ...parts),
  }
}

function hashCode(keyring: Keyring, id: string, code: string): Buffer {
  return keyring.mac('verification-code-hash', id, code)
}

/** In constant time, under every key: a mail may have been sent before the newest key came. */
export function isCode(
  keyring: Keyring,
  id: string,
  code: string,
  codeHash: Buffer | null,
): boolean {
  if (codeHash === null) return false
  return keyring
    .macs('verification-code-hash', id, code)
    .map((mac) => equalBytes(mac, codeHash))
    .includes(true)
}
