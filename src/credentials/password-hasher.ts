/**
 * Keeps passwords as argon2id (PHC strings) and compares them, a few at a time (hash-queue.ts). Every
 * comparison costs one hash, an unknown account's too, so that time tells nothing (security EN-01).
 * Hashes from elsewhere (hash-schemes/) are verified as long as they are not made to hurt us, and replaced by ours at
 * the first sign-in. Which passwords are acceptable is password-rules.ts; whether a person may try again is the
 * door's business.
 */
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { hash as argon2 } from '@node-rs/argon2'
import { AppError } from '../errors.ts'
import { createHashQueue, type JobReport, type QueueStats } from './hash-queue.ts'
import { argon2Comparison, isArgon2idOf } from './hash-schemes/argon2.ts'
import { bcryptComparison, isCutByBcrypt } from './hash-schemes/bcrypt.ts'
import { pbkdf2Comparison } from './hash-schemes/pbkdf2.ts'
import type { Comparison, Scheme } from './hash-schemes/scheme.ts'
import { scryptComparison } from './hash-schemes/scrypt.ts'
import { shaCryptComparison } from './hash-schemes/sha-crypt.ts'
import { normalizePassword } from './password-rules.ts'

/** OWASP's second choice; 19 MiB and about 7 ms of one core. The library's defaults: argon2id, version 1.3, 16-byte salt. */
const today = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 }
const todaySalt = 16

const schemes: Scheme[] = [
  argon2Comparison,
  bcryptComparison,
  pbkdf2Comparison,
  scryptComparison,
  shaCryptComparison,
]
const longestHash = 512

export type Hasher = {
  hash(password: string, signal?: AbortSignal): Promise<string>
  verify(hash: string | undefined, password: string, signal?: AbortSignal): Promise<boolean>
  needsRehash(hash: string, password?: string): boolean
  stats(): QueueStats
}

type Options = {
  /** How many hashes may run at once; one core is left to everything else. */
  slots?: number
  maxWaitMs?: number
  onJob?: (report: JobReport) => void
}

/**
 * One per process. `hash` and `verify` throw `busy` (503, with `retryAfterSeconds`) when the wait would be
 * longer than `maxWaitMs`, and `request_aborted` (499) when `signal` fires while they wait; a hash that has
 * begun runs to its end.
 */
export function createPasswordHasher({
  slots = Math.max(1, availableParallelism() - 1),
  maxWaitMs = 2000,
  onJob,
}: Options = {}): Hasher {
  const queue = createHashQueue({ slots, maxWaitMs, onJob })
  const nobody = comparisonOf(hashOfNobody()) as Comparison

  return {
    /** `password` has passed `checkPassword`; another is refused with 400 and not hashed. */
    async hash(password, signal) {
      const normalized = normalizePassword(password)
      if (normalized === undefined) throw new AppError('password_invalid', 400)
      return queue.run(() => argon2(normalized, today), signal)
    },

    /**
     * False after the same work when there is no hash (`undefined`), or none that we would run.
     * False without any work when no account could have such a password (256 code points and more).
     */
    async verify(hash, password, signal) {
      const normalized = normalizePassword(password)
      if (normalized === undefined) return false
      const known = hash === undefined ? undefined : comparisonOf(hash)
      const matches = await queue.run(() => (known ?? nobody)(normalized), signal)
      return known !== undefined && matches
    },

    needsRehash,
    stats: queue.stats,
  }
}

/**
 * True for argon2, bcrypt, PBKDF2, scrypt and sha-crypt, as hash-schemes/ reads them, where it is safe to run: ask
 * this before storing a hash from elsewhere.
 */
export function isUsableHash(hash: string): boolean {
  return comparisonOf(hash) !== undefined
}

function comparisonOf(hash: string): Comparison | undefined {
  if (hash.length > longestHash) return undefined
  for (const scheme of schemes) {
    const comparison = scheme(hash)
    if (comparison) return comparison
  }
  return undefined
}

/**
 * True when the hash is weaker than today's in any respect, or of another scheme; to be replaced when the password is at
 * hand. A `password` that the hash proves in part only is not to become the account's.
 */
function needsRehash(hash: string, password = ''): boolean {
  if (isCutByBcrypt(hash, password)) return false
  return hash.length > longestHash || !isArgon2idOf(hash, { ...today, saltLen: todaySalt })
}

/** Costs what a real hash costs and belongs to no password: its output is random. Nothing is computed here. */
function hashOfNobody(): string {
  const base64 = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '')
  const { memoryCost, timeCost, parallelism, outputLen } = today
  const cost = `m=${memoryCost},t=${timeCost},p=${parallelism}`
  return `$argon2id$v=19$${cost}$${base64(todaySalt)}$${base64(outputLen)}`
}
