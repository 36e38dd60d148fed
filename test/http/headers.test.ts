import type { Middleware } from 'koa'
import { expect, test } from 'vitest'
import { above, serve } from './support.ts'

const door: Middleware = (ctx) => {
  if (ctx.path === '/fails') throw new Error('secret detail')
  if (ctx.path === '/missing') return
  if (ctx.path === '/moves') ctx.redirect('/elsewhere')
  else ctx.body = ctx.state.nonce
}

const always = {
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'strict-transport-security': 'max-age=63072000; includeSubDomains',
  'cache-control': 'no-store',
}

test('WB-06 WB-08: every answer carries them: a page, a redirect, a fault, nothing, 405', async () => {
  const { ask } = await serve([...above(), door])
  for (const path of ['/', '/moves', '/fails', '/missing', '/api/missing']) {
    const { headers } = await ask(path)
    expect([path, headers]).toMatchObject([path, always])
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers['permissions-policy']).toContain('camera=()')
    expect(headers['x-powered-by'] ?? headers.server).toBeUndefined()
  }
})

test('WB-06: requests that are no HTTP are answered unframeable as well', async () => {
  const { say } = await serve([...above(), door])
  const heard = await say('NONSENSE\r\n\r\n')
  expect(heard).toMatch(/^HTTP\/1\.1 400 /)
  expect(heard).toContain('X-Frame-Options: DENY')
  expect(heard).toContain("frame-ancestors 'none'")
})

test('WB-07: nothing by default, a nonce of its own, no unsafe-*, and no form-action', async () => {
  const { ask } = await serve([...above(), door])
  const [one, two] = await Promise.all([ask('/'), ask('/')])
  const policy = String(one?.headers['content-security-policy'])
  expect(policy.split('; ')).toEqual([
    "default-src 'none'",
    `script-src 'self' 'nonce-${one?.body}'`,
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'none'",
    "connect-src 'self'",
    "base-uri 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
  ])
  expect(two?.headers['content-security-policy']).not.toBe(policy)
})

test('WB-08: HSTS belongs to production alone: on loopback it would hold for every other port', async () => {
  const { ask } = await serve([
    ...above({ issuer: 'http://localhost:3000', trustedProxies: [] }),
    door,
  ])
  expect((await ask('/')).headers['strict-transport-security']).toBeUndefined()
})

test('WB-08: what other origins read may be embedded, and sign-in may come from a popup', async () => {
  const { ask } = await serve([...above(), door])
  const corp = async (path: string) => (await ask(path)).headers['cross-origin-resource-policy']
  expect(await corp('/.well-known/openid-configuration')).toBe('cross-origin')
  expect(await corp('/oauth2/userinfo')).toBe('cross-origin')
  expect(await corp('/sign-in')).toBe('same-origin')
  const coop = async (path: string) => (await ask(path)).headers['cross-origin-opener-policy']
  expect(await coop('/sign-in/x')).toBe('unsafe-none')
  expect(await coop('/oauth2/authorize')).toBe('unsafe-none')
  expect(await coop('/sign-in')).toBe('same-origin')
  expect(await coop('/account')).toBe('same-origin')
})

test('AC-10: an address that holds a mailed token is told to nobody, not even to us', async () => {
  const { ask } = await serve([...above(), door])
  const { headers } = await ask('/verify-email?token=abc')
  expect(headers['referrer-policy']).toBe('strict-origin')
})
