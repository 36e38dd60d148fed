/** The provider and the demo apps in one process: registered, started and stopped together. */
import type { RequestListener } from 'node:http'
import Koa from 'koa'
import type { Config } from '../config.ts'
import { openDatabase } from '../database/connection.ts'
import { migrate } from '../database/migrate.ts'
import { listen } from '../http/listen.ts'
import { migrateJobs } from '../jobs/worker.ts'
import type { Logger } from '../logger.ts'
import { startServer } from '../server.ts'
import { createApi, notesApi } from './api.ts'
import { type RegisteredApp, registerApps } from './register.ts'
import { createRelyingParty } from './relying-party.ts'

export type Demo = {
  first: RegisteredApp
  second: RegisteredApp
  close(): Promise<void>
}

/** Where the apps are: on this machine, at the port after the provider's. */
export function appOrigin(config: Pick<Config, 'port'>): string {
  return `http://localhost:${config.port + 1}`
}

/** Rejects when something cannot be started; then nothing is left running. */
export async function startDemo(config: Config, logger: Logger): Promise<Demo> {
  const { issuer } = config
  const origin = appOrigin(config)
  let answer: RequestListener = (_req, res) => res.writeHead(503).end()
  // Before anything else, so that a port that is taken is known at once.
  const listening = await listen((req, res) => answer(req, res), {
    host: '127.0.0.1',
    port: config.port + 1,
  })
  try {
    const { database, apps } = await prepare(config, logger, origin)
    const server = await startServer(config, logger).finally(() => database.close())
    const api = { ...notesApi, url: `${origin}${notesApi.path}` }
    const koa = new Koa()
    koa.on('error', (error) => logger.warn({ err: error }, 'demo app'))
    koa.use(createApi({ issuer }).routes())
    for (const app of [apps.first, apps.second]) {
      koa.use(createRelyingParty({ ...app, issuer, api }).routes())
    }
    answer = koa.callback()
    return {
      ...apps,
      close: async () => {
        await listening.close()
        await server.close()
      },
    }
  } catch (error) {
    await listening.close()
    throw error
  }
}

/** The database stays open until the server has it too, so that an embedded one is started once. */
async function prepare(config: Config, logger: Logger, origin: string) {
  const database = await openDatabase({
    ...config,
    poolSize: 2,
    onError: (error) => logger.error({ err: error }, 'database connection'),
  })
  try {
    await migrate(database, [migrateJobs])
    return { database, apps: await registerApps(database.db, { issuer: config.issuer, origin }) }
  } catch (error) {
    await database.close()
    throw error
  }
}
