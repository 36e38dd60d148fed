/** A database of its own for a test file: a clone of the migrated template, dropped when the file ends. */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, inject } from 'vitest'
import { type Database, openDatabase } from '../../src/database/connection.ts'

export type TestDatabase = Database & {
  /** For another process or a second pool. */
  url: string
  connection: { host: string; port: number; user: string; database: string }
}

/** `empty` leaves out the schema; `poolSize` as in openDatabase. */
export async function createDatabase(
  options: { empty?: boolean; poolSize?: number; onError?: (error: Error) => void } = {},
): Promise<TestDatabase> {
  const { empty = false, ...rest } = options
  const { template, ...cluster } = inject('cluster')
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await administer(cluster, `create database ${name} template ${empty ? 'template1' : template}`)

  const { host, port, user } = cluster
  const url = `postgres://${user}@localhost:${port}/${name}?host=${encodeURIComponent(host)}`
  const database = await openDatabase({ databaseUrl: url, dataDir: '/nowhere', ...rest })
  afterAll(async () => {
    await database.close()
    await administer(cluster, `drop database ${name} with (force)`)
  })
  return { ...database, url, connection: { ...cluster, database: name } }
}

async function administer(cluster: pg.ClientConfig, statement: string): Promise<void> {
  const client = new pg.Client({ ...cluster, database: 'postgres' })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
