/**
 * bcrypt as most systems keep it. It looks at 72 bytes and, where it was written in C, ends at a NUL; so a password
 * with a NUL proves nothing here, and of a longer one it proves no more than its beginning.
 */
import type { Comparison } from './scheme.ts'

/** 2^15 rounds take about two seconds of a core. */
const mostCost = 15
export const bcryptBytes = 72

export function bcryptComparison(hash: string): Comparison | undefined {
  const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash) ?? []
  if (!(Number(cost) >= 4 && Number(cost) <= mostCost)) return undefined
  return async (password) => {
    const { verify } = await import('@node-rs/bcrypt')
    // Run all the same, so that its time says nothing.
    const same = await verify(password.replaceAll('\0', ' '), hash)
    return same && !password.includes('\0')
  }
}

/** True when this hash has not seen all of the password: what it did not see must not be set as proven. */
export function isCutByBcrypt(hash: string, password: string): boolean {
  return hash.startsWith('$2') && Buffer.byteLength(password) > bcryptBytes
}
