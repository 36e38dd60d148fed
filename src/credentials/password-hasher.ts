/**
 * Keeps passwords as argon2id (PHC strings) and compares them, a few at a time (hash-queue.ts). Every
 * comparison costs one hash, an unknown account's too, so that time tells nothing (security EN-01).
 * Hashes from elsewhere are verified as long as they are not made to hurt us. Which passwords are
 * acceptable is password-rules.ts; whether a person may try again is the door's business.
 */
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { hash as argon2, parseOptions, verify } from '@node-rs/argon2'
import { AppError } from '../errors.ts'
import { createHashQueue, type JobReport, type QueueStats } from './hash-queue.ts'
import { normalizePassword } from './password-rules.ts'

/** OWASP's second choice; 19 MiB and about 7 ms of one core. The library's defaults: argon2id, version 1.3, 16-byte salt. */
const today = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 }
const todaySalt = 16

/** As the library numbers them; its own names are const enums, which this project cannot import. */
const argon2id = 2
const version13 = 1

/** Stronger than this is not a stored password but an attack on our memory and time. KiB, passes, lanes. */
const most = { memoryCost: 1024 * 1024, timeCost: 64, parallelism: 16, work: 4 * 1024 * 1024 }
const least = { outputLen: 16, saltLen: 8, memoryPerLane: 8 }
const longestHash = 512

export type Hasher = {
  hash(password: string, signal?: AbortSignal): Promise<string>
  verify(hash: string | undefined, password: string, signal?: AbortSignal): Promise<boolean>
  needsRehash(hash: string): boolean
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
  const nobody = hashOfNobody()

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
      const usable = hash !== undefined && isUsableHash(hash)
      const matches = await queue.run(() => verify(usable ? hash : nobody, normalized), signal)
      return usable && matches
    },

    needsRehash,
    stats: queue.stats,
  }
}

/** An argon2 PHC string that is safe to run: ask this before storing a hash from elsewhere. */
export function isUsableHash(hash: string): boolean {
  const found = parse(hash)
  if (!found) return false
  return (
    found.memoryCost <= most.memoryCost &&
    found.timeCost <= most.timeCost &&
    found.parallelism <= most.parallelism &&
    found.memoryCost * found.timeCost <= most.work &&
    found.memoryCost >= found.parallelism * least.memoryPerLane &&
    found.timeCost >= 1 &&
    found.parallelism >= 1 &&
    found.outputLen >= least.outputLen &&
    found.saltLen >= least.saltLen
  )
}

/** True when the hash is weaker than today's in any respect; to be replaced when the password is at hand. */
function needsRehash(hash: string): boolean {
  const found = parse(hash)
  return (
    !found ||
    found.algorithm !== argon2id ||
    found.version !== version13 ||
    found.memoryCost < today.memoryCost ||
    found.timeCost < today.timeCost ||
    found.outputLen < today.outputLen ||
    found.saltLen < todaySalt
  )
}

function parse(hash: string) {
  if (hash.length > longestHash) return undefined
  try {
    return parseOptions(hash)
  } catch {
    return undefined
  }
}

/** Costs what a real hash costs and belongs to no password: its output is random. Nothing is computed here. */
function hashOfNobody(): string {
  const base64 = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '')
  const { memoryCost, timeCost, parallelism, outputLen } = today
  const cost = `m=${memoryCost},t=${timeCost},p=${parallelism}`
  return `$argon2id$v=19$${cost}$${base64(todaySalt)}$${base64(outputLen)}`
}
