/** scrypt (RFC 7914) as PHC strings: `$scrypt$ln=16,r=8,p=1$salt$key`. */
import { type ScryptOptions, scrypt as scryptWithCallback, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { type Comparison, decodeBytes, readCount } from './scheme.ts'

const scrypt = promisify<string, Buffer, number, ScryptOptions, Buffer>(scryptWithCallback)

/** A block is 128 bytes: 256 MiB, and about a second and a half of a core. */
const mostBlocks = 2 ** 21
const mostWork = 2 ** 22
const least = { key: 16, salt: 8 }
const most = { key: 128, salt: 128 }

export function scryptComparison(hash: string): Comparison | undefined {
  const found = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(hash)
  if (!found) return undefined
  const [ln, r, p] = [readCount(found[1]), readCount(found[2]), readCount(found[3])]
  const salt = decodeBytes(found[4] ?? '')
  const key = decodeBytes(found[5] ?? '')
  const N = 2 ** ln
  if (!salt || !key || !(ln <= 24 && N * r <= mostBlocks && N * r * p <= mostWork)) return undefined
  if (salt.length < least.salt || salt.length > most.salt) return undefined
  if (key.length < least.key || key.length > most.key) return undefined
  const options = { N, r, p, maxmem: 128 * (N * r + r * p + 64) * 2 }
  return async (password) => timingSafeEqual(await scrypt(password, salt, key.length, options), key)
}
