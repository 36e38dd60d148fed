import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { migrate, migrationStatus } from '../../src/database/migrate.ts'
import { createDatabase } from '../support/database.ts'

const shipped = readdirSync(new URL('../../db/migrations/', import.meta.url))
  .filter((file) => file.endsWith('.sql'))
  .map((file) => file.replace('.sql', ''))
  .sort()

function migrations(files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'idp-migrations-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

test('five processes on an empty database apply each migration once (RC-17)', async () => {
  const { url, db, pool } = await createDatabase({ empty: true })
  const program = fileURLToPath(new URL('migrate-once.ts', import.meta.url))
  const runs = Array.from({ length: 5 }, () =>
    promisify(execFile)(process.execPath, [program, url]),
  )
  const applied = (await Promise.all(runs)).map(({ stdout }) => JSON.parse(stdout) as string[])
  expect(applied.filter((names) => names.length > 0)).toEqual([shipped])

  const status = await migrationStatus({ db })
  expect(status.map(({ name }) => name)).toEqual(shipped)
  expect(status.every(({ appliedAt }) => appliedAt instanceof Date)).toBe(true)
  const { rows } = await pool.query(
    "select count(*) > 0 as queue from pg_tables where schemaname = 'graphile_worker'",
  )
  expect(rows).toEqual([{ queue: true }])
})

test('on a pool of one, too (RL-15)', async () => {
  const database = await createDatabase({ empty: true, poolSize: 1 })
  expect(await migrate(database)).toEqual(shipped)
  expect(await migrate(database)).toEqual([])
})

test('status tells what is missing and whether the previous release bears it', async () => {
  const database = await createDatabase({ empty: true })
  const directory = migrations({
    '0001_one.sql': '-- compatible: first\ncreate table one ();',
    '0002_two.sql': '-- breaking: second\ncreate table two ();\ncreate table three ();',
    'notes.txt': 'no migration',
  })
  expect(await migrationStatus(database, directory)).toEqual([
    { name: '0001_one', appliedAt: null, kind: 'compatible' },
    { name: '0002_two', appliedAt: null, kind: 'breaking' },
  ])
  expect(await migrate(database, [], directory)).toEqual(['0001_one', '0002_two'])
  expect((await migrationStatus(database, directory))[1]?.appliedAt).toBeInstanceOf(Date)
})

test('a file that fails leaves the database as it was, and is named (RL-24)', async () => {
  const database = await createDatabase({ empty: true })
  const good = '-- compatible: first\ncreate table one ();'
  const broken = migrations({
    '0001_one.sql': good,
    '0002_two.sql': '-- compatible: x\ncreate tabel two ();',
  })
  await expect(migrate(database, [], broken)).rejects.toThrow(
    /0002_two.*syntax error.*Nothing was changed/,
  )
  expect((await migrationStatus(database, broken)).map(({ appliedAt }) => appliedAt)).toEqual([
    null,
    null,
  ])

  const mended = migrations({
    '0001_one.sql': good,
    '0002_two.sql': '-- compatible: x\ncreate table two ();',
  })
  expect(await migrate(database, [], mended)).toEqual(['0001_one', '0002_two'])
})

test('a file without its first line is refused before anything runs', async () => {
  const database = await createDatabase({ empty: true })
  const directory = migrations({ '0001_one.sql': 'create table one ();' })
  await expect(migrate(database, [], directory)).rejects.toThrow(/0001_one\.sql.*compatible/)
})

test('a database of a newer release is refused in words, and nothing else runs on it (RL-25)', async () => {
  const database = await createDatabase()
  await database.pool.query("insert into kysely_migration values ('9999_future', now()::text)")
  let ran = false
  const attempt = migrate(database, [
    async () => {
      ran = true
    },
  ])
  await expect(attempt).rejects.toMatchObject({
    reason: 'newer-schema',
    message: expect.stringMatching(/newer release: it has 9999_future/),
  })
  expect(ran).toBe(false)
})

test('further steps run under the same lock, one process at a time', async () => {
  const database = await createDatabase({ poolSize: 1 })
  let inside = 0
  let most = 0
  const step = async () => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setTimeout(resolve, 20))
    inside--
  }
  await Promise.all(Array.from({ length: 5 }, () => migrate(database, [step])))
  expect(most).toBe(1)
})
