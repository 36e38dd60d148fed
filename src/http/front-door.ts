/**
 * Everything that each request passes before a door answers it, in the one order that works: first what cannot
 * fail, then the headers that every answer has, then the catcher of faults, then whatever may refuse.
 */
import type { Middleware } from 'koa'
import type { Config } from '../config.ts'
import type { Logger } from '../logger.ts'
import type { Views } from '../views.ts'
import { serveAssets } from './assets.ts'
import { warnOfStrangeProxy } from './client-address.ts'
import { answerFaults } from './faults.ts'
import { securityHeaders } from './headers.ts'
import type { Health } from './health.ts'
import type { Metrics } from './metrics.ts'
import { type PinOptions, pinHost } from './pinned-host.ts'
import { answerProbes, type ProbeOptions } from './probe.ts'
import { requestContext } from './request-context.ts'
import { logRequests } from './request-log.ts'
import { refuseOddRequests } from './request-shape.ts'

/** Below it, an app with `proxy: true` sees the issuer's host and scheme and the client's true address. */
export function frontDoor(options: {
  config: Pick<Config, 'production'> & PinOptions
  views: Views
  logger: Logger
  health: Pick<Health, 'routes'>
  metrics?: Pick<Metrics, 'request'>
  probe?: ProbeOptions
}): Middleware[] {
  const { config, views, logger, health, metrics, probe } = options
  return [
    requestContext(config),
    ...(config.production ? [warnOfStrangeProxy(config, logger)] : []),
    logRequests({ logger, ...(metrics && { observe: metrics.request }) }),
    securityHeaders(config),
    answerFaults({ views, logger }),
    refuseOddRequests,
    health.routes,
    ...(probe ? [answerProbes(config, probe)] : []),
    pinHost(config),
    serveAssets(views),
  ]
}
