/** The queue of news for apps: bounded per app, patient, and nobody's burden but the app's own. */
import { sql } from 'kysely'
import { beforeEach, expect, test } from 'vitest'
import { createClient } from '../../src/clients/create-client.ts'
import { newId } from '../../src/crypto.ts'
import { removeExpired } from '../../src/sessions/cleanup.ts'
import {
  type Delivery,
  deliveriesOf,
  type Outcome,
  resumeDeliveries,
  scheduleNext,
  settle,
  takeDue,
  tellApp,
} from '../../src/sessions/logout-deliveries.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'

const { db, pool } = await createDatabase()
const accountId = newId()

async function createApp(name: string): Promise<string> {
  const made = await createClient(
    db,
    {
      name,
      preset: 'generic',
      redirectUris: ['https://app.example.com/cb'],
      backchannelLogoutUri: 'https://app.example.com/logout',
    },
    { actor: { kind: 'operator' } },
  )
  if (!made.ok) throw new Error(JSON.stringify(made))
  return made.client.id
}
const app = await createApp('App')
const other = await createApp('Other')

const tell = (clientId: string, ...sessions: string[]) =>
  db.transaction().execute(async (trx) => {
    for (const sessionUid of sessions) await tellApp(trx, { sessionUid, accountId, clientId })
  })
const timeout: Outcome = { told: false, error: 'timeout', final: false }
const broken: Outcome = { told: false, error: 'http_500', final: false }

async function takeOne(clientId = app): Promise<Delivery> {
  const [delivery] = await takeDue(db, clientId)
  if (!delivery) throw new Error('nothing is due')
  return delivery
}

/** As if so much time had gone by. */
const pass = (interval: string) =>
  sql`update logout_deliveries set next_attempt_at = next_attempt_at - ${interval}::interval,
    attempted_at = attempted_at - ${interval}::interval, asked_at = asked_at - ${interval}::interval`.execute(
    db,
  )

const rowOf = (sessionUid: string) =>
  db
    .selectFrom('logoutDeliveries')
    .selectAll()
    .where('sessionUid', '=', sessionUid)
    .executeTakeFirst()

async function nextRun(clientId = app): Promise<number | undefined> {
  const { rows } = await pool.query<{ seconds: number }>(
    `select extract(epoch from run_at - now())::float8 as seconds from graphile_worker.jobs where key = $1`,
    [`logout:${clientId}`],
  )
  return rows[0]?.seconds
}

beforeEach(async () => {
  await pool.query('truncate logout_deliveries, audit_events')
  await pool.query('delete from graphile_worker._private_jobs')
})

test('what was told is done; what failed is due again later and later, for six hours', async () => {
  await tell(app, 'one')
  await settle(db, await takeOne(), { told: true })
  expect(await rowOf('one')).toMatchObject({ state: 'told', attempts: 1, error: null })
  expect(await takeDue(db, app)).toEqual([])

  await tell(app, 'two')
  let waited = 0
  for (let attempt = 1; attempt <= 8; attempt++) {
    const delivery = await takeOne()
    expect(delivery.attempts).toBe(attempt)
    await settle(db, delivery, broken)
    const row = await rowOf('two')
    if (attempt === 8) break
    expect(row).toMatchObject({ state: 'pending', error: 'http_500' })
    waited += (row?.nextAttemptAt.getTime() ?? 0) - Date.now()
    expect(await takeDue(db, app)).toEqual([])
    await pass('5 hours')
  }
  expect(await rowOf('two')).toMatchObject({ state: 'failed', error: 'http_500', attempts: 8 })
  expect(waited / 3_600_000).toBeGreaterThan(5)
  expect(waited / 3_600_000).toBeLessThan(8)
  expect(await auditOf(db, 'logout.undelivered')).toMatchObject([
    { accountId, clientId: app, detail: { error: 'http_500', attempts: 8 } },
  ])
})

test('what a rule forbids is given up at once', async () => {
  await tell(app, 'one')
  await settle(db, await takeOne(), { told: false, error: 'private', final: true })
  expect(await rowOf('one')).toMatchObject({ state: 'refused', error: 'private', attempts: 1 })
})

