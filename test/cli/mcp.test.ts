/** `idp mcp add` against a small MCP server on this machine, as it should be and wrong in every way. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { findApi } from '../../src/clients/apis.ts'
import { listClients } from '../../src/clients/clients.ts'
import { addMetadataHost, removeMetadataHost } from '../../src/clients/metadata-hosts.ts'
import {
  findRegistrationToken,
  revokeRegistrationToken,
} from '../../src/clients/registration-tokens.ts'
import { listenAt } from '../outgoing/listener.ts'
import { makeToken } from '../support/registration.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'
import { createIdp, type Ran } from './support.ts'

const server = await startTestServer()
const { origin, database } = server
const { db } = database
const operator = { actor: { kind: 'operator' as const } }
const scope = 'notes:read notes:write'
const everything = {
  host: 'agents.example.com',
  scopes: ['openid', 'notes:read', 'notes:write'],
  apis: [],
}

type Reply = { status: number; headers?: Record<string, string>; body?: unknown }
/** What the MCP server does otherwise; undefined: as it should be. */
let mcp: ((request: IncomingMessage) => Reply | undefined) | undefined
let metadata: unknown
const seen: { path: string; method: string; body: string; authorization: string | undefined }[] = []

const player = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { url: path = '', method = '', headers } = request
  const { authorization } = headers
  seen.push({ path, method, body: Buffer.concat(chunks).toString(), authorization })
  const reply = mcp?.(request) ?? (await usual(path, authorization))
  response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
  response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}))
})
await new Promise<void>((resolve) => player.listen(0, '127.0.0.1', resolve))
afterAll(() => void player.close())
const { port } = player.address() as AddressInfo
const base = `http://127.0.0.1:${port}`
const url = `${base}/mcp`
const pointer = `${base}/.well-known/oauth-protected-resource/mcp`
const keys = createRemoteJWKSet(new URL(`${origin}/oauth2/jwks`))

/** Verifies as an MCP server should. */
async function usual(path: string, authorization: string | undefined): Promise<Reply> {
  if (path === new URL(pointer).pathname) return { status: 200, body: metadata }
  if (path !== '/mcp') return { status: 404 }
  const refused = {
    status: 401,
    headers: { 'www-authenticate': `Bearer resource_metadata="${pointer}"` },
  }
  const verified = jwtVerify(authorization?.slice('Bearer '.length) ?? '', keys, {
    issuer: origin,
    audience: url,
  })
  return verified.then(
    () => ({ status: 200 }),
    () => refused,
  )
}

const idp = createIdp(database.url, {
  ISSUER: origin,
  ALLOW_PRIVATE_TARGETS: `127.0.0.1:${port}`,
})
const add = (...flags: string[]) => idp(['mcp', 'add', url, '--scope', scope, ...flags])

type Step = { check: string; status: string; detail: string; fix?: string }
type Walk = { ok: boolean; checks: Step[]; resource_metadata: string }
const walkOf = ({ stdout }: Ran) => JSON.parse(stdout) as Walk
const failedOf = (ran: Ran) => walkOf(ran).checks.filter(({ status }) => status === 'failed')

const good = () => ({
  resource: url,
  authorization_servers: [origin],
  scopes_supported: scope.split(' '),
  bearer_methods_supported: ['header'],
})

beforeEach(async () => {
  mcp = undefined
  metadata = good()
  seen.length = 0
  // Refused before the first test, whose command makes these scopes.
  await addMetadataHost(db, everything, operator)
})

test('a good server: registered, walked to the sign-in page, and nothing is left behind', async () => {
  const first = await add('--json')
  expect(failedOf(first).map(({ check }) => check)).toEqual(['clients can come'])
  await addMetadataHost(db, everything, operator)
  const ran = await add('--json')
  const { ok, checks, resource_metadata: at } = walkOf(ran)
  expect(checks.filter(({ status }) => status !== 'ok')).toEqual([])
  expect([ran.code, ok]).toEqual([0, true])
  expect(checks.map(({ check }) => check)).toEqual([
    'MCP server asks for a token',
    'resource metadata (RFC 9728)',
    'MCP server refuses tokens that are not ours',
    'authorization server metadata (RFC 8414)',
    'clients can come',
    'authorization request with resource and PKCE',
    'token request with resource and code_verifier',
  ])
  expect(await findApi(db, url)).toMatchObject({ scopes: scope.split(' '), tokenFormat: 'jwt' })
  expect(await (await fetch(at)).json()).toMatchObject({
    resource: url,
    authorization_servers: [origin],
  })
  expect(await listClients(db)).toEqual([])
  const [asked] = seen
  expect(asked).toMatchObject({ path: '/mcp', method: 'POST', authorization: undefined })
  expect(JSON.parse(String(asked?.body))).toMatchObject({ jsonrpc: '2.0', method: 'initialize' })
})

