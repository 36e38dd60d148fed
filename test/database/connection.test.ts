import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createDatabase } from '../support/database.ts'

const { db } = await createDatabase()

test('keys inside JSON come back as they were written, columns in camel case', async () => {
  const { rows } = await sql<Record<string, unknown>>`
    select '{"client_id": 1, "x5t#S256": {"deep_key": []}}'::jsonb as some_json, 1::bigint as big_number,
      date '2001-02-03' as day`.execute(db)
  expect(rows).toEqual([
    { someJson: { client_id: 1, 'x5t#S256': { deep_key: [] } }, bigNumber: '1', day: '2001-02-03' },
  ])
})
