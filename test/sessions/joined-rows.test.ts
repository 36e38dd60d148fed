import { expect, test } from 'vitest'
import type { Row } from '../../src/sessions/artefacts.ts'
import { joinRows } from '../../src/sessions/joined-rows.ts'
import { createDatabase } from '../support/database.ts'

const { pool } = await createDatabase()

const columns = {
  id: 'text',
  hash: 'bytea',
  at: 'timestamptz',
  count: 'integer',
  flag: 'boolean',
  names: 'text[]',
  rest: 'jsonb',
  absent: 'timestamptz',
}
const one = `(select 'quote " and \\ and 你' as id, '\\x00ff10'::bytea as hash,
  '2026-11-20 16:08:36.123456+02'::timestamptz as at, 7 as count, false as flag,
  array['a', 'b c'] as names, '{"x": [1, null, {"y": "z"}], "text": "2026-11-20"}'::jsonb as rest,
  null::timestamptz as absent)`

test('a row comes out of the join as it would by itself', async () => {
  const joined = joinRows({ o: { key: 'id', columns }, n: { key: 'id', columns } })
  const { rows } = await pool.query(
    `select ${joined.select} as found from ${one} o left join ${one} n on false`,
  )
  const { rows: plain } = await pool.query<Row>(`select * from ${one} o`)
  const { o, n } = joined.unpack(rows[0].found)
  expect(o).toEqual(plain[0])
  expect(o?.at).toBeInstanceOf(Date)
  expect(o?.hash).toBeInstanceOf(Buffer)
  expect(n).toBeUndefined()
})

test('a computed column stands in the place of its name', async () => {
  const joined = joinRows({
    o: { key: 'id', columns: { id: 'text', twice: 'integer' }, computed: { twice: 'o.count * 2' } },
  })
  const { rows } = await pool.query(`select ${joined.select} as found from ${one} o`)
  expect(joined.unpack(rows[0].found).o).toMatchObject({ twice: 14 })
})