test('a server that points to our copy of its metadata is as good', async () => {
  const ours = `${origin}/.well-known/oauth-protected-resource?resource=${encodeURIComponent(url)}`
  mcp = () => ({
    status: 401,
    headers: { 'www-authenticate': `Bearer realm="mcp", resource_metadata="${ours}"` },
  })
  expect((await add('--json')).code).toBe(0)
})

test('again: the same API, and scopes are added to what is there', async () => {
  await add()
  const more = await idp(['mcp', 'add', url, '--scope', 'notes:delete', '--json'])
  expect(failedOf(more).map(({ detail }) => detail)).toContainEqual(
    expect.stringContaining('lacks notes:delete'),
  )
  expect((await findApi(db, url))?.scopes).toEqual([...scope.split(' '), 'notes:delete'])
  const back = await idp(['apis', 'update', url, '--remove-scope', 'notes:delete', '--yes'])
  expect([back.code, back.stderr]).toEqual([0, expect.anything()])
})

test('people read each step with its fix, and the words go elsewhere than the data', async () => {
  mcp = () => ({ status: 200 })
  const { code, stdout, stderr } = await add()
  expect(code).toBe(1)
  expect(stdout).toMatch(/^API +http/)
  expect(stdout).toContain('FAILED   MCP server asks for a token: works without one (200)')
  expect(stdout).toContain('→ Answer every request without a good token with 401')
  expect(stderr).toContain('1 of 5 steps failed')
})

const challenge = (header: string) => () => ({
  status: 401,
  headers: { 'www-authenticate': header },
})

test.each<[string, () => void, string, string, string]>([
  [
    'lets everybody in',
    () => {
      mcp = () => ({ status: 200 })
    },
    'asks for a token',
    'works without one',
    '401',
  ],
  [
    'is somewhere else',
    () => {
      mcp = () => ({ status: 404 })
    },
    'asks for a token',
    'answers 404',
    'path included',
  ],
  [
    'is broken',
    () => {
      mcp = () => ({ status: 500 })
    },
    'asks for a token',
    'answers 500',
    '401',
  ],
  [
    'sends people to a page',
    () => {
      mcp = () => ({ status: 302, headers: { location: 'https://evil.example' } })
    },
    'asks for a token',
    'answers 302',
    '401',
  ],
  [
    'says nothing with its 401',
    () => {
      mcp = (r) => (r.url === '/mcp' ? { status: 401 } : undefined)
    },
    'asks for a token',
    'without WWW-Authenticate',
    'resource_metadata=',
  ],
  [
    'wants Basic',
    () => {
      mcp = (r) => (r.url === '/mcp' ? challenge('Basic realm="x"')() : undefined)
    },
    'asks for a token',
    'not Bearer',
    'resource_metadata=',
  ],
  [
    'names no metadata',
    () => {
      mcp = (r) => (r.url === '/mcp' ? challenge('Bearer realm="x"')() : undefined)
    },
    'asks for a token',
    'names no resource_metadata',
    origin,
  ],
  [
    'names half an address',
    () => {
      mcp = (r) => (r.url === '/mcp' ? challenge('Bearer resource_metadata="/meta"')() : undefined)
    },
    'asks for a token',
    'not an absolute address',
    origin,
  ],
  [
    'serves no metadata',
    () => {
      mcp = (r) => (r.url === '/mcp' ? undefined : { status: 404 })
    },
    'RFC 9728',
    'answers 404',
    'Serve what',
  ],
  [
    'serves broken metadata',
    () => {
      metadata = '{'
    },
    'RFC 9728',
    'not a JSON object',
    'Serve what',
  ],
  [
    'serves a list',
    () => {
      metadata = []
    },
    'RFC 9728',
    'not a JSON object',
    'Serve what',
  ],
  [
    'names another resource',
    () => {
      metadata = { ...good(), resource: `${url}/` }
    },
    'RFC 9728',
    `${url}/`,
    'letter by letter',
  ],
  [
    'names another server',
    () => {
      metadata = { ...good(), authorization_servers: ['https://evil.example'] }
    },
    'RFC 9728',
    'evil.example',
    origin,
  ],
  [
    'names no server',
    () => {
      metadata = { resource: url }
    },
    'RFC 9728',
    'nothing',
    origin,
  ],
  [
    'names too few scopes',
    () => {
      metadata = { ...good(), scopes_supported: ['notes:read'] }
    },
    'RFC 9728',
    'lacks notes:write',
    'notes:write',
  ],
  [
    'wants tokens in the query',
    () => {
      metadata = { ...good(), bearer_methods_supported: ['query'] }
    },
    'RFC 9728',
    'lacks header',
    'header alone',
  ],
  [
    'believes any token',
    () => {
      mcp = (r) => (r.headers.authorization ? { status: 200 } : undefined)
    },
    'refuses tokens',
    'made-up token',
    '/oauth2/jwks',
  ],
  [
    'believes unsigned tokens',
    () => {
      mcp = (r) => (r.headers.authorization?.includes('.') ? { status: 200 } : undefined)
    },
    'refuses tokens',
    'unsigned token',
    '/oauth2/jwks',
  ],
])('a server that %s: the step says so, and what to do', async (_, breakIt, step, detail, fix) => {
  breakIt()
  const ran = await add('--json')
  expect(ran.code).toBe(1)
  const failed = failedOf(ran)
  const [found] = failed.filter(({ check }) => check.includes(step))
  expect([found?.detail, found?.fix], JSON.stringify(failed)).toEqual([
    expect.stringContaining(detail),
    expect.stringContaining(fix),
  ])
})

