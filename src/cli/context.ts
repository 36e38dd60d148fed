/** What every command is given: where it writes, whose act it is, and the database, ready to use. */
import { userInfo } from 'node:os'
import type { Actor } from '../audit/audit.ts'
import { ensureOwnApi } from '../clients/ensure-own-api.ts'
import type { EngineCheck } from '../clients/metadata.ts'
import { type CommandConfig, readCommandConfig } from '../config/commands.ts'
import { type Database, openDatabase } from '../database/connection.ts'
import { migrate, migrationStatus } from '../database/migrate.ts'
import { CliError, exitCodes } from './errors.ts'
import type { Io } from './io.ts'
import { createOutput, type Output } from './output.ts'

export type Context = {
  io: Io
  out: Output
  /** The protocol's own validation, for one issuer; `allowPrivateTargets` is for what it reads at the app. */
  createEngineCheck(issuer: string, allowPrivateTargets?: string[]): EngineCheck
}

export type Connected = Context & { config: CommandConfig; database: Database; db: Database['db'] }

export function createContext(io: Io, createEngineCheck: Context['createEngineCheck']): Context {
  return { io, out: createOutput(io), createEngineCheck }
}

/** Whoever runs the command, for the audit trail. */
export function operator(io: Io): Actor {
  return { kind: 'operator', id: io.env.SUDO_USER || osUser() }
}

/** Works beside a running server and without one. The schema is brought up to date when that harms nobody. */
export async function withDatabase<T>(
  context: Context,
  work: (connected: Connected) => Promise<T>,
  { migrateFirst = true }: { migrateFirst?: boolean } = {},
): Promise<T> {
  const config = readCommandConfig(context.io.env)
  const { databaseUrl, dataDir } = config
  const database = await openDatabase({
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    dataDir,
    poolSize: 4,
    applicationName: 'idp-cli',
  })
  try {
    if (migrateFirst) {
      await bringUpToDate(context, database)
      await ensureOwnApi(database.db, { ...config, follow: false })
    }
    return await work({ ...context, config, database, db: database.db })
  } finally {
    await database.close()
  }
}

/** Our tables and those of the job queue, as at the start of the server. Returns what it applied. */
export async function migrateAll(database: Database): Promise<string[]> {
  const { migrateJobs } = await import('../jobs/worker.ts')
  return migrate(database, [migrateJobs])
}

/**
 * An admin at night wants the command to work. Only a breaking migration on a database that is in use waits
 * for a decision: the release that is running there would stop working.
 */
async function bringUpToDate(context: Context, database: Database): Promise<void> {
  const status = await migrationStatus(database)
  const missing = status.filter(({ appliedAt }) => appliedAt === null)
  if (missing.length === 0) return
  const breaking = missing.filter(({ kind }) => kind === 'breaking')
  if (breaking.length > 0 && missing.length < status.length) {
    throw new CliError(
      exitCodes.failed,
      `The database is older than this release, and ${breaking.map(({ name }) => name).join(', ')} would stop the release that runs on it.`,
      ['Stop the old release, then: idp migrate up'],
    )
  }
  const applied = await migrateAll(database)
  if (applied.length > 0) context.out.say(`Brought the database up to date: ${applied.join(', ')}.`)
}

function osUser(): string {
  try {
    return userInfo().username
  } catch {
    // Containers run under numbers that have no name.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
