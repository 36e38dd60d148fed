import Router from '@koa/router'
import { expect, test } from 'vitest'
import { refuseOddRequests } from '../../src/http/request-shape.ts'
import { above, host, serve } from './support.ts'

async function start() {
  let calls = 0
  const router = new Router()
  router.get('/sign-in', (ctx) => {
    calls++
    ctx.body = 'page'
  })
  router.get('/oauth2/authorize', (ctx) => {
    calls++
    ctx.body = 'code'
  })
  router.get('/api/things/:id', (ctx) => {
    ctx.body = ctx.params
  })
  const server = await serve([...above(), refuseOddRequests, router.routes()])
  return { ...server, calls: () => calls }
}

test('WB-11: a page knows GET, HEAD and POST; everything else is 405 and names them', async () => {
  const { ask, calls } = await start()
  for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    const { status, headers } = await ask('/sign-in', { method })
    expect([method, status, headers.allow]).toEqual([method, 405, 'GET, HEAD, POST'])
  }
  expect((await ask('/oauth2/authorize', { method: 'TRACE' })).status).toBe(405)
  expect((await ask('/api/things/1', { method: 'TRACE' })).status).toBe(405)
  expect(calls()).toBe(0)
})

test('WB-11: HEAD never runs a GET of the protocol, which would write rows', async () => {
  const { ask, calls } = await start()
  expect((await ask('/oauth2/authorize?client_id=x', { method: 'HEAD' })).status).toBe(405)
  expect(calls()).toBe(0)
  const head = await ask('/sign-in', { method: 'HEAD' })
  expect([head.status, head.body]).toEqual([200, ''])
})

test('WB-11: an endpoint that apps post to takes nothing else, and says so (RFC 9126 §2.3)', async () => {
  const { ask } = await start()
  for (const name of ['token', 'par', 'introspect', 'revoke', 'device', 'bc-authorize']) {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const { status, headers } = await ask(`/oauth2/${name}`, { method })
      expect([name, method, status, headers.allow]).toEqual([name, method, 405, 'POST, OPTIONS'])
    }
    for (const method of ['POST', 'OPTIONS']) {
      expect([name, (await ask(`/oauth2/${name}`, { method })).status]).toEqual([name, 404])
    }
  }
  for (const [name, allow] of [
    ['authorize', 'GET, POST, OPTIONS'],
    ['userinfo', 'GET, POST, OPTIONS'],
    ['logout', 'GET, POST, OPTIONS'],
    ['jwks', 'GET, HEAD, OPTIONS'],
  ]) {
    const { status, headers } = await ask(`/oauth2/${name}`, { method: 'PUT' })
    expect([name, status, headers.allow]).toEqual([name, 405, allow])
  }
})

test('WB-11: headers that override the verb are ignored', async () => {
  const { ask } = await start()
  const override = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE' }
  expect((await ask('/sign-in?_method=DELETE', { headers: override })).body).toBe('page')
})

test('WB-12: paths that try to be another path lead nowhere', async () => {
  const { ask } = await start()
  const paths = ['//sign-in', '/./sign-in', '/%2e%2e/sign-in', '/x/../sign-in', '/sign-in%2f']
  for (const path of [
    ...paths,
    '/.git/config',
    '/.env',
    '/metrics',
    '/sign-in\\..',
    '/SIGN-IN%00',
  ]) {
    const { status } = await ask(path)
    expect([path, [400, 404].includes(status)]).toEqual([path, true])
  }
})

test('IN-02: NUL and broken escapes are 400 wherever they stand', async () => {
  const { ask } = await start()
  for (const path of [
    '/sign-in?x=%00',
    '/sign-in%00',
    '/sign-in?x=%',
    '/sign-in?x=%zz',
    '/api/things/%ff',
    '/%c0%ae',
  ]) {
    expect([path, (await ask(path)).status]).toEqual([path, 400])
  }
  // A query may hold bytes that are not UTF-8; readers of queries replace them.
  expect((await ask('/sign-in?x=%ff')).status).toBe(200)
})

test('DS-04: an endless address is 414', async () => {
  const { ask } = await start()
  expect((await ask(`/sign-in?x=${'a'.repeat(13_000)}`)).status).toBe(414)
})

test('the asterisk and CONNECT get no page', async () => {
  const { say } = await start()
  expect(await say(`OPTIONS * HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 400 /,
  )
  expect(await say(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).not.toMatch(/ 200 /)
})
