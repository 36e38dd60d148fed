/**
 * What a mail that proves something carries: six digits to type and a token for its link. Both are derived from the root
 * secret, so that a job that is run twice sends the same mail, and neither a row nor a payload ever holds them. Rows
 * hold hashes: keyed for the digits, which could be guessed, plain for the token.
 */
import { equalBytes, type Keyring, sha256 } from '../crypto.ts'

export type MailedSecrets = { code: string; codeHash: Buffer; token: string; tokenHash: Buffer }

/** `kind` keeps one kind of mail apart from all others: a code of one is none of another (AC-09). */
export function mailedSecrets(kind: string) {
  const hashCode = (keyring: Keyring, id: string, code: string) =>
    keyring.mac(`${kind}-code-hash`, id, code)

  return {
    /** Bound to `id`, the row's, and to each of `parts`: when one is another, the code is another (AC-08). */
    derive(keyring: Keyring, id: string, parts: string[]): MailedSecrets {
      const number = keyring.mac(`${kind}-code`, ...parts).readUIntBE(0, 6)
      const code = String(number % 1_000_000).padStart(6, '0')
      const token = keyring.mac(`${kind}-link`, ...parts).toString('base64url')
      return { code, codeHash: hashCode(keyring, id, code), token, tokenHash: sha256(token) }
    },

    /**
     * Hashes that no code and no token has. Stored when the mail holds none, so that guessing against an address with
     * an owner looks like guessing against any other.
     */
    decoy(keyring: Keyring, parts: string[]): Pick<MailedSecrets, 'codeHash' | 'tokenHash'> {
      return {
        codeHash: keyring.mac(`${kind}-decoy`, 'code', ...parts),
        tokenHash: keyring.mac(`${kind}-decoy`, 'link', ...parts),
      }
    },

    /** In constant time, under every key: a mail may have been sent before the newest key came. */
    isCode(keyring: Keyring, id: string, code: string, codeHash: Buffer | null): boolean {
      if (codeHash === null) return false
      return keyring
        .macs(`${kind}-code-hash`, id, code)
        .map((mac) => equalBytes(mac, codeHash))
        .includes(true)
    },
  }
}

/** `123 456` and full-width digits are read as they are meant; undefined unless there are six. */
export function readCode(typed: string): string | undefined {
  const digits = typed.slice(0, 64).normalize('NFKC').replace(/[\s-]/g, '')
  return /^\d{6}$/.test(digits) ? digits : undefined
}
