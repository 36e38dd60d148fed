/**
 * Brings the schema up to this release: the files of db/migrations in their order, plain SQL, forward only,
 * all that are missing in one transaction. Any number of processes may start at once; one does the work.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kysely, PostgresDialect, type QueryExecutorProvider, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type pg from 'pg'
import type { Database } from './connection.ts'
import { StorageError, unavailability } from './errors.ts'
import { siblingPool } from './pool.ts'

/** `compatible`: the previous release keeps working on the new schema. `breaking`: it does not. */
export type MigrationStatus = {
  name: string
  appliedAt: Date | null
  kind: 'compatible' | 'breaking'
}

const shippedMigrations = fileURLToPath(new URL('../../db/migrations/', import.meta.url))
const lock = 7_230_002

/**
 * Returns the names that it applied. `alsoRun` are steps under the same lock, such as the schema of the job
 * queue; each must be repeatable. Throws StorageError when the database was migrated by a newer release
 * (RL-25) or a file fails, in which case nothing of ours has changed.
 */
export async function migrate(
  database: Database,
  alsoRun: ((pool: pg.Pool) => Promise<void>)[] = [],
  directory = shippedMigrations,
): Promise<string[]> {
  // Own connections: one holds the lock while others work, which a pool of one could not serve (RL-15),
  // and building an index may outlast the time-out of a request.
  const pool = siblingPool(database.pool, {
    max: 4,
    statement_timeout: 0,
    query_timeout: 0,
    idle_in_transaction_session_timeout: 0,
  })
  const holder = await pool.connect().catch(async (error: unknown) => {
    await pool.end()
    throw error
  })
  try {
    await holder.query('select pg_advisory_lock($1)', [lock])
    const applied = await applyMissing(pool, directory)
    for (const step of alsoRun) await step(pool)
    return applied
  } finally {
    // Ending the session frees the lock, whatever state it is in.
    holder.release(true)
    await pool.end()
  }
}

async function applyMissing(pool: pg.Pool, directory: string): Promise<string[]> {
  const files = readMigrationFiles(directory)
  // Not destroyed: that would end the pool.
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  await refuseNewerSchema(db, directory)
  const provider = {
    getMigrations: async () =>
      Object.fromEntries(files.map((file) => [file.name, asMigration(file)])),
  }
  const { error, results = [] } = await new Migrator({ db, provider }).migrateToLatest()
  if (unavailability(error) !== undefined) throw error
  if (error !== undefined) {
    const failed = results.find(({ status }) => status === 'Error')?.migrationName
    const reason = error instanceof Error ? error.message : String(error)
    const what = failed === undefined ? 'The migrations' : `Migration ${failed}`
    throw new StorageError(
      'migration',
      `${what} could not be applied: ${reason}. Nothing was changed.`,
      { cause: error },
    )
  }
  return results.map(({ migrationName }) => migrationName)
}

/** Every migration of this release in order, and when the database took it. */
export async function migrationStatus(
  { db }: Pick<Database, 'db'>,
  directory = shippedMigrations,
): Promise<MigrationStatus[]> {
  const applied = await listApplied(db)
  return readMigrationFiles(directory).map(({ name, kind }) => ({
    name,
    appliedAt: applied.get(name) ?? null,
    kind,
  }))
}

/** What the database took from a release that is newer than this one. */
export async function newerMigrations(
  { db }: { db: QueryExecutorProvider },
  directory = shippedMigrations,
): Promise<string[]> {
  const known = new Set(readMigrationFiles(directory).map(({ name }) => name))
  return [...(await listApplied(db)).keys()].filter((name) => !known.has(name))
}

async function refuseNewerSchema(db: Kysely<unknown>, directory: string): Promise<void> {
  const newer = await newerMigrations({ db }, directory)
  if (newer.length === 0) return
  throw new StorageError(
    'newer-schema',
    `The database was migrated by a newer release: it has ${newer.join(', ')}, which this release does not know. ` +
      'Start the newer release, or restore a backup from before its start.',
  )
}

async function listApplied(db: QueryExecutorProvider): Promise<Map<string, Date>> {
  const there = sql<{ found: boolean }>`select to_regclass('kysely_migration') is not null as found`
  if (!(await there.execute(db)).rows[0]?.found) return new Map()
  type Row = { name: string; timestamp: string }
  const { rows } = await sql<Row>`select name, timestamp from kysely_migration`.execute(db)
  return new Map(rows.map(({ name, timestamp }) => [name, new Date(timestamp)]))
}

type MigrationFile = { name: string; kind: MigrationStatus['kind']; statements: string }

/** The migrations of this release, in their order. */
export function readMigrationFiles(directory = shippedMigrations): MigrationFile[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      const statements = readFileSync(join(directory, file), 'utf8')
      const kind = /^-- (compatible|breaking)\b/.exec(statements)?.[1]
      if (kind === undefined) {
        throw new StorageError(
          'migration',
          `The first line of ${file} must begin with "-- compatible" or "-- breaking".`,
        )
      }
      return { name: file.replace(/\.sql$/, ''), kind: kind as MigrationStatus['kind'], statements }
    })
}

// Several statements go in one message as long as no values are bound.
function asMigration({ statements }: MigrationFile): Migration {
  return { up: async (db) => void (await sql.raw(statements).execute(db)) }
}
