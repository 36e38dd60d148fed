import type { Middleware } from 'koa'
import { expect, test } from 'vitest'
import { createKeyring, newId } from '../../src/crypto.ts'
import { createKnownDevices, type DeviceAccount } from '../../src/http/known-device.ts'
import { above, issuer, serve } from './support.ts'

const oldKey = 'old-secret-old-secret-old-secret-old'
const newKey = 'new-secret-new-secret-new-secret-new'
const person = (passwordChangedAt: Date | null = new Date('2026-01-01')): DeviceAccount => ({
  id: newId(),
  passwordChangedAt,
})

async function browser(config = { issuer, trustedProxies: [] as string[] }) {
  let cookie = ''
  let account: DeviceAccount | undefined
  let keys = [newKey]
  const door: Middleware = (ctx) => {
    const devices = createKnownDevices({ config, keyring: createKeyring(keys) })
    if (ctx.path === '/remember' && account) devices.remember(ctx, account)
    ctx.body = { device: devices.find(ctx, account) ?? null }
  }
  const { ask } = await serve([...above(config), door])
  async function visit(path: string, who: DeviceAccount | undefined) {
    account = who
    const { headers, body } = await ask(path, { headers: { cookie } })
    const set = headers['set-cookie']?.[0]
    if (set) cookie = String(set.split(';')[0])
    return { set, device: JSON.parse(body).device as string | null }
  }
  return {
    remember: (who: DeviceAccount) => visit('/remember', who),
    knows: async (who: DeviceAccount | undefined) => (await visit('/', who)).device !== null,
    device: async (who: DeviceAccount) => (await visit('/', who)).device,
    cookie: (value?: string) => {
      cookie = value ?? cookie
      return cookie
    },
    setKeys: (value: string[]) => {
      keys = value
    },
  }
}

test('PW-15: a browser is known to the accounts that signed in from it, and to no other', async () => {
  const { remember, knows, device } = await browser()
  const [alice, bob, mallory] = [person(), person(), person()]
  expect(await knows(alice)).toBe(false)
  await remember(alice)
  await remember(bob)
  expect([await knows(alice), await knows(bob), await knows(mallory)]).toEqual([true, true, false])
  expect(await knows(undefined)).toBe(false)
  expect(await device(alice)).toBe(await device(bob))
})

test("PW-15: another account's cookie, a changed one or garbage makes nobody known", async () => {
  const alice = person()
  const mallory = person()
  const { remember, knows, cookie } = await browser()
  await remember(mallory)
  const mallorys = cookie()
  expect(await knows(alice)).toBe(false)
  await remember(alice)
  const [id = '', mark = ''] = cookie().replace('__Host-device=', '').split('~')
  for (const value of [
    '',
    'x',
    `${id}~`,
    `${id.slice(1)}A~${mark}`,
    `${id}~${'A'.repeat(22)}`,
    '~'.repeat(5000),
  ]) {
    cookie(`__Host-device=${value}`)
    expect([value, await knows(alice)]).toEqual([value, false])
  }
  cookie(mallorys)
  expect(await knows(mallory)).toBe(true)
})

test('a new password makes every device a stranger', async () => {
  const { remember, knows } = await browser()
  const alice = person()
  await remember(alice)
  expect(await knows({ ...alice, passwordChangedAt: new Date('2026-02-02') })).toBe(false)
})

test('eight accounts fit, the ninth pushes out the oldest, and signing in again takes no second place', async () => {
  const { remember, knows, cookie } = await browser()
  const people = Array.from({ length: 9 }, () => person())
  for (const each of people.slice(0, 8)) await remember(each)
  const full = cookie().length
  await remember(people[0] ?? person())
  expect(cookie()).toHaveLength(full)
  await remember(people[8] ?? person())
  expect(cookie()).toHaveLength(full)
  expect(await Promise.all(people.map(async (each) => each))).toHaveLength(9)
  const known = []
  for (const each of people) known.push(await knows(each))
  expect(known).toEqual([true, false, true, true, true, true, true, true, true])
})

test('WB-01: the cookie is for this host and for no script, and a new SECRET_KEY keeps it', async () => {
  const { remember, knows, setKeys } = await browser()
  const alice = person(null)
  setKeys([oldKey])
  const { set } = await remember(alice)
  expect(set).toMatch(
    /^__Host-device=[\w-]{22}~[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=31536000; Secure$/,
  )
  setKeys([newKey, oldKey])
  expect(await knows(alice)).toBe(true)
  await remember(alice)
  setKeys([newKey])
  expect(await knows(alice)).toBe(true)
})

test('WB-01: on http loopback the name is plain', async () => {
  const { remember, knows } = await browser({ issuer: 'http://localhost:3000', trustedProxies: [] })
  const alice = person()
  expect((await remember(alice)).set).toMatch(
    /^device=.*; Path=\/; HttpOnly; SameSite=Lax; Max-Age=31536000$/,
  )
  expect(await knows(alice)).toBe(true)
})
