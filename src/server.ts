/** The life of one server: storage, schema, keys, jobs and a listening port, in that order, and back again. */
import { type App, createApp } from './app.ts'
import { listAuthorizationTypes } from './clients/authorization-types.ts'
import { ensureOwnApi } from './clients/ensure-own-api.ts'
import type { Config } from './config.ts'
import { createKeyring } from './crypto.ts'
import { openDatabase } from './database/connection.ts'
import { unavailability } from './database/errors.ts'
import { migrate } from './database/migrate.ts'
import { watchVersions } from './database/versions.ts'
import { type Listening, listen } from './http/listen.ts'
import { serveMetrics } from './http/metrics-server.ts'
import { migrateJobs, startWorker } from './jobs/worker.ts'
import type { Logger } from './logger.ts'
import { createMailer } from './mail/transport.ts'
import { loadLastingSecret } from './oidc/lasting-secrets.ts'
import { ensureSigningKeys, loadSigningKeys } from './oidc/signing-keys.ts'

export type RunningServer = {
  port: number
  /** Requests under way finish, jobs stop, the database is left; true when nothing had to be cut off. */
  close(): Promise<boolean>
}

/** Expired rows are removed every ten minutes, signing keys looked after every hour, wherever it falls due. */
const dueTimes = ['*/10 * * * * cleanup', '13 * * * * rotate-keys'].join('\n')

/**
 * Rejects, in words, when anything that is needed is missing; then nothing is left running. An empty `crontab` leaves
 * the jobs that fall due by the clock to others. With `examineAfterMs` it looks at itself so long after it has come up
 * (doctor/at-start.ts): mistakes become warnings, and nobody waits for that.
 */
export async function startServer(
  config: Config,
  logger: Logger,
  { crontab = dueTimes, examineAfterMs }: { crontab?: string; examineAfterMs?: number } = {},
): Promise<RunningServer> {
  const undo: (() => Promise<unknown>)[] = []
  const leave = async () => {
    for (const step of undo.splice(0).reverse()) {
      await step().catch((error: unknown) => logger.error({ err: error }, 'could not stop cleanly'))
    }
  }
  try {
    return await start({ config, logger, crontab, examineAfterMs }, undo, leave)
  } catch (error) {
    await leave()
    throw error
  }
}

async function start(
  options: {
    config: Config
    logger: Logger
    crontab: string
    examineAfterMs: number | undefined
  },
  undo: (() => Promise<unknown>)[],
  leave: () => Promise<void>,
): Promise<RunningServer> {
  const { config, logger, crontab, examineAfterMs } = options
  const database = await openDatabase({
    ...config,
    onError: (error) => logger.error({ err: error }, 'database connection'),
  })
  undo.push(() => database.close())
  const applied = await whenReachable(() => migrate(database, [migrateJobs]), logger)
  if (applied.length > 0) logger.info({ applied }, 'schema migrated')

  // Watched from before the keys are read, so that no change falls between.
  let app: App | undefined
  const watcher = watchVersions(
    database.pool,
    (name) => app?.refresh(name),
    1000,
    (error) => logger.error({ err: error }, 'could not look for changes'),
  )
  undo.push(async () => watcher.stop())
  await ensureOwnApi(database.db, { ...config, follow: true })
  const keyring = createKeyring(config.secretKeys)
  await ensureSigningKeys(database.db, keyring)
  const keys = await loadSigningKeys(database.db, keyring)
  const pairwiseSecret = await loadLastingSecret(database.db, keyring, 'pairwise-subjects')
  const authorizationTypes = await listAuthorizationTypes(database.db)
  const mailer = createMailer(config)
  undo.push(async () => mailer.close())

  let listening: Listening | undefined
  app = createApp({
    config,
    database,
    logger,
    mailer,
    keys,
    pairwiseSecret,
    authorizationTypes,
    isClosing: () => listening?.isClosing() ?? false,
  })
  const worker = await startWorker({ pool: database.pool, handlers: app.handlers, logger, crontab })
  undo.push(() => worker.stop())
  if (config.metricsPort !== undefined) {
    const { metrics, health } = app
    const served = await serveMetrics({
      host: config.host,
      port: config.metricsPort,
      metrics,
      health,
    })
    undo.push(() => served.close())
  }

  const server = await listen(app.koa.callback(), config)
  listening = server
  logger.info({ issuer: config.issuer, host: config.host, port: server.port }, 'listening')
  const leaving = new AbortController()
  if (examineAfterMs !== undefined) {
    const { signal } = leaving
    const examination = async () => {
      // Wanted once in the life of a process, so it is loaded when it is.
      const { examineAtStart } = await import('./doctor/at-start.ts')
      await examineAtStart({ config, database, logger, signal })
    }
    const timer = setTimeout(() => {
      examination().catch((error: unknown) =>
        logger.warn({ err: error }, 'could not examine itself'),
      )
    }, examineAfterMs).unref()
    signal.addEventListener('abort', () => clearTimeout(timer))
  }
  return {
    port: server.port,
    async close() {
      leaving.abort()
      const clean = await server.close()
      await leave()
      return clean
    },
  }
}

/** How long a database may take to come up beside us, as after a restart of the whole machine. */
const patienceMs = 60_000

/** Tries again while nobody answers; a wrong password or a newer schema is told at once. */
async function whenReachable<T>(work: () => Promise<T>, logger: Logger): Promise<T> {
  const deadline = Date.now() + patienceMs
  for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, 5000)) {
    try {
      return await work()
    } catch (error) {
      if (unavailability(error) !== 'unreachable' || Date.now() + waitMs > deadline) throw error
      logger.warn({ reason: (error as Error).message, waitMs }, 'database is not reachable yet')
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  }
}
