/**
 * A backup becomes the database: all of it in one transaction, or nothing. The schema is made as it was then, filled, and
 * brought up to this release afterwards. Sessions and grants end unless they are asked for: what was revoked since the
 * backup would be alive again (RL-27). The key that sealed it has to be at hand (RL-28).
 */
import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { type Actor, record } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import type { Database } from '../database/connection.ts'
import { migrate, readMigrationFiles } from '../database/migrate.ts'
import { siblingPool } from '../database/pool.ts'
import { migrateJobs } from '../jobs/worker.ts'
import { BackupError, type Head, readBackup, type TableHead } from './format.ts'
import { listTables, quote, type Table } from './tables.ts'

export type Restored = {
  createdAt: string
  issuer: string
  rows: number
  sessionsEnded: number
  grantsEnded: number
  /** Applied after it, to bring it up to this release. */
  migrated: string[]
}

export type RestoreOptions = {
  keyring: Keyring
  actor: Actor
  /** What is there may go. */
  replace: boolean
  keepSessions: boolean
  onProgress?: (rows: number) => void
}

/** True when nobody and no app is in it: then nothing is lost. */
export async function isEmpty(database: Pick<Database, 'pool'>): Promise<boolean> {
  const { rows } = await database.pool.query<{ found: boolean }>(
    `select to_regclass('public.accounts') is not null and to_regclass('public.clients') is not null as found`,
  )
  if (!rows[0]?.found) return true
  const { rows: counted } = await database.pool.query<{ used: boolean }>(
    'select exists (select from public.accounts) or exists (select from public.clients) as used',
  )
  return !counted[0]?.used
}

/** Throws BackupError, after which the database is as it was. */
export async function restoreBackup(
  database: Database,
  chunks: AsyncIterable<Uint8Array | string>,
  options: RestoreOptions,
): Promise<Restored> {
  if (!options.replace && !(await isEmpty(database)))
    throw new BackupError(
      'There are accounts or apps in this database.',
      'To replace all of it: --replace',
    )
  const pool = siblingPool(database.pool, {
    max: 1,
    statement_timeout: 0,
    query_timeout: 0,
    idle_in_transaction_session_timeout: 0,
    lock_timeout: 10_000,
  })
  const client = await pool.connect().catch(async (error: unknown) => {
    await pool.end()
    throw error
  })
  let result: Omit<Restored, 'migrated'>
  try {
    await refuseOthers(client)
    await client.query('begin')
    result = await fill(client, chunks, options)
    await client.query('commit')
  } finally {
    // What was not committed goes with the connection.
    client.release(true)
    await pool.end()
  }
  const migrated = await migrate(database, [migrateJobs])
  const { issuer, createdAt, rows } = result
  await record(database.db, {
    type: 'backup.restored',
    actor: options.actor,
    detail: { issuer, createdAt, rows },
  })
  return { ...result, migrated }
}

