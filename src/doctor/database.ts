/** The database: which PostgreSQL, whether its schema is this release's, and whether every index is there and valid. */
import { readFileSync } from 'node:fs'
import { migrationStatus, newerMigrations } from '../database/migrate.ts'
import type { Queryable } from '../database/reader.ts'
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'

const testedVersion = 18
/** The oldest that still gets security fixes. */
const oldestVersion = 15

export async function checkDatabase(patient: Patient): Promise<Finding[]> {
  const { database, config } = patient
  if (!database) return []
  const { rows } = await database.pool.query<{ number: string; standby: boolean }>(
    `select current_setting('server_version_num') as number, pg_is_in_recovery() as standby`,
  )
  const { number = '0', standby = false } = rows[0] ?? {}
  const status = await migrationStatus(database)
  const missing = status.filter(({ appliedAt }) => appliedAt === null).map(({ name }) => name)
  const newer = await newerMigrations(database)
  const current = missing.length === 0 && newer.length === 0
  return [
    judgeVersion(Number(number)),
    ...(standby ? [standbyFinding] : []),
    judgePlace(config),
    judgeMigrations(missing, newer),
    current
      ? judgeIndices(expectedIndices(shippedSchema()), await listIndices(database.pool))
      : skipped('database.indices', 'the schema is another release’s'),
  ]
}

const standbyFinding = broken('database.role', 'a read-only standby', {
  expected: 'the primary',
  fix: 'DATABASE_URL must lead to the primary (several hosts: ?target_session_attrs=read-write)',
})

/** `number` as in server_version_num: 180001. */
export function judgeVersion(number: number): Finding {
  const check = 'database.version'
  const major = Math.floor(number / 10_000)
  const seen = `PostgreSQL ${major}.${number % 10_000}`
  if (major >= oldestVersion) return ok(check, seen)
  return broken(check, seen, {
    expected: `PostgreSQL ${oldestVersion} or newer; ${testedVersion} is what we test with`,
    fix: 'pg_upgrade, or pg_dump here and pg_restore into a newer one',
  })
}

function judgePlace({ production, databaseUrl }: Patient['config']): Finding {
  const check = 'database.place'
  if (databaseUrl !== undefined) return ok(check, 'by DATABASE_URL')
  if (!production) return ok(check, 'embedded in DATA_DIR')
  return warning(check, 'embedded, in production', {
    expected: 'a PostgreSQL of its own, with backups and a second machine',
    fix: 'DATABASE_URL=postgres://…',
  })
}

export function judgeMigrations(missing: string[], newer: string[]): Finding {
  const check = 'database.migrations'
  if (newer.length > 0) {
    return broken(check, `made by a newer release (${newer.join(', ')})`, {
      expected: 'the schema of this release',
      fix: 'start the newer release, or restore a backup from before it',
    })
  }
  if (missing.length === 0) return ok(check, 'all are applied')
  return broken(check, `missing: ${missing.join(', ')}`, {
    expected: 'all of this release',
    fix: 'idp migrate up',
  })
}

type Index = { name: string; valid: boolean }

/** Name of an index → the statement that makes it. */
export function expectedIndices(schema: string): Map<string, string> {
  const made = [...schema.matchAll(/^CREATE (?:UNIQUE )?INDEX (\w+) ON .*;$/gm)].map(
    ([statement, name = '']) =>
      [name, statement.replace(' INDEX ', ' INDEX CONCURRENTLY ')] as const,
  )
  const constraints = [...schema.split(/^create table /m)].flatMap((table) => {
    const owner = /^\w+/.exec(table)?.[0] ?? ''
    const found = table.matchAll(/^ {2}constraint (\w+) ((?:PRIMARY KEY|UNIQUE)\b.*?),?$/gm)
    return [...found].map(
      ([, name = '', rule]) =>
        [name, `ALTER TABLE ${owner} ADD CONSTRAINT ${name} ${rule};`] as const,
    )
  })
  return new Map([...made, ...constraints])
}

export function judgeIndices(expected: Map<string, string>, found: Index[]): Finding {
  const check = 'database.indices'
  const there = new Map(found.map(({ name, valid }) => [name, valid]))
  const missing = [...expected].filter(([name]) => !there.has(name))
  const invalid = [...expected.keys()].filter((name) => there.get(name) === false)
  if (missing.length + invalid.length === 0)
    return ok(check, `${expected.size} are there and valid`)
  const seen = [
    ...missing.map(([name]) => `${name} is missing`),
    ...invalid.map((name) => `${name} is invalid`),
  ]
  const repairs = [
    ...missing.map(([, statement]) => statement),
    ...invalid.map((name) => `REINDEX INDEX CONCURRENTLY ${name};`),
  ]
  return broken(check, seen.join(', '), {
    expected: 'every index of db/schema.sql',
    fix: `in psql: ${repairs.join(' ')}`,
  })
}

async function listIndices(pool: Queryable): Promise<Index[]> {
  const { rows } = await pool.query({
    text: `select c.relname as name, i.indisvalid and i.indisready as valid
      from pg_index i join pg_class c on c.oid = i.indexrelid
      where c.relnamespace = current_schema()::regnamespace`,
  })
  return rows as Index[]
}

function shippedSchema(): string {
  return readFileSync(new URL('../../db/schema.sql', import.meta.url), 'utf8')
}
