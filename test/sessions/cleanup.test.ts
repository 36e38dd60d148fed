/** What has expired is removed in batches; what lives, and what a late replay is judged by, stays. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { sha256 } from '../../src/crypto.ts'
import { removeExpired } from '../../src/sessions/cleanup.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db, pool } = server.database
const tables = [
  'access_tokens',
  'authorization_codes',
  'client_credentials',
  'grants',
  'interactions',
  'posted_requests',
  'pushed_authorization_requests',
  'refresh_tokens',
  'replay_detection',
  'sessions',
]

async function countRows(): Promise<Record<string, number>> {
  const counts = await Promise.all(
    tables.map(async (table) => {
      const { rows } = await pool.query(`select count(*)::int as count from ${table}`)
      return [table, Number(rows[0].count)] as const
    }),
  )
  return Object.fromEntries(counts)
}

test('nothing that lives is removed, and the person stays signed in', async () => {
  const app = await createApp(server)
  const visitor = createBrowser(server)
  const person = await createPerson(server)
  const { answer } = await authorize(visitor, app, person)
  const before = await countRows()
  await removeExpired(pool)
  expect(await countRows()).toEqual(before)
  expect((await app.refresh(answer.body.refresh_token)).status).toBe(200)
})

test('RL-32: expired rows go, in batches of any size, and only they', async () => {
  const id = (n: number) => sha256(`row ${n}`)
  const add = (from: number, count: number, age: string) =>
    pool.query(
      `insert into replay_detection (id_hash, expires_at)
       select sha256(('row ' || n)::bytea), now() - $3::interval from generate_series($1::int, $2::int) n`,
      [from, from + count - 1, age],
    )
  await add(0, 250, '2 hours')
  await add(1000, 20, '-1 hour')
  const removed = await removeExpired(pool, 100)
  expect(removed.replay_detection).toBe(250)
  const { rows } = await pool.query(
    'select id_hash from replay_detection where id_hash = any($1)',
    [[id(0), id(249), id(1000)]],
  )
  expect(rows).toHaveLength(1)
})

test('a spent code stays a day, so that a late replay is known for one', async () => {
  const expire = (interval: string) =>
    db
      .updateTable('authorizationCodes')
      .set({ expiresAt: sql<Date>`now() - ${interval}::interval` })
      .execute()
  await expire('23 hours')
  expect((await removeExpired(pool)).authorization_codes).toBe(0)
  await expire('25 hours')
  expect((await removeExpired(pool)).authorization_codes).toBeGreaterThan(0)
})

test('an ended flow stays, so that its pages can offer to begin again: a night, or a day when somebody signed in', async () => {
  const app = await createApp(server)
  const person = await createPerson(server)
  const known = createBrowser(server)
  await authorize(known, app, person)
  await db.deleteFrom('interactions').execute()
  await createBrowser(server).get(app.begin().url)
  await known.get(app.begin({ prompt: 'login' }).url)
  const left = async (hours: number) => {
    const expiresAt = sql<Date>`now() - make_interval(hours => ${hours})`
    await db.updateTable('interactions').set({ expiresAt }).execute()
    await removeExpired(pool)
    return (await countRows()).interactions
  }
  expect([await left(7), await left(9), await left(23), await left(25)]).toEqual([2, 1, 1, 0])
})

test('two nodes that clean at once do not wait for each other and remove each row once', async () => {
  await pool.query(
    `insert into posted_requests (id_hash, endpoint, parameters, expires_at)
     select sha256(('p ' || n)::bytea), '/x', '[]', now() - interval '1 second' from generate_series(1, 500) n`,
  )
  const removed = await Promise.all([removeExpired(pool, 50), removeExpired(pool, 50)])
  const total = removed.reduce((sum, counts) => sum + (counts.posted_requests ?? 0), 0)
  await removeExpired(pool)
  expect(total).toBeLessThanOrEqual(500)
  expect((await countRows()).posted_requests).toBe(0)
})
