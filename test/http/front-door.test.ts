import Router from '@koa/router'
import { expect, test } from 'vitest'
import { frontDoor } from '../../src/http/front-door.ts'
import type { Health } from '../../src/http/health.ts'
import type { RequestObservation } from '../../src/http/request-log.ts'
import { createLogger } from '../../src/logger.ts'
import { host, issuer, serve, views } from './support.ts'

async function start() {
  const lines: string[] = []
  const observed: RequestObservation[] = []
  const logger = createLogger({
    level: 'info',
    destination: { write: (line) => void lines.push(line) },
  })
  const health: Pick<Health, 'routes'> = {
    routes: (ctx, next) => {
      if (ctx.path !== '/healthz') return next()
      ctx.body = { status: 'ok' }
      return undefined
    },
  }
  const router = new Router()
  router.get('/sign-in', (ctx) => {
    ctx.body = `${ctx.href} ${ctx.ip}`
  })
  router.get('/fails', () => {
    throw new Error('hush')
  })
  const door = frontDoor({
    config: { issuer, production: true, trustedProxies: [] },
    views,
    logger,
    health,
    metrics: { request: (request) => observed.push(request) },
  })
  return { ...(await serve([...door, router.routes()])), lines, observed }
}

test('a page behind the whole door sees our origin and the true address', async () => {
  const { ask } = await start()
  const { body } = await ask('/sign-in', {
    headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-for': '8.8.8.8' },
  })
  expect(body).toBe(`${issuer}/sign-in 127.0.0.1`)
})

test('WB-06 WB-08 IN-09: whoever refuses, the answer has headers, a request id and a line in the log', async () => {
  const { ask, lines, observed } = await start()
  const cases: [path: string, what: object, status: number][] = [
    ['/sign-in', { headers: { host: 'evil.example' } }, 421],
    ['/sign-in', { method: 'TRACE' }, 405],
    ['/sign-in?x=%00', {}, 400],
    ['/nowhere', {}, 404],
    ['/fails', {}, 500],
    ['/assets/none.css', {}, 404],
    ['//sign-in', {}, 404],
  ]
  for (const [path, what, status] of cases) {
    const answer = await ask(path, what)
    expect([path, answer.status]).toEqual([path, status])
    expect(answer.headers).toMatchObject({ 'x-frame-options': 'DENY', 'cache-control': 'no-store' })
    const line = lines.find((text) => text.includes(`"${answer.headers['x-request-id']}"`))
    expect(line).toBeDefined()
    expect(answer.body).not.toContain('hush')
  }
  expect(new Set(observed.map(({ route }) => route))).toEqual(new Set(['unmatched', '/fails']))
})

test('health and assets need no more than they should', async () => {
  const { ask } = await start()
  expect((await ask('/healthz', { headers: { host: '10.0.0.1:3000' } })).status).toBe(200)
  expect((await ask('/healthz', { method: 'DELETE' })).status).toBe(405)
  const page = (await ask('/nowhere')).body
  const stylesheet = String(/\/assets\/[\w.-]+\.css/.exec(page)?.[0])
  expect((await ask(stylesheet)).status).toBe(200)
  expect((await ask(stylesheet, { headers: { host: 'evil.example' } })).status).toBe(421)
})

test('an error page is a whole page under its own policy', async () => {
  const { ask } = await start()
  const { body, headers } = await ask('/nowhere', { headers: { host } })
  const nonce = /'nonce-([^']+)'/.exec(String(headers['content-security-policy']))?.[1]
  for (const script of body.match(/<script[^>]*>/g) ?? []) {
    expect(script.includes(`nonce="${nonce}"`) || script.includes('src="/assets/')).toBe(true)
  }
  expect(body).not.toMatch(/<style|style="|onclick=/)
})

test('PW-17: a proxy that nobody named is pointed out, once', async () => {
  const { ask, lines } = await start()
  for (let n = 0; n < 3; n++) await ask('/sign-in', { headers: { 'x-forwarded-for': '8.8.8.8' } })
  expect(lines.filter((line) => line.includes('TRUSTED_PROXIES'))).toHaveLength(1)
})
