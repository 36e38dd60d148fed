/**
 * Counts, and refuses what is too much. Counting is one atomic statement that comes before the act, so a burst
 * gets no more through than a queue would (PW-14). What is allowed stands in limit-table.ts; the way a sign-in is
 * counted in sign-in-limits.ts. Without the database nothing is let through: the act would need it as well.
 */
import { hash } from 'node:crypto'
import type pg from 'pg'
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import { type Keyring, randomToken } from '../crypto.ts'
import { AppError } from '../errors.ts'
import { type LimitName, type LimitRule, limitTable, type Window } from './limit-table.ts'

export type Limits = {
  /** Counts one. Throws 429 `too_many_requests` with the seconds to wait. */
  consume(name: LimitName, ...key: string[]): Promise<void>
  /** Counts one; false when it was too much. For acts that are left out silently, such as a mail. */
  allows(name: LimitName, ...key: string[]): Promise<boolean>
  /** Throws as `consume` would, and counts nothing. With a `memory` limit it costs no statement. */
  check(name: LimitName, ...key: string[]): Promise<void>
  /** Gives one back. */
  refund(name: LimitName, ...key: string[]): Promise<void>
  /** Forgets everything that was counted under these keys, by one statement. */
  reset(...counts: [name: LimitName, ...key: string[]][]): Promise<void>
}

type Limiter = RateLimiterMemory | RateLimiterPostgres

/** `factor` multiplies every allowance. Keys are hashed: no address or name is stored or kept in memory. */
export function createLimits(options: { pool: pg.Pool; keyring: Keyring; factor: number }): Limits {
  const { pool, keyring, factor } = options
  const entries = Object.entries<LimitRule>(limitTable).map(([name, rule]) => [
    name,
    rule.windows.map((window) => createLimiter({ pool, factor, name, rule, window })),
  ])
  const salt = randomToken()
  const limiters = Object.fromEntries(entries) as Record<LimitName, Limiter[]>

  function keyOf(name: LimitName, key: string[]): string {
    const { per, store } = limitTable[name]
    if (key.length !== per.length) throw new Error(`limit ${name} has another key`)
    // What stays in this process needs no key that others know.
    if (store === 'memory') return hash('sha256', salt + JSON.stringify(key), 'base64url')
    return keyring.mac('limit', ...key).toString('base64url')
  }

  async function consume(name: LimitName, ...key: string[]): Promise<void> {
    const hashed = keyOf(name, key)
    // One after the other: what a short window refuses does not use up a long one.
    for (const limiter of limiters[name]) {
      await limiter.consume(hashed).catch((refusal: unknown) => {
        throw refusal instanceof RateLimiterRes ? tooMany(refusal) : refusal
      })
    }
  }

  return {
    consume,
    allows: (name, ...key) =>
      consume(name, ...key).then(
        () => true,
        (error: unknown) => {
          if (error instanceof AppError && error.status === 429) return false
          throw error
        },
      ),
    async check(name, ...key) {
      const hashed = keyOf(name, key)
      for (const limiter of limiters[name]) {
        const state = await limiter.get(hashed)
        if (state && state.consumedPoints >= limiter.points) throw tooMany(state)
      }
    },
    async refund(name, ...key) {
      const hashed = keyOf(name, key)
      await Promise.all(limiters[name].map((limiter) => limiter.reward(hashed)))
    },
    async reset(...counts) {
      const forgotten = counts.flatMap(([name, ...key]) => {
        const hashed = keyOf(name, key)
        return limiters[name].map((limiter) => ({ limiter, hashed }))
      })
      const rows = forgotten
        .filter(({ limiter }) => limiter instanceof RateLimiterPostgres)
        .map(({ limiter, hashed }) => limiter.getKey(hashed))
      const inMemory = forgotten.filter(({ limiter }) => limiter instanceof RateLimiterMemory)
      await Promise.all(inMemory.map(({ limiter, hashed }) => limiter.delete(hashed)))
      if (rows.length === 0) return
      // In one order for all, so that two of these never wait for each other.
      const text = `delete from rate_limits where key in (
        select key from rate_limits where key = any ($1) order by key for update)`
      await pool.query({ text, values: [rows] })
    },
  }
}

function createLimiter(options: {
  pool: pg.Pool
  factor: number
  name: string
  rule: LimitRule
  window: Window
}): Limiter {
  const { pool, rule, window } = options
  const points = Math.max(1, Math.ceil(window.points * options.factor))
  const common = {
    keyPrefix: `${options.name}/${window.seconds}`,
    points,
    duration: window.seconds,
  }
  if (rule.store === 'memory') return new RateLimiterMemory(common)
  return new RateLimiterPostgres({
    ...common,
    storeClient: pool,
    storeType: 'pool',
    tableName: 'rate_limits',
    tableCreated: true,
    // Expired rows are a job's business (cleanupLimits).
    clearExpiredByTimeout: false,
    // Who is over it already is refused without asking the database, unless the count may go down elsewhere.
    ...(rule.refunds ? {} : { inMemoryBlockOnConsumed: points }),
  })
}

function tooMany({ msBeforeNext }: RateLimiterRes): AppError {
  return new AppError('too_many_requests', 429, {
    retryAfterSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)),
  })
}

/** Removes expired rows, a few thousand at a time, and returns how many. For the cleanup job. */
export async function cleanupLimits(pool: pg.Pool, batchSize = 5000): Promise<number> {
  for (let removed = 0; ; ) {
    const { rowCount } = await pool.query(
      `delete from rate_limits where key = any (array(
         select key from rate_limits where expire < $1 limit $2 for update skip locked))`,
      [Date.now(), batchSize],
    )
    removed += rowCount ?? 0
    if ((rowCount ?? 0) < batchSize) return removed
  }
}
