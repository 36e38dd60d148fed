import type { Middleware } from 'koa'
import { expect, test } from 'vitest'
import { pinHost } from '../../src/http/pinned-host.ts'
import { refuseOddRequests } from '../../src/http/request-shape.ts'
import { above, host, issuer, serve } from './support.ts'

const echo: Middleware = (ctx) => {
  const { headers } = ctx.req
  ctx.body = { href: ctx.href, origin: ctx.URL.origin, ip: ctx.ip, secure: ctx.secure, headers }
}

async function start(config: Partial<Parameters<typeof pinHost>[0]> = {}) {
  const whole = { issuer, trustedProxies: [], ...config }
  return serve([...above(whole), refuseOddRequests, pinHost(whole), echo])
}

test('AC-11: a Host that is not ours is answered with 421', async () => {
  const { ask } = await start()
  for (const other of [
    'evil.example',
    `evil@${host}`,
    `${host}:8443`,
    `${host}.`,
    `${host}.evil.example`,
    '127.0.0.1',
  ]) {
    const page = await ask('/sign-in', { headers: { host: other } })
    expect([other, page.status]).toEqual([other, 421])
    expect(page.body).not.toContain('evil')
  }
  const json = await ask('/api/x', { headers: { host: 'evil.example' } })
  expect(json.status).toBe(421)
  expect(JSON.parse(json.body)).toMatchObject({ code: 'unknown_host', status: 421 })
})

test('our own Host is taken in any case, with or without the port that goes without saying', async () => {
  const { ask } = await start()
  for (const own of [host, 'ID.Example.ORG', `${host}:443`]) {
    const { status, body } = await ask('/sign-in?x=1', { headers: { host: own } })
    expect(status).toBe(200)
    expect(JSON.parse(body).href).toBe(`${issuer}/sign-in?x=1`)
  }
})

test('a loopback issuer answers to its own host and port alone', async () => {
  const { ask } = await start({ issuer: 'http://localhost:3000' })
  expect((await ask('/', { headers: { host: 'localhost:3000' } })).status).toBe(200)
  for (const other of ['localhost', 'localhost:3001', '127.0.0.1:3000', '[::1]:3000']) {
    expect((await ask('/', { headers: { host: other } })).status).toBe(421)
  }
})

test('AC-11: forwarded headers of a stranger reach nobody', async () => {
  const { ask } = await start()
  const { status, body } = await ask('/', {
    headers: {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      'x-forwarded-for': '8.8.8.8',
      'x-forwarded-port': '1',
      'x-forwarded-prefix': '/evil',
      forwarded: 'host=evil.example',
    },
  })
  expect(status).toBe(200)
  const seen = JSON.parse(body)
  expect(seen).toMatchObject({ origin: issuer, href: `${issuer}/`, ip: '127.0.0.1', secure: true })
  expect(JSON.stringify(seen.headers)).not.toMatch(/evil|8\.8\.8\.8|x-forwarded-port/)
})

test('AC-11: a trusted proxy may name the host, and only ours passes', async () => {
  const { ask } = await start({ trustedProxies: ['127.0.0.1'] })
  const through = (forwardedHost: string) =>
    ask('/', {
      headers: {
        host: 'internal:3000',
        'x-forwarded-host': forwardedHost,
        'x-forwarded-for': '198.51.100.1',
      },
    })
  const fine = await through(host)
  expect(fine.status).toBe(200)
  expect(JSON.parse(fine.body)).toMatchObject({ origin: issuer, ip: '198.51.100.1' })
  expect((await through('evil.example')).status).toBe(421)
  // What a client wrote stands left of what the proxy appended.
  expect((await through(`evil.example, ${host}`)).status).toBe(200)
})

test('health is answered whatever the Host', async () => {
  const { ask } = await start()
  expect((await ask('/healthz', { headers: { host: '10.1.2.3:3000' } })).status).toBe(200)
  expect((await ask('/readyz', { headers: { host: 'x' } })).status).toBe(200)
  expect((await ask('/readyz/x', { headers: { host: 'x' } })).status).toBe(421)
})

test('the header with a client certificate passes from trusted proxies only', async () => {
  const headers = { 'x-client-cert': 'forged' }
  const stranger = await start({ clientCertHeader: 'x-client-cert' })
  expect((await stranger.ask('/', { headers })).body).not.toContain('forged')
  const proxied = await start({ clientCertHeader: 'x-client-cert', trustedProxies: ['127.0.0.1'] })
  expect((await proxied.ask('/', { headers })).body).toContain('forged')
})

test('AC-11: an absolute request target does not replace the host', async () => {
  const { say } = await start()
  const heard = await say(
    `GET http://evil.example/sign-in HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  )
  expect(heard).toMatch(/^HTTP\/1\.1 400 /)
  expect(heard).not.toContain('evil')
})

test('a request without Host is refused', async () => {
  const { say } = await start()
  expect(await say('GET /sign-in HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 421 /)
})

test('MTLS_ORIGIN is answered for its paths alone, as itself', async () => {
  const { ask } = await start({
    mtlsOrigin: 'https://mtls.example.org',
    certificatePaths: ['/oauth2/token', '/api/'],
  })
  const at = (path: string, to: string) => ask(path, { method: 'POST', headers: { host: to } })
  for (const to of ['mtls.example.org', 'MTLS.example.org:443']) {
    const { status, body } = await at('/oauth2/token', to)
    expect(status).toBe(200)
    expect(JSON.parse(body).href).toBe('https://mtls.example.org/oauth2/token')
    expect((await at('/api/account', to)).status).toBe(200)
    for (const path of [
      '/',
      '/sign-in',
      '/oauth2/token/',
      '/oauth2/authorize',
      '/api',
      '/apis/x',
    ]) {
      expect((await at(path, to)).status).toBe(421)
    }
  }
  expect(JSON.parse((await at('/oauth2/token', host)).body).origin).toBe(issuer)
  expect((await at('/oauth2/token', 'other.example.org')).status).toBe(421)
})

test('FA-05: a certificate header named X-Forwarded-… passes from a trusted proxy alone', async () => {
  const name = 'x-forwarded-tls-client-cert'
  for (const [trustedProxies, passes] of [
    [['127.0.0.1', '::1'], true],
    [[], false],
  ] as const) {
    const { ask } = await start({ clientCertHeader: name, trustedProxies: [...trustedProxies] })
    const { body } = await ask('/', { headers: { host, [name]: 'certificate' } })
    expect(Object.hasOwn(JSON.parse(body).headers, name)).toBe(passes)
  }
})
