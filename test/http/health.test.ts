import { expect, test, vi } from 'vitest'
import { createHealth } from '../../src/http/health.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import { serveMetrics } from '../../src/http/metrics-server.ts'
import { enqueue } from '../../src/jobs/tasks.ts'
import { createDatabase } from '../support/database.ts'
import { above, ask, issuer, serve } from './support.ts'

const fine = { process: 'ok', database: 'ok', migrations: 'ok', keys: 'ok', mail: 'ok' }

async function withKey(options = {}) {
  const database = await createDatabase(options)
  await database.pool.query(
    `insert into signing_keys (kid, alg, state, public_jwk, private_jwk_sealed)
     values ('k', 'RS256', 'current', '{}', '')`,
  )
  return database
}

test('ready is a database, its schema and a key; loopback peers see each', async () => {
  const health = createHealth({ database: await withKey() })
  const { ask } = await serve([...above(), health.routes])
  const ready = await ask('/readyz')
  expect(ready.status).toBe(200)
  expect(JSON.parse(ready.body)).toEqual({ status: 'ok', checks: fine })
  expect(ready.headers['cache-control']).toBe('no-store')
  expect(JSON.parse((await ask('/healthz')).body)).toEqual({ status: 'ok' })
  expect((await ask('/readyz', { method: 'HEAD' })).body).toBe('')
})

test('peers from elsewhere, or through a proxy, see the status alone', async () => {
  const health = createHealth({ database: await withKey() })
  const { ask } = await serve([...above({ issuer, trustedProxies: ['127.0.0.1'] }), health.routes])
  const { status, body } = await ask('/readyz', { headers: { 'x-forwarded-for': '198.51.100.1' } })
  expect([status, JSON.parse(body)]).toEqual([200, { status: 'ok' }])
})

test('no key, no schema, no database: 503, and alive nevertheless', async () => {
  const database = await createDatabase()
  const keyless = await createHealth({ database }).readiness()
  expect(keyless).toEqual({ status: 'unavailable', checks: { ...fine, keys: 'failed' } })

  const empty = await createHealth({ database: await createDatabase({ empty: true }) }).readiness()
  expect(empty.checks).toEqual({ ...fine, migrations: 'failed', keys: 'failed', mail: 'degraded' })

  const gone = await withKey()
  const broken = createHealth({
    database: { ...gone, pool: { query: () => Promise.reject(new Error('x')) } as never },
  })
  const { ask } = await serve([...above(), broken.routes])
  expect((await ask('/readyz')).status).toBe(503)
  expect((await ask('/healthz')).status).toBe(200)
})

test('a database that hangs is not waited for', async () => {
  const gone = await withKey()
  const hanging = { ...gone, pool: { query: () => new Promise(() => {}) } as never }
  const begun = performance.now()
  const { status, checks } = await createHealth({ database: hanging }).readiness()
  expect([status, checks.database]).toEqual(['unavailable', 'failed'])
  expect(performance.now() - begun).toBeLessThan(4000)
})

test('a stuck mail queue is told and changes no status', async () => {
  const database = await withKey()
  const look = () => createHealth({ database }).readiness()
  const payload = { registrationId: 'x', mailNumber: 1 }
  await enqueue(database.db, 'mail.verification', payload)
  await enqueue(database.db, 'cleanup', {}, { runAt: new Date(Date.now() - 3_600_000) })
  await enqueue(database.db, 'mail.verification', payload, {
    runAt: new Date(Date.now() + 3_600_000),
  })
  await database.pool.query(`update graphile_worker._private_jobs set created_at = now() - interval '1 hour'
    where run_at > now() + interval '1 minute' or task_id <> (select id from graphile_worker._private_tasks where identifier like 'mail%')`)
  expect((await look()).status).toBe('ok')

  await database.pool.query(`update graphile_worker._private_jobs
    set run_at = now() - interval '6 minutes', created_at = now() - interval '6 minutes' where attempts = 0`)
  const health = createHealth({ database })
  const { ask } = await serve([...above(), health.routes])
  const { status, body } = await ask('/readyz')
  expect([status, JSON.parse(body)]).toEqual([
    200,
    { status: 'degraded', checks: { ...fine, mail: 'degraded' } },
  ])

  await database.pool.query(
    `update graphile_worker._private_jobs set run_at = now() + interval '1 minute', attempts = 1`,
  )
  expect((await look()).status).toBe('ok')
  await database.pool.query('update graphile_worker._private_jobs set attempts = 4')
  expect((await look()).checks.mail).toBe('degraded')
})

test('while closing it is not ready', async () => {
  let closing = false
  const health = createHealth({ database: await withKey(), isClosing: () => closing })
  expect((await health.readiness()).status).toBe('ok')
  closing = true
  expect(await health.readiness()).toEqual({
    status: 'unavailable',
    checks: { ...fine, process: 'failed' },
  })
})

test('probes do not load the database', async () => {
  const database = await withKey()
  const query = vi.spyOn(database.pool, 'query')
  const health = createHealth({ database })
  await Promise.all(Array.from({ length: 50 }, () => health.readiness()))
  expect(query.mock.calls.length).toBeLessThanOrEqual(3)
})

test('WB-12: the metrics port has metrics and health in full, and nothing else', async () => {
  const database = await withKey()
  const metrics = createMetrics({
    hashQueue: () => ({ running: 1, waiting: 2 }),
    pool: database.pool,
    countLiveSessions: async () => 3,
    signingSince: () => ({}),
  })
  const health = createHealth({ database })
  const { port, close } = await serveMetrics({ host: '127.0.0.1', port: 0, metrics, health })
  try {
    const scraped = await ask(port, '/metrics', { headers: { host: 'anything' } })
    expect([scraped.status, scraped.headers['content-type']]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ])
    expect(scraped.body).toContain('idp_live_sessions 3')
    const ready = await ask(port, '/readyz', { headers: { 'x-forwarded-for': '198.51.100.1' } })
    expect(JSON.parse(ready.body)).toEqual({ status: 'ok', checks: fine })
    expect((await ask(port, '/healthz')).status).toBe(200)
    expect((await ask(port, '/sign-in')).status).toBe(404)
    expect((await ask(port, '/metrics', { method: 'POST' })).status).toBe(405)
  } finally {
    await close()
  }
})
