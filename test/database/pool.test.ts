import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { Db } from '../../src/database/connection.ts'
import { unavailability } from '../../src/database/errors.ts'
import { siblingPool } from '../../src/database/pool.ts'
import { transact } from '../../src/database/transact.ts'
import { createDatabase } from '../support/database.ts'

const heard: Error[] = []
const database = await createDatabase({ poolSize: 2, onError: (error) => heard.push(error) })
const admin = await createDatabase({ empty: true, poolSize: 1 })

async function backend(db: Db): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
  return rows[0]?.pid ?? 0
}

const terminate = (pid: number) => admin.pool.query('select pg_terminate_backend($1)', [pid])

test('a connection stays in the pool while it is well', async () => {
  const pids = []
  for (let i = 0; i < 5; i++) pids.push(await backend(database.db))
  expect(new Set(pids).size).toBe(1)
})

test('a statement that violates a rule does not cost its connection', async () => {
  const before = await backend(database.db)
  for (let i = 0; i < 100; i++) {
    await expect(sql`select 1 / 0`.execute(database.db)).rejects.toMatchObject({ code: '22012' })
  }
  expect(await backend(database.db)).toBe(before)
})

test('a connection killed while idle is replaced, and the process lives (RL-09)', async () => {
  const pid = await backend(database.db)
  await terminate(pid)
  await expect.poll(() => heard.length).toBeGreaterThan(0)
  expect(await backend(database.db)).not.toBe(pid)
})

test('a connection killed under use fails that use alone (RL-09)', async () => {
  const works = Array.from({ length: 2 }, () =>
    transact(database.db, async (trx) => {
      const pid = await backend(trx)
      setTimeout(() => terminate(pid), 50)
      await sql`select pg_sleep(10)`.execute(trx)
    }).catch((error: unknown) => unavailability(error)),
  )
  expect(await Promise.all(works)).toEqual(['unreachable', 'unreachable'])
  expect(await Promise.all(Array.from({ length: 10 }, () => backend(database.db)))).toHaveLength(10)
})

test('a connection whose server has become read-only is dropped within one request (RL-11)', async () => {
  const { db } = await createDatabase({ poolSize: 1 })
  const demoted = await backend(db)
  await sql`set default_transaction_read_only = on`.execute(db)
  const change = () =>
    transact(db, (trx) => sql`update versions set version = version`.execute(trx))

  expect(unavailability(await change().catch((error: unknown) => error))).toBe('unreachable')
  expect(await backend(db)).not.toBe(demoted)
  await change()
})

test('two hundred requests share a pool of two, and a pool of one suffices (RL-15)', async () => {
  const single = await createDatabase({ poolSize: 1 })
  const work = (db: Db) => transact(db, async (trx) => transact(trx, (inner) => backend(inner)))
  const all = [database.db, single.db].flatMap((db) => Array.from({ length: 200 }, () => work(db)))
  expect(await Promise.all(all)).toHaveLength(400)
})

test('a request that gets no connection in time says so (RL-15)', async () => {
  const single = await createDatabase({ poolSize: 1 })
  single.pool.options.connectionTimeoutMillis = 50
  const blocking = transact(single.db, () => sleep(200))
  await sleep(10)
  const error = await backend(single.db).catch((error: unknown) => error)
  expect(unavailability(error)).toBe('unreachable')
  await blocking
  expect(await backend(single.db)).toBeGreaterThan(0)
})

test('an answer that never comes costs the connection, not the request (RL-13)', async () => {
  const pool = siblingPool(database.pool, { max: 1, query_timeout: 100 })
  const client = await pool.connect()
  await expect(client.query('select pg_sleep(2)')).rejects.toThrow('Query read timeout')
  client.release()
  const { rows } = await pool.query('select 1 as one')
  expect(rows).toEqual([{ one: 1 }])
  await pool.end()
})
