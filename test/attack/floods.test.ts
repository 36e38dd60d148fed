/** Requests that cost us more than their sender: time on the one thread, rows, memory. */
import { expect, test } from 'vitest'
import { explainAddress } from '../../src/clients/address-difference.ts'
import { createClientCache } from '../../src/oidc/client-cache.ts'
import { createDatabase } from '../support/database.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const database = await createDatabase()
const server = await startTestServer({ database, env: { LIMIT_FACTOR: '0.02' } })
const { origin } = server
const app = await createApp(server)

const count = async (table: 'refusals' | 'posted_requests') =>
  (await database.pool.query(`select count(*)::int as n from ${table}`)).rows[0].n as number

/** Of this thread, the least of three times: how busy the machine is does not count. */
function cpuMs(act: () => void): number {
  const times = Array.from({ length: 3 }, () => {
    const before = process.threadCpuUsage()
    act()
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / 1000
  })
  return Math.min(...times)
}

test('IN-05: an address of fifty thousand slashes is compared at once', () => {
  const hostile = `https://app.example.com/${'/'.repeat(50_000)}x`
  const explain = () => explainAddress(hostile, ['https://app.example.com/cb'])
  expect(explain().part).toBe('path')
  expect(cpuMs(explain)).toBeLessThan(50)
})

test('IN-05: fifty long registered addresses are compared at once', () => {
  const registered = Array.from(
    { length: 50 },
    (_, n) => `https://app.example.com/${'x'.repeat(600)}${n}`,
  )
  const hostile = `https://app.example.com/${'y'.repeat(600)}`
  expect(cpuMs(() => explainAddress(hostile, registered))).toBeLessThan(100)
})

test('DS-07: error pages without end do not become rows without end', async () => {
  const url = app.logoutUrl({ client_id: app.id, post_logout_redirect_uri: 'https://evil.example' })
  for (let n = 0; n < 8; n++) {
    const answer = await fetch(url, { headers: { accept: 'text/html' } })
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('id="error"')
  }
  // 60 a minute from one address, by the factor of this server.
  expect(await count('refusals')).toBe(2)
})

test('DS-07: posted requests to sign out are limited like those to sign in', async () => {
  let limited = 0
  for (let n = 0; n < 40; n++) {
    const { status } = await fetch(`${origin}/oauth2/logout`, {
      method: 'POST',
      body: new URLSearchParams({ state: 'x'.repeat(2000) }),
      redirect: 'manual',
    })
    if (status === 429) limited++
  }
  expect(limited).toBeGreaterThan(0)
  expect(await count('posted_requests')).toBeLessThanOrEqual(24)
})

test('DS-07: what cannot be a client id is neither looked for nor remembered', async () => {
  let statements = 0
  const { db } = database
  const counting = new Proxy(db, {
    get(target, name, receiver) {
      if (name === 'getExecutor') statements++
      return Reflect.get(target, name, receiver)
    },
  })
  const cache = createClientCache(counting)
  const ids = ['', ' ', 'x'.repeat(129), 'a.b', "'; drop table clients --", '\u0000']
  for (const id of ids) expect(await cache.client(id)).toBeUndefined()
  expect(statements).toBe(0)
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 2000; n++) await cache.client(`${n}${'\u4e2d'.repeat(25_000)}`)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(60 * 1024 * 1024)
})
