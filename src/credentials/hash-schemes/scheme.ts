/** What the schemes of stored passwords have in common, and how the bytes in them are spelled. */

/** Compares a password (normalized) with the one hash that it was made for. */
export type Comparison = (password: string) => Promise<boolean>

/** Undefined for a hash of another scheme, and for one that is broken or too costly to run. */
export type Scheme = (hash: string) => Comparison | undefined

/** Base64 without padding or with it; passlib and Authelia write `.` for `+`. Undefined when it is none. */
export function decodeBytes(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/.]+={0,2}$/.test(text)) return undefined
  return Buffer.from(text.replaceAll('.', '+'), 'base64')
}

/** Decimal without sign and leading zeros; NaN otherwise, which passes no comparison. */
export function readCount(text: string | undefined): number {
  return text !== undefined && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : Number.NaN
}
