/**
 * bcrypt as most systems keep it. It looks at 72 bytes and, where it was written in C, ends at a NUL; so a password
 * with a NUL proves nothing here, and of a longer one it proves no more than its beginning.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Comparison } from './scheme.ts'
import { computeSlowHash } from './slow-hash.ts'

/** 2^15 rounds take a few seconds of a core. */
const mostCost = 15
/** `$2b$12$` and 22 characters of salt. */
const saltEnd = 29
export const bcryptBytes = 72

export function bcryptComparison(hash: string): Comparison | undefined {
  const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash) ?? []
  if (!(Number(cost) >= 4 && Number(cost) <= mostCost)) return undefined
  return async (password) => {
    // Run all the same, so that its time says nothing.
    const typed = password.replaceAll('\0', ' ')
    const salt = hash.slice(0, saltEnd)
    const made = Buffer.from(await computeSlowHash({ scheme: 'bcrypt', password: typed, salt }))
    const kept = Buffer.from(hash)
    return made.length === kept.length && timingSafeEqual(made, kept) && !password.includes('\0')
  }
}

/** True when this hash has not seen all of the password: what it did not see must not be set as proven. */
export function isCutByBcrypt(hash: string, password: string): boolean {
  return hash.startsWith('$2') && Buffer.byteLength(password) > bcryptBytes
}
