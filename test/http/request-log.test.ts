import Router from '@koa/router'
import { expect, test, vi } from 'vitest'
import { parseForm } from '../../src/http/form-body.ts'
import { logRequests, type RequestObservation } from '../../src/http/request-log.ts'
import { createLogger } from '../../src/logger.ts'
import { above, form, serve } from './support.ts'

async function start() {
  const lines: string[] = []
  const observed: RequestObservation[] = []
  const logger = createLogger({
    level: 'debug',
    destination: { write: (line) => void lines.push(line) },
  })
  const router = new Router()
  router.get('/sign-in/:flow', (ctx) => {
    ctx.state.clientId = 'app'
    ctx.body = 'page'
  })
  router.post('/sign-in/:flow', parseForm, (ctx) => {
    ctx.body = 'done'
  })
  router.get('/fails', () => {
    throw new Error('x')
  })
  router.get('/healthz', (ctx) => {
    ctx.body = {}
  })
  router.get('/slow', () => new Promise(() => {}))
  const [context, ...rest] = above()
  if (!context) throw new Error('no context')
  const server = await serve([
    context,
    logRequests({ logger, observe: (request) => observed.push(request) }),
    ...rest,
    router.routes(),
  ])
  const last = () => vi.waitFor(() => JSON.parse(lines.at(-1) ?? ''))
  return { ...server, lines, observed, last }
}

test('a request leaves one line with verb, pattern, status, time, id, address and client', async () => {
  const { ask, lines, last, observed } = await start()
  const { headers } = await ask('/sign-in/4711-secret-flow?code=hush', {
    headers: {
      cookie: '__Host-session=hush',
      authorization: 'Bearer hush',
      referer: 'https://x/?hush',
    },
  })
  expect(await last()).toEqual({
    level: 'info',
    time: expect.any(String),
    requestId: headers['x-request-id'],
    method: 'GET',
    path: '/sign-in/:flow',
    status: 200,
    ms: expect.any(Number),
    address: '127.0.0.1',
    clientId: 'app',
    msg: 'request',
  })
  expect(lines).toHaveLength(1)
  expect(observed).toEqual([
    { method: 'GET', route: '/sign-in/:flow', status: 200, seconds: expect.any(Number) },
  ])
})

test('IN-08: neither flow ids nor queries nor passwords nor cookies come into the log', async () => {
  const { ask, lines, last } = await start()
  await ask('/sign-in/hush-flow?token=hush', { ...form({ password: 'hush' }) })
  await ask('/nowhere?token=hush', { headers: { 'user-agent': 'hush' } })
  await last()
  expect(lines.join('')).not.toContain('hush')
})

test('IN-07: CR and LF in an address do not make a second line', async () => {
  const { ask, lines, last, observed } = await start()
  await ask('/x%0d%0a{"level":"info","msg":"forged"}')
  const line = await last()
  expect(lines).toHaveLength(1)
  expect(lines[0]?.trimEnd()).not.toMatch(/[\r\n]/)
  expect(line.msg).toBe('request')
  expect(observed[0]?.route).toBe('unmatched')
})

test('an unknown path is cut, a failure is a warning, a probe is quiet', async () => {
  const { ask, last } = await start()
  await ask(`/${'a'.repeat(5000)}`)
  expect((await last()).path).toHaveLength(200)
  await ask('/fails')
  expect(await last()).toMatchObject({ level: 'warn', status: 500 })
  await ask('/healthz')
  expect(await last()).toMatchObject({ level: 'debug', path: '/healthz' })
})

test('a client that hangs up is logged as such', async () => {
  const { port, lines, last } = await start()
  await fetch(`http://127.0.0.1:${port}/slow`, { signal: AbortSignal.timeout(50) }).catch(() => {})
  await vi.waitFor(() => expect(lines).not.toHaveLength(0))
  expect(await last()).toMatchObject({ path: '/slow', aborted: true })
})

test('IN-08: endpoints of the protocol are named, and the id in the address of a resumed request is not', async () => {
  const { ask, observed, lines } = await start()
  const paths = ['/oauth2/token', '/oauth2/authorize/hush', '/.well-known/openid-configuration']
  for (const path of [...paths, '/oauth2/other', '/other/token']) await ask(path)
  await vi.waitFor(() => expect(observed).toHaveLength(5))
  expect(observed.map(({ route }) => route)).toEqual([
    '/oauth2/token',
    '/oauth2/authorize/:id',
    '/.well-known/openid-configuration',
    'unmatched',
    'unmatched',
  ])
  expect(lines.join('')).not.toContain('hush')
})
