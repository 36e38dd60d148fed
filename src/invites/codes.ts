/**
 * The code of an invitation: derived from the root secret, so that the mail job can write it without any row or payload
 * holding it, and kept as a keyed hash. Told once, as a code to type and in a link.
 */
import { equalBytes, type Keyring } from '../crypto.ts'

/** Crockford's: no I, L, O and U, which are taken for others. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** 80 bits: nobody finds one by trying, however long. */
const characters = 16

/** As it is shown: `XXXX-XXXX-XXXX-XXXX`. */
export function inviteCode(keyring: Keyring, id: string): string {
  return spell(keyring.mac('invite-code', id))
}

/** The code under whichever key it was made; undefined when that key is gone. */
export function knownInviteCode(
  keyring: Keyring,
  { id, codeHash }: { id: string; codeHash: Buffer },
): string | undefined {
  return keyring
    .macs('invite-code', id)
    .map(spell)
    .find((code) => inviteHashes(keyring, code).some((hash) => equalBytes(hash, codeHash)))
}

/** Under the newest key first; none for what no code looks like. */
export function inviteHashes(keyring: Keyring, typed: string): Buffer[] {
  const code = readCode(typed)
  return code === undefined ? [] : keyring.macs('invite-hash', code)
}

/** Whether two codes are one, however each was typed. */
export function sameInvite(one: string, other: string): boolean {
  const code = readCode(one)
  return code !== undefined && code === readCode(other)
}

/** A path of the issuer. Opening it spends nothing. */
export function invitePath(code: string): string {
  return `/register?invite=${code}`
}

function spell(mac: Buffer): string {
  const letters = [...mac.subarray(0, characters)].map((byte) => alphabet[byte & 31]).join('')
  return (letters.match(/.{4}/g) ?? []).join('-')
}

/** However it was typed: small letters, without dashes, O for 0. */
function readCode(typed: string): string | undefined {
  if (typed.length > 64) return undefined
  const text = typed.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1')
  return /^[0-9A-HJKMNP-TV-Z]{16}$/.test(text) ? text : undefined
}
