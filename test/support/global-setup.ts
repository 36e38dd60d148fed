/**
 * One PostgreSQL for the whole run, in a temporary directory, and in it the migrated template of which every
 * test file gets a clone (database.ts). Its data outlives nothing, so nothing waits for the disk.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { openDatabase } from '../../src/database/connection.ts'
import { openEmbedded } from '../../src/database/embedded/open.ts'
import { migrate } from '../../src/database/migrate.ts'
import { migrateJobs } from '../../src/jobs/worker.ts'

declare module 'vitest' {
  interface ProvidedContext {
    cluster: { host: string; port: number; user: string; template: string }
  }
}

const template = 'idp_template'
const prefix = 'idp-test-'

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  removeAbandoned()
  const dataDir = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`))
  const cluster = await openEmbedded({
    dataDir,
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      autovacuum: 'off',
      max_connections: 200,
      'pg_stat_statements.max': 5000,
    },
  })
  const { host, port, user } = cluster.connection
  const admin = new pg.Client({ ...cluster.connection, database: 'postgres' })
  await admin.connect()
  await admin.query(`create database ${template}`)
  await migrateTemplate(`postgres://${user}@localhost/${template}?host=${encodeURIComponent(host)}`)
  // Whoever is connected to the template would keep it from being cloned.
  await admin.query(`alter database ${template} with allow_connections false is_template true`)
  await admin.end()
  project.provide('cluster', { host, port, user, template })
  return async () => {
    await cluster.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function migrateTemplate(databaseUrl: string): Promise<void> {
  const database = await openDatabase({ databaseUrl, dataDir: '/nowhere' })
  await migrate(database, [migrateJobs])
  await database.close()
}

/** Runs that were killed leave a cluster behind; it ends by itself when its directory is gone. */
function removeAbandoned(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true })
    } catch {
      // Another user's, or still being written to: the next run will see.
    }
  }
}