test('SS-02: metadata at an address inside is not called, and the fix names what would allow it', async () => {
  const inside = await listenAt('127.0.0.1')
  mcp = (r) =>
    r.url === '/mcp'
      ? challenge(`Bearer resource_metadata="http://127.0.0.1:${inside.port}/latest"`)()
      : undefined
  const ran = await add('--json')
  expect(failedOf(ran)[0]).toMatchObject({
    detail: expect.stringContaining('private'),
    fix: `If it is meant: ALLOW_PRIVATE_TARGETS=127.0.0.1:${inside.port}`,
  })
  expect(inside.connections()).toBe(0)
})

test('no way in: the step says which commands open one', async () => {
  await removeMetadataHost(db, everything.host, operator)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const shut = await add('--json')
  expect(failedOf(shut)).toEqual([
    {
      check: 'clients can come',
      status: 'failed',
      detail: 'no host is allowed, no registration token is open, and no client may call it',
      fix: expect.stringMatching(
        /idp metadata-hosts add HOST --scope .*idp registration-tokens create/,
      ),
    },
  ])
  await makeToken(server, { name: 'Narrow', scopes: ['openid', 'notes:read'] })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(failedOf(await add('--json'))[0]?.detail).toContain(
    'does not lead to notes:read notes:write',
  )
  await makeToken(server, { name: 'Wide', scopes: ['openid', 'notes:read', 'notes:write'] })
  expect((await add('--json')).code).toBe(0)
  for (const name of ['Narrow', 'Wide']) {
    const { id = '' } = (await findRegistrationToken(db, name)) ?? {}
    await revokeRegistrationToken(db, id, operator)
  }
  const app = await createApp(server, { name: 'By hand', preset: 'native', apis: [url] })
  const byHand = walkOf(await add('--json')).checks.find(
    ({ check }) => check === 'clients can come',
  )
  expect(byHand).toMatchObject({ status: 'ok', detail: 'made by an admin: By hand' })
  expect(app.id).toBeTruthy()
})

test('what is no address, what a rule refuses, and an issuer that is away', async () => {
  const wrong = await idp(['mcp', 'add', 'notes.example.org'])
  expect([wrong.code, wrong.stdout]).toEqual([2, ''])
  const fragment = await idp(['mcp', 'add', `${url}#x`])
  expect([fragment.code, fragment.stderr]).toEqual([5, expect.stringContaining('fragment')])
  const reserved = await idp(['mcp', 'add', url, '--scope', 'openid'])
  expect([reserved.code, reserved.stderr]).toEqual([5, expect.stringContaining('openid')])
  const away = await idp(['mcp', 'add', url], { env: { ISSUER: 'http://localhost:9' } })
  expect([away.code, away.stderr]).toEqual([6, expect.stringContaining('The API is registered')])
  expect((await listClients(db)).filter(({ name }) => name.startsWith('MCP check'))).toEqual([])
})
