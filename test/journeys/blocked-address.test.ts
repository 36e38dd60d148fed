/** An address under suspicion: what is stopped, what goes on, and how it is lifted. */
import { afterAll, expect, test } from 'vitest'
import { addBlock, listBlocks, removeBlock } from '../../src/blocks/blocks.ts'
import { createVisitor } from '../../src/demo/visitor.ts'
import { auditOf } from '../support/audit.ts'
import { authorize, createPerson, password, signInAt } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({
  env: { LIMIT_FACTOR: '1', TRUSTED_PROXIES: '127.0.0.1,::1,192.0.2.200' },
})
const { origin } = server
const { db } = server.database
const app = await createApp(server, { firstParty: true })
const by = { actor: { kind: 'operator' } } as const
const at = (address: string) =>
  createVisitor({ at: [origin], headers: { 'x-forwarded-for': address } })
const rule = (network: string, scope: 'entry' | 'all' = 'entry') =>
  addBlock(db, { network, scope, reason: 'a test', lifetimeSeconds: 3600 }, by)
/** The longest that a change takes to a running server. */
const soon = (what: () => Promise<number>) => expect.poll(what, { timeout: 2500, interval: 100 })
const statusAt = async (address: string) => {
  const { status } = await fetch(`${origin}/api/registrations`, {
    method: 'POST',
    headers: { 'x-forwarded-for': address, 'content-type': 'application/json' },
    body: '{}',
  })
  return status
}

test('spraying from a network stops there, and not for who is known or signed in', async () => {
  const owner = await createPerson(server)
  const home = at('203.0.113.5')
  const granted = await authorize(home, app, owner)
  const sprayer = at('203.0.113.5')
  const page = await sprayer.get(app.begin().url)
  const statuses: number[] = []
  for (let n = 0; n < 31; n++) {
    const guess = await sprayer.press(page, 'continue', {
      identifier: `nobody${n}`,
      password: 'Spring2026!',
    })
    statuses.push(guess.status)
  }
  expect(statuses.slice(0, 30).every((status) => status === 422)).toBe(true)
  const refused = await sprayer.press(page, 'continue', { identifier: owner.username, password })
  expect([statuses[30], refused.status]).toEqual([429, 429])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(800)
  expect(refused.body).toMatch(/class="reference"|Reference/)
  const [block] = await listBlocks(db)
  expect(block).toMatchObject({
    network: '203.0.113.5/32',
    kind: 'behaviour',
    reason: 'many_names',
  })
  expect(await auditOf(db, 'block.added')).toMatchObject([{ actorKind: 'system' }])

  // The account, the apps and the known browser go on, with the same address.
  expect((await home.get(`${origin}/account`)).status).toBe(200)
  const refreshed = await app.refresh(String(granted.answer.body.refresh_token))
  expect(refreshed.status).toBe(200)
  const again = await home.get(app.begin({ prompt: 'login' }).url)
  const back = await signInAt(home, again, owner)
  expect(back.url).toContain('code=')

  // A newcomer, a reset and a code do not begin there; elsewhere everything does.
  expect(await statusAt('203.0.113.5')).toBe(429)
  const reset = at('203.0.113.5')
  const form = await reset.get(`${origin}/reset-password`)
  expect((await reset.press(form, 'continue', { email: owner.email })).status).toBe(429)
  expect(await statusAt('203.0.113.6')).toBe(400)
  await removeBlock(db, block?.id ?? '', by)
  await soon(() => statusAt('203.0.113.5')).toBe(400)
})

test('a rule of IPv6 reaches a running server within two seconds, ends by itself, and spares proxies', async () => {
  const block = await rule('2001:db8:7::/48')
  await soon(() => statusAt('2001:db8:7:1::9')).toBe(429)
  expect(await statusAt('2001:db8:8::9')).toBe(400)
  await rule('192.0.2.200')
  await db
    .updateTable('blocks')
    .set({ expiresAt: new Date(Date.now() - 1000) })
    .where('id', '=', block.id)
    .execute()
  await rule('198.51.100.1')
  await soon(() => statusAt('198.51.100.1')).toBe(429)
  expect(await statusAt('2001:db8:7:1::9')).toBe(400)
  expect(await statusAt('192.0.2.200')).toBe(400)
})

test('a rule of everything stops tokens and pages too, without an end in other words', async () => {
  const block = await addBlock(
    db,
    { network: '198.51.100.0/25', scope: 'all', reason: 'a botnet', lifetimeSeconds: null },
    by,
  )
  const visitor = at('198.51.100.9')
  await soon(async () => (await visitor.get(`${origin}/`)).status).toBe(403)
  const token = await fetch(`${origin}/oauth2/token`, {
    method: 'POST',
    headers: { 'x-forwarded-for': '198.51.100.9' },
  })
  expect(token.status).toBe(403)
  await removeBlock(db, block.id, by)
  await soon(async () => (await visitor.get(`${origin}/`)).status).toBe(200)
})

test('thirty wrong codes of invitations within an hour block an address', async () => {
  const other = await startTestServer({
    env: { LIMIT_FACTOR: '1', REGISTRATION: 'invite', TRUSTED_PROXIES: '127.0.0.1' },
  })
  afterAll(() => other.close())
  const ask = (n: number) =>
    fetch(`${other.origin}/api/registrations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.77' },
      body: JSON.stringify({
        username: `guess${n}`,
        email: `g${n}@example.org`,
        password,
        invite: 'WRONG',
      }),
    })
  for (let n = 0; n < 30; n++) {
    await ask(n)
    // As if ten minutes had passed each time.
    if (n % 10 === 9) await other.database.db.deleteFrom('rateLimits').execute()
  }
  const refused = await ask(31)
  expect([refused.status, await refused.json()]).toMatchObject([429, { code: 'address_blocked' }])
})
