/** `npm start`: one provider, until a signal or the end of its parent. */
import { ConfigError } from './config/config-error.ts'
import { type Config, readConfig } from './config.ts'
import { inWords, watchForEnd } from './lifetime.ts'
import { createLogger, type Logger } from './logger.ts'
import { startServer } from './server.ts'

/** By then whoever balances the load knows that we are ready. */
const examineAfterMs = 5000

process.exit(await main())

/** The exit code. */
async function main(): Promise<number> {
  let config: Config | undefined
  let logger: Logger | undefined
  try {
    config = readConfig(process.env)
    const { ending } = watchForEnd({ endWithParent: config.startedByNpm })
    logger = createLogger({ level: config.logLevel })
    if (config.limitFactor > 1) {
      const { limitFactor: factor } = config
      logger.warn({ factor }, 'LIMIT_FACTOR is above 1: rate limits are loosened')
    }
    if (config.allowPrivateTargets.length > 0) {
      const { allowPrivateTargets: targets } = config
      logger.warn({ targets }, 'ALLOW_PRIVATE_TARGETS: what apps name may lead into these')
    }
    const server = await startServer(config, logger, { examineAfterMs })
    // What starting needed is garbage by now; V8 would keep its room for as long as the server rests.
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    logger.info({ why: await ending }, 'stopping')
    await server.close()
    return 0
  } catch (error) {
    // In words: whoever starts a server needs the mistake and not the stack.
    const words = inWords(error, config)
    process.stderr.write(`${error instanceof ConfigError ? words : `Could not start: ${words}`}\n`)
    logger?.debug({ err: error }, 'could not start')
    return 1
  }
}
