/** What is called: the judged address, once, in time, without going on to another. */
import { execFile } from 'node:child_process'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, afterEach, expect, test } from 'vitest'
import { OutgoingError } from '../../src/outgoing/errors.ts'
import { createOutgoing, type OutgoingRequest } from '../../src/outgoing/outgoing.ts'
import { cert, key } from './certificate.ts'
import { listenAt } from './listener.ts'

const issuer = 'https://id.example.org'

const seen: {
  method?: string | undefined
  url?: string | undefined
  headers: object
  body: string
}[] = []
const app = await listenAt('127.0.0.1', async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  seen.push({ method: request.method, url: request.url, headers: request.headers, body })
  const [, what = ''] = (request.url ?? '').split('/')
  if (what === 'redirect') {
    response.writeHead(302, { location: `http://127.0.0.2:${hidden.port}/` }).end('elsewhere')
  } else if (what === 'large') response.end('x'.repeat(70_000))
  else if (what === 'endless') await pipeline(endless(), response).catch(() => {})
  else if (what === 'slow') {
    response.writeHead(200)
    setInterval(() => response.write('x'), 300).unref()
  } else if (what === 'hang') return
  else if (what === 'empty') response.writeHead(204).end()
  else response.writeHead(200, { 'content-type': 'application/json' }).end('{"keys":[]}')
})
const hidden = await listenAt('127.0.0.2')
const at = (path: string) => `http://127.0.0.1:${app.port}/${path}`

const outgoing = createOutgoing({ issuer, allowPrivateTargets: ['127.0.0.1'] })

async function failureOf(url: string, request?: OutgoingRequest): Promise<OutgoingError> {
  const error = await outgoing.fetch(url, request).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(OutgoingError)
  return error as OutgoingError
}

function* endless(): Generator<string> {
  for (;;) yield 'x'.repeat(10_000)
}

test('an allowed target answers, and hears who asks', async () => {
  const response = await outgoing.fetch(at('keys'))
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(await response.json()).toEqual({ keys: [] })
  expect(seen.at(-1)).toMatchObject({ method: 'GET', headers: { 'user-agent': 'idp' } })
})

test('a body is posted as it is, and an answer without one is fine', async () => {
  const response = await outgoing.fetch(at('empty'), {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': '' },
    body: 'logout_token=x',
  })
  expect(response.status).toBe(204)
  expect(seen.at(-1)).toMatchObject({
    method: 'POST',
    body: 'logout_token=x',
    headers: { 'content-length': '14', 'user-agent': 'idp' },
  })
})

test.each([
  ['a host with its port', [`127.0.0.1:${app.port}`], 'http://127.0.0.1'],
  ['a name with its port', [`localhost:${app.port}`], 'http://localhost'],
  [
    'an address with its port, by a name for it',
    [`127.0.0.1:${app.port}`, `[::1]:${app.port}`],
    'http://localhost',
  ],
  ['a range', ['127.0.0.0/8', '::1/128'], 'http://localhost'],
])('ALLOW_PRIVATE_TARGETS may name %s', async (_what, allowPrivateTargets, origin) => {
  const client = createOutgoing({ issuer, allowPrivateTargets })
  expect((await client.fetch(`${origin}:${app.port}/keys`)).status).toBe(200)
})

test('what is allowed is the port that was named and no other', async () => {
  const client = createOutgoing({ issuer, allowPrivateTargets: [`127.0.0.1:${app.port + 1}`] })
  await expect(client.fetch(at('keys'))).rejects.toMatchObject({ reason: 'private' })
})

test('SS-07: the connection goes to the address that was judged; DNS is asked once', async () => {
  const answers = ['127.0.0.1', '127.0.0.2', '127.0.0.2']
  let asked = 0
  const client = createOutgoing({
    issuer,
    allowPrivateTargets: ['127.0.0.1'],
    resolve: async () => [{ address: answers[asked++] ?? '127.0.0.2', family: 4 }],
  })
  const before = hidden.connections()
  expect((await client.fetch(`http://rebind.example.com:${app.port}/keys`)).status).toBe(200)
  expect(seen.at(-1)).toMatchObject({ headers: { host: `rebind.example.com:${app.port}` } })
  expect(asked).toBe(1)
  await expect(client.fetch(`http://rebind.example.com:${hidden.port}/`)).rejects.toMatchObject({
    reason: 'private',
  })
  expect(hidden.connections()).toBe(before)
})