/** A server that runs on it would write into the middle, and keep what it remembers. */
async function refuseOthers(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int from pg_stat_activity
      where datname = current_database() and application_name = 'idp'`,
  )
  if (rows[0]?.count)
    throw new BackupError(
      'A server is running on this database.',
      'Stop every copy of it, and restore then.',
    )
}

async function fill(
  client: pg.PoolClient,
  chunks: AsyncIterable<Uint8Array | string>,
  { keyring, keepSessions, onProgress = () => {} }: RestoreOptions,
): Promise<Omit<Restored, 'migrated'>> {
  let known = new Map<string, Table>()
  let before = '0'
  let total = 0
  const { head, rows } = await readBackup(chunks, {
    async head(head) {
      before = await newestVersion(client)
      await makeSchema(client, head)
      known = new Map((await listTables(client)).map((table) => [table.name, table]))
    },
    async table(table, data) {
      assertKnown(table, known.get(table.table))
      total += await copyInto(client, table, data)
      onProgress(total)
    },
  })
  await assertOpens(client, keyring)
  const [sessionsEnded, grantsEnded] = keepSessions ? [0, 0] : await endAll(client)
  // Whoever remembers what was here before reads everything anew.
  await client.query('update versions set version = greatest(version, $1::bigint) + 1', [before])
  return {
    createdAt: head.created_at,
    issuer: head.issuer,
    rows: Object.values(rows).reduce((sum, count) => sum + count, 0),
    sessionsEnded,
    grantsEnded,
  }
}

async function newestVersion(client: pg.PoolClient): Promise<string> {
  const there = await client.query("select to_regclass('public.versions') is not null as found")
  if (!there.rows[0]?.found) return '0'
  const { rows } = await client.query(
    'select coalesce(max(version), 0)::text as version from public.versions',
  )
  return rows[0].version
}

async function makeSchema(client: pg.PoolClient, { migrations }: Head): Promise<void> {
  const files = new Map(readMigrationFiles().map((file) => [file.name, file.statements]))
  const newer = migrations.filter((name) => !files.has(name))
  if (newer.length > 0)
    throw new BackupError(
      `The backup is of a newer release: it has ${newer.join(', ')}.`,
      'Restore it with that release.',
    )
  await client.query('drop schema if exists public cascade')
  await client.query('drop schema if exists graphile_worker cascade')
  await client.query('create schema public')
  for (const name of migrations) await client.query(files.get(name) ?? '')
  await client.query(
    'create table kysely_migration (name varchar(255) primary key, timestamp varchar(255) not null)',
  )
  // What migrations put there themselves is in the backup too.
  const tables = await listTables(client)
  await client.query(`truncate ${tables.map(({ name }) => quote(name)).join(', ')}`)
}

function assertKnown({ table, columns }: TableHead, known: Table | undefined): void {
  if (!known || columns.some((column) => !known.columns.includes(column)))
    throw new BackupError(
      `The backup names a table that is none of ours: ${table}.`,
      'Take another one.',
    )
}

async function copyInto(
  client: pg.PoolClient,
  { table, columns }: TableHead,
  data: AsyncIterable<Buffer>,
): Promise<number> {
  const stream = client.query(
    copyFrom(`copy ${quote(table)} (${columns.map(quote).join(', ')}) from stdin`),
  )
  const ended = finished(stream)
  ended.catch(() => {})
  try {
    for await (const piece of data) {
      if (!stream.write(piece)) await Promise.race([once(stream, 'drain'), ended])
    }
    stream.end()
    await ended
  } catch (error) {
    stream.destroy()
    if (error instanceof BackupError) throw error
    throw new BackupError(
      `Table ${table} cannot be filled: ${(error as Error).message}`,
      'Take another backup: nothing was changed.',
      { cause: error },
    )
  }
  return stream.rowCount ?? 0
}

/** Without its key every token, app and second factor would break at the next start, and no sooner. */
async function assertOpens(client: pg.PoolClient, keyring: Keyring): Promise<void> {
  const { rows } = await client.query<{ kid: string; private_jwk_sealed: Buffer }>(
    'select kid, private_jwk_sealed from signing_keys',
  )
  try {
    for (const { kid, private_jwk_sealed: sealed } of rows) keyring.open('signing-key', kid, sealed)
  } catch (error) {
    throw new BackupError(
      'SECRET_KEY does not open the keys in this backup.',
      'Set the SECRET_KEY of the deployment that made it; a new one may stand before it. Nothing was changed.',
      { cause: error },
    )
  }
}

/** In the order in which nothing hangs in the air; what has expired meanwhile goes with it. */
async function endAll(client: pg.PoolClient): Promise<[sessions: number, grants: number]> {
  const short = [
    'interactions',
    'auth_sessions',
    'authorization_codes',
    'device_codes',
    'access_tokens',
    'refresh_tokens',
    'client_credentials',
    'backchannel_authentication_requests',
    'pushed_authorization_requests',
    'posted_requests',
    // A link that was pressed, a code that was typed and a browser that was forgotten since would count once more.
    'mail_proofs',
    'address_undos',
    'sign_in_codes',
    'passkey_challenges',
    'remembered_devices',
    'upstream_requests',
    'upstream_proofs',
    'upstream_sessions',
    'doctor_probes',
  ]
  for (const table of short) {
    const { rows } = await client.query('select to_regclass($1) is not null as found', [table])
    if (rows[0]?.found) await client.query(`delete from ${quote(table)}`)
  }
  const grants = await client.query('delete from grants')
  const sessions = await client.query('delete from sessions')
  return [sessions.rowCount ?? 0, grants.rowCount ?? 0]
}