test('DS-10: an app that does not answer is left alone, with all that waits for it, and others are not', async () => {
  await tell(app, ...Array.from({ length: 200 }, (_, index) => `session ${index}`))
  const first = await takeDue(db, app)
  expect(first).toHaveLength(5)
  for (const delivery of first) await settle(db, delivery, timeout)

  await tell(app, 'a newer one')
  expect(await takeDue(db, app)).toEqual([])
  await scheduleNext(db, app)
  // The newer sign-out asked for a round at once; that round finds the app at rest.
  expect(await nextRun()).toBeLessThan(1)

  await tell(other, 'somebody else')
  expect(await takeDue(db, other)).toHaveLength(1)
  await pass('11 seconds')
  expect(await takeDue(db, app)).toHaveLength(5)
})

test('a round is put off to when something is due, or the app has rested', async () => {
  await tell(app, 'one')
  await pool.query('delete from graphile_worker._private_jobs')
  await settle(db, await takeOne(), broken)
  await scheduleNext(db, app)
  expect(await nextRun()).toBeGreaterThan(3)
  expect(await nextRun()).toBeLessThan(6)

  await pool.query('delete from graphile_worker._private_jobs')
  await pass('1 minute')
  await settle(db, await takeOne(), timeout)
  await tell(app, 'two')
  await pool.query('delete from graphile_worker._private_jobs')
  await scheduleNext(db, app)
  expect(await nextRun()).toBeGreaterThan(8)
  expect(await nextRun()).toBeLessThan(11)
})

test('a sign-out is not delayed by a round that was put off', async () => {
  await tell(app, 'one')
  await settle(db, await takeOne(), broken)
  await scheduleNext(db, app)
  await tell(app, 'two')
  expect(await nextRun()).toBeLessThan(1)
  await scheduleNext(db, app)
  expect(await nextRun()).toBeLessThan(1)
})

test('two processes never take the same', async () => {
  for (let round = 0; round < rounds; round++) {
    await pool.query('truncate logout_deliveries')
    await tell(app, ...Array.from({ length: 20 }, (_, index) => `session ${index}`))
    const taken = (await Promise.all(Array.from({ length: 8 }, () => takeDue(db, app)))).flat()
    const sessions = taken.map(({ sessionUid }) => sessionUid)
    expect(new Set(sessions).size).toBe(sessions.length)
  }
})

test('what a process had taken when it died is due again after a minute, and a round is asked for', async () => {
  await tell(app, 'one')
  await pool.query('delete from graphile_worker._private_jobs')
  await takeOne()
  expect(await takeDue(db, app)).toEqual([])
  await resumeDeliveries(db)
  expect(await nextRun()).toBeUndefined()
  await pass('4 minutes')
  await resumeDeliveries(db)
  expect(await nextRun()).toBeLessThan(1)
  expect((await takeOne()).attempts).toBe(2)
})

test('an app that has to be told anew is not settled by the answer to the time before', async () => {
  await tell(app, 'one')
  const before = await takeOne()
  await tell(app, 'one')
  await settle(db, before, { told: true })
  expect(await deliveriesOf(db, 'one')).toEqual(new Map([[app, 'pending']]))
  await settle(db, await takeOne(), { told: true })
  expect(await deliveriesOf(db, 'one')).toEqual(new Map([[app, 'told']]))
})

test('an app without an address, a disabled and an unknown one are not told', async () => {
  await pool.query('update clients set disabled_at = now() where id = $1', [other])
  await tell(other, 'one')
  await tell('nobody', 'one')
  expect(await deliveriesOf(db, 'one')).toEqual(new Map())
  expect(await nextRun(other)).toBeUndefined()
  await pool.query('update clients set disabled_at = null where id = $1', [other])
  await tell(other, 'one')
  expect(await deliveriesOf(db, 'one')).toEqual(new Map([[other, 'pending']]))
})

test('RL-19: what is over is forgotten after a week', async () => {
  await tell(app, 'one', 'two')
  await pass('6 days')
  await removeExpired(pool)
  expect((await rowOf('one'))?.state).toBe('pending')
  await pass('2 days')
  expect(await removeExpired(pool)).toMatchObject({ logout_deliveries: 2 })
})
