/** The checks that a server does of itself, once it is up: each mistake is a warning in its log, and nothing more. */
import type { Config } from '../config.ts'
import type { Database } from '../database/connection.ts'
import type { Logger } from '../logger.ts'
import { createClientCheck } from '../oidc/validate-client.ts'
import { examine } from './examine.ts'
import { createWorld } from './patient.ts'

/** Never throws. Says nothing any more once `signal` is aborted, when the server is leaving. */
export async function examineAtStart(options: {
  config: Config
  database: Database
  logger: Pick<Logger, 'warn'>
  signal: AbortSignal
}): Promise<void> {
  const { config, database, logger, signal } = options
  const findings = await examine(
    {
      config,
      problems: [],
      database,
      world: createWorld(config),
      engineCheck: createClientCheck(config.issuer, config.allowPrivateTargets),
    },
    { only: ({ atStart }) => atStart },
  )
  for (const { check, state, seen, expected, fix } of findings) {
    if (signal.aborted) return
    if (state === 'ok' || state === 'skipped') continue
    logger.warn({ check, state, seen, expected, fix }, 'something is to be mended; see: idp doctor')
  }
}
