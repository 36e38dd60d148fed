/**
 * What a mail that proves something carries: six digits to type and a token for its link, both derived from the root
 * secret, so that a job that is run twice sends the same mail and neither a row nor a payload holds them.
 */
import { equalBytes, type Keyring, sha256 } from '../crypto.ts'
import type { ProofPurpose } from '../database/tables.ts'

type Mail = { id: string; purpose: ProofPurpose; emailCanonical: string; mailNumber: number }

/** Bound to purpose, row, address and mail: each of them another, and the code is another (AC-08, AC-09). */
export function deriveProof(keyring: Keyring, mail: Mail) {
  const parts = [mail.purpose, mail.id, mail.emailCanonical, String(mail.mailNumber)]
  const number = keyring.mac('mail-proof-code', ...parts).readUIntBE(0, 6)
  const code = String(number % 1_000_000).padStart(6, '0')
  const token = keyring.mac('mail-proof-link', ...parts).toString('base64url')
  return { code, codeHash: hashCode(keyring, mail.id, code), token, tokenHash: sha256(token) }
}

/** Hashes that no code and no token has, for an address that nobody is to be told about. */
export function deriveProofDecoy(keyring: Keyring, { id, mailNumber }: Mail) {
  const parts = [id, String(mailNumber)]
  return {
    codeHash: keyring.mac('mail-proof-decoy', 'code', ...parts),
    tokenHash: keyring.mac('mail-proof-decoy', 'link', ...parts),
  }
}

function hashCode(keyring: Keyring, id: string, code: string): Buffer {
  return keyring.mac('mail-proof-code-hash', id, code)
}

/** In constant time, under every key: a mail may have been sent before the newest key came. */
export function isProofCode(
  keyring: Keyring,
  id: string,
  code: string,
  codeHash: Buffer | null,
): boolean {
  if (codeHash === null) return false
  return keyring
    .macs('mail-proof-code-hash', id, code)
    .map((mac) => equalBytes(mac, codeHash))
    .includes(true)
}

/** What the browser that asked holds, beside the row's id. */
export function proofHandle(keyring: Keyring, id: string): string {
  return keyring.mac('mail-proof-handle', id).toString('base64url')
}

export function isProofHandle(keyring: Keyring, id: string, handle: string): boolean {
  const given = Buffer.from(handle, 'base64url')
  return keyring.macs('mail-proof-handle', id).some((mac) => equalBytes(mac, given))
}

/** `123 456` and full-width digits are read as they are meant; undefined unless there are six. */
export function readCode(typed: string): string | undefined {
  const digits = typed.slice(0, 64).normalize('NFKC').replace(/[\s-]/g, '')
  return /^\d{6}$/.test(digits) ? digits : undefined
}
