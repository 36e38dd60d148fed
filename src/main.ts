/** `npm start`: one provider, until a signal or the end of its parent. */
import { ConfigError, readConfig } from './config.ts'
import { createLogger, type Logger } from './logger.ts'
import { type RunningServer, startServer } from './server.ts'

await main()

async function main(): Promise<void> {
  let logger: Logger | undefined
  try {
    const config = readConfig(process.env)
    logger = createLogger({ level: config.logLevel })
    if (config.limitFactor > 1) {
      logger.warn(
        { factor: config.limitFactor },
        'LIMIT_FACTOR is above 1: rate limits are loosened',
      )
    }
    stopBySignal(await startServer(config, logger), logger, config.startedByNpm)
  } catch (error) {
    // In words: whoever starts a server needs the mistake and not the stack.
    const { message } = error as Error
    process.stderr.write(
      `${error instanceof ConfigError ? message : `Could not start: ${message}`}\n`,
    )
    logger?.debug({ err: error }, 'could not start')
    process.exitCode = 1
  }
}

/** The first signal lets requests finish, a second one does not wait. */
function stopBySignal(server: RunningServer, logger: Logger, endWithParent: boolean): void {
  let stopping = false
  const stop = (why: string) => {
    if (stopping) process.exit(1)
    stopping = true
    logger.info({ why }, 'stopping')
    server.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => stop(signal))
  if (endWithParent) {
    const parent = process.ppid
    setInterval(() => {
      if (process.ppid !== parent && !stopping) stop('parent ended')
    }, 500).unref()
  }
}
