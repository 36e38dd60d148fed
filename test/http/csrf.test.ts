import type { Middleware } from 'koa'
import { expect, test } from 'vitest'
import { createKeyring } from '../../src/crypto.ts'
import { createCsrf } from '../../src/http/csrf.ts'
import { parseForm } from '../../src/http/form-body.ts'
import { above, form, issuer, serve } from './support.ts'

const oldKey = 'old-secret-old-secret-old-secret-old'
const newKey = 'new-secret-new-secret-new-secret-new'

async function start(config = { issuer, trustedProxies: [] as string[] }, keys = [newKey]) {
  const csrf = createCsrf({ config, keyring: createKeyring(keys) })
  let done = 0
  const show: Middleware = async (ctx, next) => {
    if (ctx.method === 'POST') return next()
    ctx.body = [csrf.token(ctx), csrf.token(ctx)]
  }
  const act: Middleware = (ctx) => {
    done++
    ctx.body = 'done'
  }
  const server = await serve([...above(config), show, parseForm, csrf.require, act])

  async function open(cookie?: string) {
    const { headers, body } = await server.ask('/sign-in', { headers: cookie ? { cookie } : {} })
    const [token, again] = JSON.parse(body)
    const set = headers['set-cookie'] ?? []
    expect(again).toBe(token)
    return { token: String(token), set, cookie: cookie ?? String(set[0]?.split(';')[0]) }
  }
  async function send(fields: Record<string, string>, headers: Record<string, string> = {}) {
    const { status } = await server.ask('/sign-in', {
      ...form(fields),
      headers: { ...form({}).headers, ...headers },
    })
    return status
  }
  return { open, send, done: () => done }
}

test('WB-05: the form of this browser is taken', async () => {
  const { open, send } = await start()
  const { token, cookie } = await open()
  expect(await send({ csrf: token }, { cookie })).toBe(200)
  expect(
    await send({ csrf: token }, { cookie, origin: issuer, 'sec-fetch-site': 'same-origin' }),
  ).toBe(200)
})

test("WB-05: no token, no cookie, another browser's token: 403, and nothing is done", async () => {
  const { open, send, done } = await start()
  const mine = await open()
  const mallorys = await open()
  const { cookie } = mine
  expect(await send({}, { cookie })).toBe(403)
  expect(await send({ csrf: '' }, { cookie })).toBe(403)
  expect(await send({ csrf: mine.token.slice(0, -2) }, { cookie })).toBe(403)
  expect(await send({ csrf: mine.token })).toBe(403)
  expect(await send({ csrf: mallorys.token }, { cookie })).toBe(403)
  // A forged sign-in would need the victim's browser to hold mallory's cookie, which `__Host-` forbids.
  expect(await send({ csrf: mallorys.token, identifier: 'mallory' }, { cookie })).toBe(403)
  expect(await send({ csrf: mine.token }, { cookie: '__Host-csrf-x=; __Host-csrf-y=short' })).toBe(
    403,
  )
  expect(done()).toBe(0)
})

test('WB-05: a form that stood elsewhere is refused, token or not', async () => {
  const { open, send, done } = await start()
  const { token: csrf, cookie } = await open()
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'https://id.example.org.evil.example' },
    { origin: 'http://id.example.org' },
    { origin: 'https://app.example.org', 'sec-fetch-site': 'same-site' },
    { origin: 'null' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'cross-site' },
  ]) {
    expect([headers, await send({ csrf }, { cookie, ...headers })]).toEqual([headers, 403])
  }
  expect(done()).toBe(0)
})

test("WB-05: a page without referrer is told from a sandboxed frame by the browser's other word", async () => {
  const { open, send } = await start()
  const { token, cookie } = await open()
  expect(
    await send({ csrf: token }, { cookie, origin: 'null', 'sec-fetch-site': 'same-origin' }),
  ).toBe(200)
})

test('WB-01: the cookie is bound to the host, out of reach for scripts, and 256 bits long', async () => {
  const { open } = await start()
  const { set } = await open()
  expect(set).toHaveLength(1)
  expect(set[0]).toMatch(
    /^__Host-csrf-[\w-]{6}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
  )
})

test('two tabs opened at once by a new browser can both send their form', async () => {
  const { open, send } = await start()
  const [one, two] = await Promise.all([open(), open()])
  const cookie = [one.cookie, two.cookie].join('; ')
  expect(await send({ csrf: one.token }, { cookie })).toBe(200)
  expect(await send({ csrf: two.token }, { cookie })).toBe(200)
})

test('a browser that has the cookie gets no other', async () => {
  const { open } = await start()
  const first = await open()
  const second = await open(first.cookie)
  expect(second.set).toEqual([])
  expect(second.token).toBe(first.token)
})

test('a form from before a new SECRET_KEY is still taken', async () => {
  const before = await start(undefined, [oldKey])
  const after = await start(undefined, [newKey, oldKey])
  const { token, cookie } = await before.open()
  expect(await after.send({ csrf: token }, { cookie })).toBe(200)
  const without = await start(undefined, [newKey])
  expect(await without.send({ csrf: token }, { cookie })).toBe(403)
})

test('WB-01: on http loopback the name is plain', async () => {
  const { open, send } = await start({ issuer: 'http://localhost:3000', trustedProxies: [] })
  const { token, cookie, set } = await open()
  expect(set[0]).toMatch(/^csrf-[\w-]{6}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
  expect(await send({ csrf: token }, { cookie, origin: 'http://localhost:3000' })).toBe(200)
  expect(await send({ csrf: token }, { cookie, origin: 'http://localhost:3001' })).toBe(403)
})
