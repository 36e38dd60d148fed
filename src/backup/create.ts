/**
 * One consistent picture of the database, taken while it is in use: everything is read in one transaction that sees
 * nothing of what happens meanwhile. Not in it: jobs that wait, and counters of limits.
 */
import { finished } from 'node:stream/promises'
import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { type Actor, record } from '../audit/audit.ts'
import type { Database } from '../database/connection.ts'
import { newerMigrations } from '../database/migrate.ts'
import { siblingPool } from '../database/pool.ts'
import { BackupError, createWriter, formatVersion } from './format.ts'
import { listTables, quote, readMigrationNames } from './tables.ts'

export type Created = { tables: number; rows: number; sha256: string; createdAt: Date }

/** `write` takes bytes and resolves when there is room for more; `onProgress` hears of rows. */
export async function createBackup(
  database: Database,
  { issuer, actor }: { issuer: string; actor: Actor },
  write: (bytes: Uint8Array) => Promise<void>,
  onProgress: (rows: number) => void = () => {},
): Promise<Created> {
  const newer = await newerMigrations(database)
  if (newer.length > 0)
    throw new BackupError(
      `The database was migrated by a newer release: ${newer.join(', ')}.`,
      'Back it up with that release.',
    )
  await record(database.db, { type: 'backup.created', actor })
  const pool = siblingPool(database.pool, {
    max: 1,
    statement_timeout: 0,
    query_timeout: 0,
    idle_in_transaction_session_timeout: 0,
  })
  const client = await pool.connect().catch(async (error: unknown) => {
    await pool.end()
    throw error
  })
  try {
    await client.query('begin transaction isolation level repeatable read read only')
    return await copyAll(client, issuer, write, onProgress)
  } finally {
    // Whatever state it is in: nothing was to be changed.
    client.release(true)
    await pool.end()
  }
}

async function copyAll(
  client: pg.PoolClient,
  issuer: string,
  write: (bytes: Uint8Array) => Promise<void>,
  onProgress: (rows: number) => void,
): Promise<Created> {
  const tables = await listTables(client)
  const migrations = await readMigrationNames(client)
  const createdAt = new Date()
  const writer = createWriter(write)
  await writer.line({
    format: 'idp.backup',
    version: formatVersion,
    created_at: createdAt.toISOString(),
    issuer,
    migrations,
    tables: tables.map(({ name }) => name),
  })
  const rows: Record<string, number> = {}
  let total = 0
  for (const { name, columns } of tables) {
    await writer.line({ table: name, columns })
    const stream = client.query(
      copyTo(`copy ${quote(name)} (${columns.map(quote).join(', ')}) to stdout`),
    )
    const ended = finished(stream, { writable: false })
    ended.catch(() => {})
    rows[name] = await writer.rows(stream as AsyncIterable<Buffer>)
    await ended
    total += rows[name]
    onProgress(total)
  }
  const sha256 = await writer.finish(rows)
  return { tables: tables.length, rows: total, sha256, createdAt }
}
