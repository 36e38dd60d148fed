/** PBKDF2 with SHA-1, SHA-256 or SHA-512, as passlib and Authelia write it: `$pbkdf2-sha256$29000$salt$key`. */
import { pbkdf2 as pbkdf2WithCallback, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { type Comparison, decodeBytes, readCount } from './scheme.ts'

const pbkdf2 = promisify(pbkdf2WithCallback)

const digests = {
  pbkdf2: 'sha1',
  'pbkdf2-sha1': 'sha1',
  'pbkdf2-sha256': 'sha256',
  'pbkdf2-sha512': 'sha512',
} as const
export type Pbkdf2Digest = (typeof digests)[keyof typeof digests]

/** OWASP asks for 1.3 million of SHA-1, the cheapest; two million of SHA-512 take about a second. */
const mostIterations = 2_000_000
const least = { key: 16, salt: 4 }
const most = { key: 128, salt: 128 }

export function pbkdf2Comparison(hash: string): Comparison | undefined {
  const [before, name, costs = '', saltText = '', keyText = '', ...rest] = hash.split('$')
  const digest = digests[name as keyof typeof digests]
  if (before !== '' || rest.length > 0 || !Object.hasOwn(digests, name ?? '')) return undefined
  // The PHC form says `i=29000,l=32`.
  const iterations = readCount(/^(?:i=)?(\d+)(?:,l=\d+)?$/.exec(costs)?.[1])
  const salt = decodeBytes(saltText)
  const key = decodeBytes(keyText)
  if (!salt || !key || !(iterations <= mostIterations)) return undefined
  if (salt.length < least.salt || salt.length > most.salt) return undefined
  if (key.length < least.key || key.length > most.key) return undefined
  return async (password) =>
    timingSafeEqual(await pbkdf2(password, salt, iterations, key.length, digest), key)
}

/** For what others keep in fields of their own. */
export function writePbkdf2(made: {
  digest: Pbkdf2Digest
  iterations: number
  salt: Buffer
  key: Buffer
}): string {
  const spell = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '').replaceAll('+', '.')
  return `$pbkdf2-${made.digest}$${made.iterations}$${spell(made.salt)}$${spell(made.key)}`
}
