/**
 * The way to PostgreSQL: an external one by URL, else the embedded one in DATA_DIR. Both speak the same
 * SQL through the same pool. Whether the schema is there and right is migrate.ts's business.
 */
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import { openEmbedded } from './embedded/open.ts'
import { createPool } from './pool.ts'
import { createReader, type Queryable } from './reader.ts'
import type { Tables } from './tables.ts'

/** The pool or an open transaction: the type is the same, so any function can be a step of a larger one. */
export type Db = Kysely<Tables>

export type Database = {
  db: Db
  pool: pg.Pool
  /** For plain reads that must be quick (reader.ts). */
  reads: Queryable
  /** Waits for clients that are checked out; the last user of an embedded database stops it. */
  close(): Promise<void>
}

/**
 * With `databaseUrl` nothing is connected yet, so an unreachable server shows at the first statement.
 * Throws StorageError, in words, when the embedded database cannot be used.
 * `onError` hears what no caller can: idle connections that broke, the embedded database coming back.
 */
export async function openDatabase(options: {
  databaseUrl?: string
  dataDir: string
  poolSize?: number
  applicationName?: string
  onError?: (error: Error) => void
}): Promise<Database> {
  const { databaseUrl, dataDir, poolSize = 10, applicationName = 'idp' } = options
  let closing: Promise<void> | undefined
  // Connections that are cut while we leave have nothing to say that anybody could act on.
  const onError = (error: Error) => {
    if (!closing) options.onError?.(error)
  }
  const embedded = databaseUrl === undefined ? await openEmbedded({ dataDir, onError }) : undefined
  const pool = createPool(
    {
      ...(embedded ? embedded.connection : { connectionString: databaseUrl }),
      max: poolSize,
      application_name: applicationName,
    },
    onError,
  )
  const db = createDb(pool)
  const reads = createReader(pool, onError)
  const leave = async () => {
    await reads.close()
    await db.destroy()
    await embedded?.close()
  }
  return {
    db,
    pool,
    reads,
    close: () => {
      closing ??= leave()
      return closing
    },
  }
}

/** Keys inside JSON columns keep their spelling: `client_id` must not come back as `clientId`. */
export function createDb(pool: pg.Pool): Db {
  return new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  })
}
