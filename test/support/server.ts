/** A whole server on a database clone and a free port, its log kept, ended when the test file ends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type Config, readConfig } from '../../src/config.ts'
import { createLogger } from '../../src/logger.ts'
import { listMailbox } from '../../src/mail/mailbox.ts'
import { startServer } from '../../src/server.ts'
import { createDatabase, type TestDatabase } from './database.ts'

export type TestServer = {
  origin: string
  config: Config
  database: TestDatabase
  /** Every line that was logged, as it was written. */
  log: string[]
  /** The newest code mailed to this address; waits for it. */
  mailedCode(to: string): Promise<string>
  /** The path of the newest link mailed to this address. */
  mailedLink(to: string): Promise<string>
  close(): Promise<void>
}

type Options = {
  /** As in the environment. */
  env?: Record<string, string>
  /** With `dataDir`: a second server on the same database. */
  database?: TestDatabase
  dataDir?: string
  /** Empty: nothing runs by the clock, for tests that count what the database is asked. */
  crontab?: string
  /** It looks at itself so long after it has come up. */
  examineAfterMs?: number
}

/** Codes stand on a line of their own, so that no year or port passes for one. */
const codePattern = /^ +\d{6}$/m
const linkPattern = /\/verify-email\?token=[\w-]+/

export async function startTestServer(options: Options = {}): Promise<TestServer> {
  const database = options.database ?? (await createDatabase())
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'idp-test-'))
  const port = await freePort()
  const config = readConfig({
    PORT: String(port),
    DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    LIMIT_FACTOR: '1000',
    LOG_LEVEL: 'debug',
    ...options.env,
  })
  const log: string[] = []
  const logger = createLogger({
    level: config.logLevel,
    destination: { write: (line: string) => void log.push(line) },
  })
  const { crontab, examineAfterMs } = options
  const server = await startServer(config, logger, {
    ...(crontab === undefined ? {} : { crontab }),
    ...(examineAfterMs === undefined ? {} : { examineAfterMs }),
  })
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await server.close()
  }
  afterAll(async () => {
    await close()
    if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true })
  })

  async function newestMail(to: string, wanted: RegExp): Promise<{ text: string }> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const mail = (await listMailbox(dataDir)).find(
        ({ to: at, text }) => at === to && wanted.test(text),
      )
      if (mail) return mail
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`no mail to ${to}`)
  }

  return {
    origin: config.issuer,
    config,
    database,
    log,
    close,
    mailedCode: async (to) => /\b\d{6}\b/.exec((await newestMail(to, codePattern)).text)?.[0] ?? '',
    mailedLink: async (to) => linkPattern.exec((await newestMail(to, linkPattern)).text)?.[0] ?? '',
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
