import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/database/connection.ts'
import { StorageError, unavailability } from '../../src/database/errors.ts'
import { createDatabase } from '../support/database.ts'

const { db, url } = await createDatabase()

/** What a first statement on that address fails with. */
async function failure(databaseUrl: string): Promise<unknown> {
  const database = await openDatabase({ databaseUrl, dataDir: '/nowhere' })
  try {
    return await sql`select 1`.execute(database.db).catch((error: unknown) => error)
  } finally {
    await database.close()
  }
}

test('keys inside JSON come back as they were written, columns in camel case', async () => {
  const { rows } = await sql<Record<string, unknown>>`
    select '{"client_id": 1, "x5t#S256": {"deep_key": []}}'::jsonb as some_json, 1::bigint as big_number,
      date '2001-02-03' as day`.execute(db)
  expect(rows).toEqual([
    {
      someJson: { client_id: 1, 'x5t#S256': { deep_key: [] } },
      bigNumber: '1',
      day: '2001-02-03',
    },
  ])
})

test('why the database cannot be used is told by class (RL-07)', async () => {
  expect(unavailability(await failure('postgres://idp@127.0.0.1:1/idp'))).toBe('unreachable')
  expect(unavailability(await failure('postgres://idp@localhost/idp?host=/nowhere'))).toBe(
    'unreachable',
  )
  expect(unavailability(await failure(url.replace(/test_\w+/, 'missing')))).toBe('credentials')
  expect(unavailability(await failure(url.replace('idp@', 'mallory@')))).toBe('credentials')
  expect(unavailability(new StorageError('newer-schema', 'x'))).toBe('newer-schema')
})

test('a statement that is wrong in itself says nothing about the database', async () => {
  const error = await sql`select 1 / 0`.execute(db).catch((thrown: unknown) => thrown)
  expect(unavailability(error)).toBeUndefined()
})

test('closing twice is closing once', async () => {
  const database = await openDatabase({ databaseUrl: url, dataDir: '/nowhere' })
  await Promise.all([database.close(), database.close()])
})
