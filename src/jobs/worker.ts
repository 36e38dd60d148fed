/**
 * Runs what was put off. graphile-worker owns its schema and its queue; handlers are given by app.ts and
 * must bear being run twice, since a job whose process died is run again.
 */
import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Logger as JobLogger,
  type Runner,
  run,
  runMigrations,
  type WorkerEvents,
} from 'graphile-worker'
import type pg from 'pg'
import type { Logger } from '../logger.ts'
import type { TaskName, Tasks } from './tasks.ts'

export type Handlers = { [T in TaskName]: (payload: Tasks[T]) => Promise<void> }

/** Brings graphile-worker's own schema up to date; run with ours, before the first job is put off. */
export async function migrateJobs(pool: pg.Pool): Promise<void> {
  await runMigrations({ pgPool: pool, logger: silent })
}

type Options = { pool: pg.Pool; handlers: Handlers; logger: Logger; crontab?: string }

const firstPauseMs = 500
const longestPauseMs = 30_000
/** Our jobs take seconds; what is locked for longer was running in a process that died. */
const deadAfterSeconds = 120
const unlockEveryMs = 60_000

/**
 * `crontab` in graphile-worker's format. `stop` waits for running jobs. When the database goes away the library's
 * runner gives up; here it is begun again until it holds, so that mail leaves once the database is back.
 */
export async function startWorker(options: Options): Promise<{ stop(): Promise<void> }> {
  const { logger } = options
  const stopping = new AbortController()
  const events = new EventEmitter() as WorkerEvents
  let own: string | undefined
  events.on('pool:create', ({ workerPool }) => {
    own = workerPool.id
  })
  await unlockDead(options)
  let runner = await begin(options, events)
  const kept = keepRunning()
  const unlocking = setInterval(() => void unlockDead(options), unlockEveryMs).unref()
  return {
    async stop() {
      stopping.abort()
      clearInterval(unlocking)
      // A runner that ended by itself refuses to be stopped; there is nothing left to wait for then.
      await runner
        .stop()
        .catch((error: unknown) => logger.debug({ err: error }, 'runner had ended'))
      await kept
    },
  }

  async function keepRunning(): Promise<void> {
    for (let pauseMs = firstPauseMs; !stopping.signal.aborted; ) {
      const endedAfterMs = await ended(runner)
      if (stopping.signal.aborted) return
      pauseMs = endedAfterMs > longestPauseMs ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs)
      logger.warn({ pauseMs }, 'job worker ended; beginning again')
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
      await unlockDead(options, own)
      await begin(options, events).then(
        (next) => {
          runner = next
        },
        (error: unknown) => logger.error({ err: error }, 'job worker could not begin'),
      )
    }
  }
}

/**
 * Jobs of processes that were killed, and of `ended`, a runner of ours that gave up. The library itself would look at
 * them after four hours; a mailed code lives for minutes.
 */
async function unlockDead({ pool, logger }: Options, ended = ''): Promise<void> {
  try {
    await pool.query(
      `select graphile_worker.force_unlock_workers(array_agg(distinct locked_by))
        from graphile_worker.jobs
        where locked_by = $2 or locked_at < now() - make_interval(secs => $1) having count(*) > 0`,
      [deadAfterSeconds, ended],
    )
  } catch (error) {
    logger.warn({ err: error }, 'could not look for jobs of dead processes')
  }
}

/** Milliseconds that the runner lasted. */
async function ended(runner: Runner): Promise<number> {
  const begun = performance.now()
  await runner.promise.catch(() => {})
  return performance.now() - begun
}

function begin(
  { pool, handlers, logger, crontab = '' }: Options,
  events: WorkerEvents,
): Promise<Runner> {
  return run({
    events,
    pgPool: pool,
    taskList: taskList(handlers),
    crontab,
    // main.ts alone decides what a signal means.
    noHandleSignals: true,
    logger: jobLogger(logger),
    preset: {
      worker: {
        concurrentJobs: 4,
        pollInterval: 2000,
        // Batches are awaited and retried by the library; single completions are not, and a database that is away
        // just then would end the process by an unhandled rejection.
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  })
}

function taskList(handlers: Handlers) {
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handle]) => [
      name,
      (payload: unknown) => (handle as (payload: unknown) => Promise<void>)(payload),
    ]),
  )
}

const silent = new JobLogger(() => () => {})

/** The library writes a line per job; only what needs a look passes. */
function jobLogger(logger: Logger): JobLogger {
  return new JobLogger((scope) => (level, message, meta) => {
    if (level === 'error') logger.error({ job: scope.taskIdentifier, ...errorOf(meta) }, message)
    else if (level === 'warning') logger.warn({ job: scope.taskIdentifier }, message)
  })
}

function errorOf(meta: unknown): { err?: unknown } {
  const error = (meta as { error?: unknown } | undefined)?.error
  return error === undefined ? {} : { err: error }
}
