import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { transact } from '../../src/database/transact.ts'
import { createDatabase } from '../support/database.ts'

const { db, pool } = await createDatabase()
await pool.query('create table notes (text text primary key)')

const write = (on: typeof db, text: string) => sql`insert into notes values (${text})`.execute(on)
const list = async () =>
  (await pool.query<{ text: string }>('select text from notes order by text')).rows.map(
    ({ text }) => text,
  )

test('a step joins the transaction of its caller and is rolled back with it', async () => {
  const whole = transact(db, async (trx) => {
    await write(trx, 'outer')
    await transact(trx, (inner) => write(inner, 'inner'))
    throw new Error('changed my mind')
  })
  await expect(whole).rejects.toThrow('changed my mind')
  expect(await list()).toEqual([])
})

test('work that ends well is there as a whole, and its result comes back', async () => {
  expect(
    await transact(db, async (trx) => {
      await write(trx, 'a')
      return transact(trx, async (inner) => {
        await write(inner, 'b')
        return 'done'
      })
    }),
  ).toBe('done')
  expect(await list()).toEqual(['a', 'b'])
})

test('a deadlock is resolved by running one side again (RL-16)', async () => {
  await write(db, 'x')
  await write(db, 'y')
  let runs = 0
  const bothLocked = Promise.withResolvers<void>()
  const touch = (first: string, second: string) =>
    transact(db, async (trx) => {
      runs++
      await sql`select from notes where text = ${first} for update`.execute(trx)
      if (runs === 2) bothLocked.resolve()
      await bothLocked.promise
      await sql`select from notes where text = ${second} for update`.execute(trx)
    })
  await Promise.all([touch('x', 'y'), touch('y', 'x')])
  expect(runs).toBe(3)
})

test('a conflict that does not go away is thrown after three more tries (RL-16)', async () => {
  let runs = 0
  const stubborn = transact(db, async (trx) => {
    runs++
    await sql`do $$ begin raise exception 'no' using errcode = '40001'; end $$`.execute(trx)
  })
  await expect(stubborn).rejects.toMatchObject({ code: '40001' })
  expect(runs).toBe(4)
})
