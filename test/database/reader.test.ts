import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { unavailability } from '../../src/database/errors.ts'
import { createReader, type Reader } from '../../src/database/reader.ts'
import { createDatabase } from '../support/database.ts'

const { pool } = await createDatabase({ empty: true })
const broken: Error[] = []
let reader: Reader
beforeEach(() => {
  broken.length = 0
  reader = createReader(pool, (error) => broken.push(error))
})
afterEach(async () => {
  vi.useRealTimers()
  await reader.close()
})

const echo = async (value: number) => {
  const { rows } = await reader.query<{ value: number }>({
    name: 'echo',
    text: 'select $1::int as value',
    values: [value],
  })
  return rows[0]?.value
}
const pid = async () =>
  (await reader.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid as number

test('a hundred questions at once get each its own answer, over one connection', async () => {
  const numbers = Array.from({ length: 100 }, (_, index) => index)
  expect(await Promise.all(numbers.map(echo))).toEqual(numbers)
  const { rows } = await pool.query(
    "select count(*)::int as count from pg_stat_activity where query like '%$1::int as value%' and pid <> pg_backend_pid()",
  )
  expect(rows[0].count).toBe(1)
})

test('a question that PostgreSQL refuses fails alone', async () => {
  const answers = await Promise.allSettled([echo(1), reader.query('select 1 / 0'), echo(2)])
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

test('who was waiting on a connection that breaks is told that the database is away; the next question finds another', async () => {
  const before = await pid()
  const waiting = reader.query('select pg_sleep(30)').catch((error: unknown) => error)
  await pool.query('select pg_terminate_backend($1)', [before])
  expect(unavailability(await waiting)).toBe('unreachable')
  expect(await echo(3)).toBe(3)
  expect(await pid()).not.toBe(before)
})

test('one that breaks while nobody asks is reported and replaced', async () => {
  await pool.query('select pg_terminate_backend($1)', [await pid()])
  await expect.poll(() => broken.length).toBeGreaterThan(0)
  expect(await echo(4)).toBe(4)
})

test('none is kept for longer than a minute, and questions under way end on the old one', async () => {
  const before = await pid()
  const slow = reader.query<{ value: number }>('select 5 as value from pg_sleep(0.3)')
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
  expect(await pid()).not.toBe(before)
  expect((await slow).rows[0]?.value).toBe(5)
})

test('closing waits for answers that are under way', async () => {
  await echo(0)
  const slow = reader.query<{ value: number }>('select 6 as value from pg_sleep(0.2)')
  // Sent before the farewell, as by a request that is being answered.
  await new Promise((resolve) => setImmediate(resolve))
  await reader.close()
  expect((await slow).rows[0]?.value).toBe(6)
})

test('a database that is not there is an error in time, and no end of the process', async () => {
  const nowhere = createReader(
    Object.assign(Object.create(pool), {
      options: { ...pool.options, connectionString: undefined, host: '/nowhere' },
    }),
    () => {},
  )
  const refused = await nowhere.query('select 1').catch((error: unknown) => error)
  expect(unavailability(refused)).toBe('unreachable')
  await nowhere.close()
})
