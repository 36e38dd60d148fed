/** What is put off is done, once the transaction that asked for it is there, and also after the database was away. */
import pg from 'pg'
import { expect, test } from 'vitest'
import { transact } from '../../src/database/transact.ts'
import { enqueue } from '../../src/jobs/tasks.ts'
import { type Handlers, startWorker } from '../../src/jobs/worker.ts'
import { createLogger } from '../../src/logger.ts'
import { createDatabase } from '../support/database.ts'

const logger = createLogger({ level: 'silent' })

function listen() {
  const heard: number[] = []
  const handlers = {
    'mail.verification': async ({ mailNumber }) => {
      heard.push(mailNumber)
    },
  } as Pick<Handlers, 'mail.verification'> as Handlers
  return { heard, handlers }
}

const mail = (mailNumber: number) => ({ registrationId: 'any', mailNumber })

test('a job of a transaction that was rolled back is never done', async () => {
  const { db, pool } = await createDatabase()
  const { heard, handlers } = listen()
  await transact(db, async (trx) => {
    await enqueue(trx, 'mail.verification', mail(1))
    throw new Error('no')
  }).catch(() => {})
  await enqueue(db, 'mail.verification', mail(2))
  const worker = await startWorker({ pool, handlers, logger })
  await expect.poll(() => heard, { timeout: 10_000 }).toEqual([2])
  await worker.stop()
})

test('a job key replaces the waiting job: asking twice does it once', async () => {
  const { db, pool } = await createDatabase()
  const { heard, handlers } = listen()
  await enqueue(db, 'mail.verification', mail(1), { jobKey: 'same' })
  await enqueue(db, 'mail.verification', mail(2), { jobKey: 'same' })
  const worker = await startWorker({ pool, handlers, logger })
  await expect.poll(() => heard, { timeout: 10_000 }).toEqual([2])
  await worker.stop()
})

test('jobs go on after every connection was cut, while some were being completed (RL-09)', async () => {
  const { db, pool, connection } = await createDatabase()
  const { heard, handlers } = listen()
  const worker = await startWorker({ pool, handlers, logger })
  const admin = new pg.Client({ ...connection, database: 'postgres' })
  await admin.connect()
  for (let round = 1; round <= 5; round++) {
    await enqueue(db, 'mail.verification', mail(round)).catch(() => {})
    // Until each is really gone: a dying one could still take the last job with it, for two minutes.
    await admin.query(
      'select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()',
      [connection.database],
    )
  }
  await admin.end()
  await expect
    .poll(
      () =>
        enqueue(db, 'mail.verification', mail(99)).then(
          () => true,
          () => false,
        ),
      { timeout: 10_000 },
    )
    .toBe(true)
  await expect.poll(() => heard.includes(99), { timeout: 20_000 }).toBe(true)
  await worker.stop()
})

test('stopping waits for the job that runs', async () => {
  const { db, pool } = await createDatabase()
  let finished = false
  const handlers = {
    cleanup: async () => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      finished = true
    },
  } as Pick<Handlers, 'cleanup'> as Handlers
  const worker = await startWorker({ pool, handlers, logger })
  await enqueue(db, 'cleanup', {})
  await expect
    .poll(
      async () => {
        const { rows } = await pool.query('select locked_at from graphile_worker.jobs')
        return rows[0]?.locked_at != null
      },
      { timeout: 10_000 },
    )
    .toBe(true)
  await worker.stop()
  expect(finished).toBe(true)
})

test('a job whose process was killed while it ran is done by the next one, not after hours', async () => {
  const { db, pool } = await createDatabase()
  const { heard, handlers } = listen()
  await enqueue(db, 'mail.verification', mail(7))
  await pool.query(
    `update graphile_worker._private_jobs
      set locked_at = now() - interval '3 minutes', locked_by = 'dead', attempts = 1`,
  )
  const worker = await startWorker({ pool, handlers, logger })
  await expect.poll(() => heard, { timeout: 10_000 }).toEqual([7])
  await worker.stop()
})