test('SS-07: a public first answer is what is called, however private the second', async () => {
  let asked = 0
  const client = createOutgoing({
    issuer,
    allowPrivateTargets: [],
    resolve: async () => [{ address: asked++ === 0 ? '192.88.98.1' : '127.0.0.1', family: 4 }],
  })
  const before = app.connections()
  const error = await client
    .fetch(`https://rebind.example.com:${app.port}/`, { timeoutMs: 300 })
    .catch((error: OutgoingError) => error.reason)
  expect(['timeout', 'unreachable']).toContain(error)
  expect([asked, app.connections()]).toEqual([1, before])
})

test('SS-08: a redirect is an answer, and nobody goes where it points', async () => {
  const before = hidden.connections()
  const response = await outgoing.fetch(at('redirect'))
  expect(response.status).toBe(302)
  expect(hidden.connections()).toBe(before)
})

test('SS-11: a large, an endless, a slow and a missing answer end soon, with nothing kept of them', async () => {
  expect(await failureOf(at('large'))).toMatchObject({ reason: 'too-large', refused: false })
  expect(await failureOf(at('endless'))).toMatchObject({ reason: 'too-large' })
  for (const path of ['slow', 'hang']) {
    const begun = performance.now()
    expect(await failureOf(at(path))).toMatchObject({ reason: 'timeout' })
    expect(performance.now() - begun).toBeLessThan(3000)
  }
  expect((await outgoing.fetch(at('large'), { maxBytes: 80_000 })).status).toBe(200)
})

test('SS-11: DNS that never answers costs no more time than an app that never answers', async () => {
  const client = createOutgoing({
    issuer,
    allowPrivateTargets: [],
    resolve: () => new Promise(() => {}),
  })
  await expect(client.fetch('https://app.example.com/', { timeoutMs: 100 })).rejects.toMatchObject({
    reason: 'timeout',
  })
})

test('where only the status counts, an endless answer is as good as a short one', async () => {
  const response = await outgoing.fetch(at('endless'), { statusOnly: true })
  expect([response.status, response.body]).toEqual([200, null])
})

test('a closed port is unreachable, and the words hold nothing but the host', async () => {
  const { port } = await listenAt('127.0.0.3')
  const client = createOutgoing({ issuer, allowPrivateTargets: [`127.0.0.1:${port}`] })
  const error = await client.fetch(`http://127.0.0.1:${port}/secret`).catch((e: Error) => e)
  expect(error).toMatchObject({ reason: 'unreachable', refused: false })
  expect((error as Error).message).toBe(`127.0.0.1:${port} cannot be reached (ECONNREFUSED)`)
})

const usualAuthorities = getCACertificates('default')
afterEach(() => {
  setDefaultCACertificates(usualAuthorities)
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
})

test('https is checked by name against the authorities, also where somebody switched that off', async () => {
  const secure = createServer({ cert, key }, (_request, response) => response.end('hello'))
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve))
  afterAll(() => void secure.close())
  const { port } = secure.address() as AddressInfo
  const client = createOutgoing({
    issuer,
    allowPrivateTargets: ['127.0.0.1'],
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  })
  const ask = (host: string) =>
    client.fetch(`https://${host}:${port}/`).then(
      ({ status }) => status,
      ({ reason }: OutgoingError) => reason,
    )

  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  expect(await ask('app.test')).toBe('unreachable')
  setDefaultCACertificates([...usualAuthorities, cert])
  expect(await ask('app.test')).toBe(200)
  expect(await ask('other.test')).toBe('unreachable')
})

test('SS-14: proxies of the environment are not used, and so cannot lead elsewhere', async () => {
  const before = hidden.connections()
  const script = `
    const { createOutgoing } = await import('./src/outgoing/outgoing.ts')
    const outgoing = createOutgoing({ issuer: '${issuer}', allowPrivateTargets: ['127.0.0.1'] })
    const judged = await outgoing.fetch('${at('keys')}')
    const refused = await outgoing.fetch('http://127.0.0.2:${hidden.port}/').catch((e) => e.reason)
    console.log(judged.status, refused)`
  const proxy = `http://127.0.0.2:${hidden.port}`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', script],
    {
      cwd: new URL('../..', import.meta.url),
      env: {
        ...process.env,
        NODE_USE_ENV_PROXY: '1',
        HTTP_PROXY: proxy,
        HTTPS_PROXY: proxy,
        http_proxy: proxy,
        https_proxy: proxy,
      },
      timeout: 20_000,
    },
  )
  expect(stdout.trim()).toBe('200 private')
  expect(hidden.connections()).toBe(before)
})
