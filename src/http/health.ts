/**
 * Whether this process lives (`/healthz`) and whether it can serve (`/readyz`). Ready takes a database that can be
 * written, its schema, and keys to sign with; a stuck mail queue is told, and changes no status.
 */
import type { Middleware } from 'koa'
import type { Database } from '../database/connection.ts'
import { migrationStatus } from '../database/migrate.ts'

export type Check = 'ok' | 'degraded' | 'failed'

export type Readiness = {
  status: 'ok' | 'degraded' | 'unavailable'
  checks: { process: Check; database: Check; migrations: Check; keys: Check; mail: Check }
}

export type Health = {
  /** Never throws, takes two seconds at most, and asks the database once a second at most. */
  readiness(): Promise<Readiness>
  /** `/healthz` and `/readyz`, whatever the Host; in detail to loopback peers only. */
  routes: Middleware
}

const cacheMs = 1000
const timeoutMs = 2000
/** A mail that waits longer than a person would; a few refused tries are an ordinary grey-listing. */
const stuckMail = `select exists (
  select from graphile_worker.jobs
  where task_identifier like 'mail.%' and attempts < max_attempts
    and created_at < now() - interval '5 minutes'
    and (run_at < now() - interval '5 minutes' or attempts >= 3)) as bad`

/** `isClosing`: from then on not ready, so that nobody sends more. */
export function createHealth(options: { database: Database; isClosing?: () => boolean }): Health {
  const { database, isClosing = () => false } = options
  let cached: { at: number; answer: Promise<Readiness> } | undefined
  // Migrations only move forward while a process runs, so once seen is seen.
  let migrated = false

  async function look(): Promise<Readiness> {
    const migrations = async () => {
      migrated ||= (await migrationStatus(database)).every(({ appliedAt }) => appliedAt !== null)
      return migrated
    }
    const isTrue = async (sql: string) => (await database.pool.query(sql)).rows[0]?.bad === false
    const inTime = withTimeout(timeoutMs)
    const [writable, schema, keys, mail] = await Promise.all([
      inTime(() => isTrue('select pg_is_in_recovery() as bad')),
      inTime(migrations),
      inTime(() =>
        isTrue(`select not exists (select from signing_keys where state = 'current') as bad`),
      ),
      inTime(() => isTrue(stuckMail)),
    ])
    return judge({
      process: 'ok',
      database: writable ? 'ok' : 'failed',
      migrations: schema ? 'ok' : 'failed',
      keys: keys ? 'ok' : 'failed',
      mail: mail ? 'ok' : 'degraded',
    })
  }

  async function readiness(): Promise<Readiness> {
    if (!cached || performance.now() - cached.at > cacheMs) {
      cached = { at: performance.now(), answer: look() }
    }
    const { checks } = await cached.answer
    return isClosing() ? judge({ ...checks, process: 'failed' }) : judge(checks)
  }

  return {
    readiness,
    routes: async function healthRoutes(ctx, next) {
      if (ctx.path !== '/healthz' && ctx.path !== '/readyz') {
        await next()
        return
      }
      ctx.state.route = ctx.path
      if (ctx.path === '/healthz') {
        ctx.body = { status: 'ok' }
        return
      }
      const answer = await readiness()
      ctx.status = statusCode(answer)
      ctx.body = ctx.state.fromLoopback ? answer : { status: answer.status }
    },
  }
}

export function statusCode({ status }: Readiness): 200 | 503 {
  return status === 'unavailable' ? 503 : 200
}

function judge(checks: Readiness['checks']): Readiness {
  const seen = Object.values(checks)
  if (seen.includes('failed')) return { status: 'unavailable', checks }
  return { status: seen.includes('degraded') ? 'degraded' : 'ok', checks }
}

/** One deadline for all; a check that fails or comes late is a false one. */
function withTimeout(ms: number): (check: () => Promise<boolean>) => Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  setTimeout(() => resolve(false), ms).unref()
  return (check) => Promise.race([check().catch(() => false), late])
}
