/** The provider and the demo apps on a database clone and free ports, ended when the test file ends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { freePorts } from '../../src/demo/check.ts'
import { type Demo, startDemo } from '../../src/demo/start.ts'
import { createLogger } from '../../src/logger.ts'
import type { TestDatabase } from './database.ts'

/** `env` is what makes another process meet it: its port, directory and database. */
export async function startTestDemo(
  database: TestDatabase,
): Promise<{ demo: Demo; env: Record<string, string>; issuer: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'idp-demo-test-'))
  const env = {
    PORT: String(await freePorts()),
    DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    LIMIT_FACTOR: '1000',
    PATH: process.env.PATH ?? '',
  }
  const config = readConfig(env)
  const demo = await startDemo(config, createLogger({ level: 'silent' }))
  afterAll(async () => {
    await demo.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return { demo, env, issuer: config.issuer }
}
