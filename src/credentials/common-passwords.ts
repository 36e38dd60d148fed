/**
 * The offline list of passwords that guessers try first (common-passwords.txt says where it comes from).
 * Read once, at the first question: a process that never sets a password never pays for it (about 2 MB).
 */
import { readFileSync } from 'node:fs'

let known: Set<string> | undefined

/** Every entry of the list, lower case and NFC. */
export function commonPasswords(): ReadonlySet<string> {
  known ??= new Set(
    readFileSync(new URL('./common-passwords.txt', import.meta.url), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#')),
  )
  return known
}

/** Compares the whole password, whatever its case: `Sunshine1` is as well known as `sunshine1`. */
export function isCommonPassword(password: string): boolean {
  return commonPasswords().has(password.toLowerCase())
}
