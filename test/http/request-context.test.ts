import type { Middleware } from 'koa'
import { expect, test } from 'vitest'
import { languageLinks, localeOf, localeOfBrowser } from '../../src/http/locale.ts'
import { above, issuer, serve } from './support.ts'

const echo: Middleware = (ctx) => {
  const { requestId, nonce, address, fromLoopback, origin, locale } = ctx.state
  ctx.body = { requestId, nonce, address, fromLoopback, origin, locale, links: languageLinks(ctx) }
}
const start = (config?: { issuer: string; trustedProxies: string[] }) =>
  serve([...above(config), echo])

test('each request has an id and a nonce of ours; an id from outside is not taken', async () => {
  const { ask } = await start()
  const answers = await Promise.all(
    [1, 2].map(() => ask('/', { headers: { 'x-request-id': 'forged' } })),
  )
  const [one, two] = answers.map(({ body }) => JSON.parse(body))
  expect(answers[0]?.headers['x-request-id']).toBe(one.requestId)
  expect(one.requestId).toMatch(/^[\w-]{16}$/)
  expect(one.requestId).not.toBe(two.requestId)
  expect(one.nonce).not.toBe(two.nonce)
  expect(Buffer.from(one.nonce, 'base64url').length).toBeGreaterThanOrEqual(16)
})

test('PW-17: the origin of an audit event holds the address that limits use', async () => {
  const { ask } = await start({ issuer, trustedProxies: ['127.0.0.1'] })
  const { body } = await ask('/', {
    headers: { 'x-forwarded-for': '1.1.1.1, 198.51.100.1', 'user-agent': 'x'.repeat(1000) },
  })
  const { requestId, address, fromLoopback, origin } = JSON.parse(body)
  expect({ address, fromLoopback }).toEqual({ address: '198.51.100.1', fromLoopback: false })
  expect(origin).toEqual({ address: '198.51.100.1', requestId, userAgent: 'x'.repeat(256) })
})

test('the language: what the address asks for, then the choice, then the browser, then English', async () => {
  const { ask } = await start()
  const locale = async (path: string, headers = {}) =>
    JSON.parse((await ask(path, { headers })).body).locale
  const chinese = { 'accept-language': 'de, zh;q=0.8, en;q=0.2' }
  expect(await locale('/')).toBe('en')
  expect(await locale('/', chinese)).toBe('zh-CN')
  expect(await locale('/', { ...chinese, cookie: '__Host-locale=en' })).toBe('en')
  expect(await locale('/?ui_locales=zh-CN', { cookie: '__Host-locale=en' })).toBe('zh-CN')
  expect(await locale('/?ui_locales=fr%20zh-Hans%20en')).toBe('zh-CN')
  expect(await locale('/?ui_locales=fr', chinese)).toBe('zh-CN')
})

test('a language chosen on a page is remembered; one that an app asks for is not', async () => {
  const { ask } = await start()
  const chosen = await ask('/sign-in?ui_locales=zh-CN')
  expect(chosen.headers['set-cookie']).toEqual([
    '__Host-locale=zh-CN; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000; Secure',
  ])
  expect((await ask('/oauth2/authorize?ui_locales=zh-CN')).headers['set-cookie']).toBeUndefined()
  const again = await ask('/sign-in?ui_locales=zh-CN', {
    headers: { cookie: '__Host-locale=zh-CN' },
  })
  expect(again.headers['set-cookie']).toBeUndefined()
})

test('WB-15: odd languages fall back', () => {
  const odd = [
    '*',
    ';;;,',
    'en;q=',
    'zh;q=0',
    'q=1',
    'x'.repeat(100_000),
    ',,,',
    'zh-TW',
    'xx-YY-!!',
  ]
  for (const header of odd)
    expect([header, localeOfBrowser(header)]).toEqual([
      header,
      header === 'en;q=' ? 'en' : undefined,
    ])
  expect(localeOfBrowser('zh-TW, en;q=0.5')).toBe('en')
  expect(localeOfBrowser('en;q=0.1, zh-SG;q=0.9')).toBe('zh-CN')
  expect(localeOf('zh-Hans')).toBe('zh-CN')
  expect(localeOf('EN-gb')).toBe('en')
  expect(localeOf(undefined)).toBeUndefined()
})

test('the footer keeps the rest of the address', async () => {
  const { ask } = await start()
  const { links } = JSON.parse((await ask('//x/y?a=1&ui_locales=zh&b=%26')).body)
  expect(links).toEqual([
    { locale: 'en', label: 'English', href: '/x/y?a=1&ui_locales=en&b=%26', current: false },
    { locale: 'zh-CN', label: '简体中文', href: '/x/y?a=1&ui_locales=zh-CN&b=%26', current: true },
  ])
})

test('WB-01: on http loopback names are plain and Secure is left out', async () => {
  const { ask } = await start({ issuer: 'http://localhost:3000', trustedProxies: [] })
  const { headers } = await ask('/?ui_locales=en')
  expect(headers['set-cookie']).toEqual([
    'locale=en; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000',
  ])
})
