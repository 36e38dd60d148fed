/**
 * Runs what was put off. graphile-worker owns its schema and its queue; handlers are given by app.ts and
 * must bear being run twice, since a job whose process died is run again.
 */
import { Logger as JobLogger, run, runMigrations } from 'graphile-worker'
import type pg from 'pg'
import type { Logger } from '../logger.ts'
import type { TaskName, Tasks } from './tasks.ts'

export type Handlers = { [T in TaskName]: (payload: Tasks[T]) => Promise<void> }

/** Brings graphile-worker's own schema up to date; run with ours, before the first job is put off. */
export async function migrateJobs(pool: pg.Pool): Promise<void> {
  await runMigrations({ pgPool: pool, logger: silent })
}

/** `crontab` in graphile-worker's format. `stop` waits for running jobs. */
export async function startWorker(options: {
  pool: pg.Pool
  handlers: Handlers
  logger: Logger
  crontab?: string
}): Promise<{ stop(): Promise<void> }> {
  const runner = await run({
    pgPool: options.pool,
    taskList: taskList(options.handlers),
    crontab: options.crontab ?? '',
    concurrency: 4,
    // main.ts alone decides what a signal means.
    noHandleSignals: true,
    pollInterval: 2000,
    logger: jobLogger(options.logger),
  })
  // Without a listener a worker that dies of a lost connection would take the process with it.
  runner.promise.catch((error: unknown) => options.logger.error({ err: error }, 'job worker ended'))
  return { stop: () => runner.stop() }
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
