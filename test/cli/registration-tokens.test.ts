/** `idp registration-tokens`, on a real database: what is stored, what is printed once, how each command ends. */
import { expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { registerClient } from '../../src/clients/self-registration.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { db, url, pool } = await createDatabase()
const idp = createIdp(url, { ISSUER: 'https://id.example.org' })
await createApi(
  db,
  { identifier: 'https://notes.example.org', scopes: ['notes:read'] },
  { actor: { kind: 'operator' } },
)
const tokens = (...argv: string[]) => idp(['registration-tokens', ...argv])
const body = { client_name: 'Agent', redirect_uris: ['https://agent.example.com/cb'] }

type Shown = Record<string, unknown> & { token: string; id: string }
const json = (stdout: string) =>
  JSON.parse(stdout) as {
    version: number
    registration_endpoint: string
    registration_token: Shown
    registration_tokens: Shown[]
  }

test('create: prints the token once, keeps its hash, and says where to use it', async () => {
  const { code, stdout, stderr } = await tokens('create', 'Ada', '--json')
  const { version, registration_token: made, registration_endpoint: endpoint } = json(stdout)
  expect([code, stderr, version]).toEqual([0, '', 1])
  expect(endpoint).toBe('https://id.example.org/oauth2/register')
  expect(made).toMatchObject({
    name: 'Ada',
    token: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    state: 'open',
    uses_left: 1,
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_hosts: [],
  })
  const left = new Date(String(made.expires_at)).getTime() - Date.now()
  expect(left / 86_400_000).toBeCloseTo(7, 1)
  const { rows } = await pool.query(
    `select (select json_agg(t) from registration_tokens t)::text || (select json_agg(a) from audit_events a)::text as all`,
  )
  expect(rows[0].all).not.toContain(made.token)
  const listed = await tokens('list', '--json')
  expect(listed.stdout).not.toContain(made.token)
  expect((await registerClient(db, made.token, body, {})).ok).toBe(true)
  expect((await registerClient(db, made.token, body, {})).ok).toBe(false)
})

test('create: uses, time, scopes, grants and hosts as they were said', async () => {
  const { code, stdout } = await tokens(
    ...['create', 'Agents', '--uses', 'unlimited', '--expires', 'never', '--json'],
    ...['--scope', 'openid notes:read', '--grant-type', 'authorization_code'],
    ...['--redirect-host', 'localhost', '--redirect-host', 'app.example.org:8443'],
  )
  expect(code).toBe(0)
  expect(json(stdout).registration_token).toMatchObject({
    uses_left: null,
    expires_at: null,
    scopes: ['openid', 'notes:read'],
    grant_types: ['authorization_code'],
    redirect_hosts: ['localhost', 'app.example.org:8443'],
  })
})

test('create: a scope that several APIs have needs --api, and an API alone gives all of it', async () => {
  for (const host of ['one', 'two']) {
    await createApi(
      db,
      { identifier: `https://${host}.example.org`, scopes: ['shared:read', `${host}:write`] },
      { actor: { kind: 'operator' } },
    )
  }
  const unclear = await tokens('create', 'Unclear', '--scope', 'shared:read')
  expect([unclear.code, unclear.stderr]).toEqual([5, expect.stringContaining('--api')])
  const api = 'https://one.example.org'
  const named = await tokens('create', 'Clear', '--scope', 'shared:read', '--api', api, '--json')
  expect(json(named.stdout).registration_token).toMatchObject({
    scopes: ['shared:read'],
    apis: [api],
  })
  const whole = await tokens('create', 'Whole', '--scope', 'openid', '--api', api, '--json')
  expect(json(whole.stdout).registration_token).toMatchObject({
    scopes: ['openid', 'shared:read', 'one:write'],
    apis: [api],
  })
})

test('create: for people, the token first', async () => {
  const { code, stdout, stderr } = await tokens('create', 'Shown')
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^Token +[A-Za-z0-9_-]{43}\nEndpoint +https:\/\/id\.example\.org\/oauth2\/register\n/,
  )
  expect(stderr).toContain('the only time')
})

test.each([
  [['--uses', '0'], 5, '--uses'],
  [['--uses', '-1'], 2, 'uses'],
  [['--uses', 'many'], 2, '--uses'],
  [['--expires', 'soon'], 2, '--expires'],
  [['--expires', '9999d'], 5, '--expires'],
  [['--scope', 'openid account'], 5, 'account'],
  [['--scope', 'openid Admin.Write'], 5, 'Admin.Write'],
  [['--grant-type', 'password'], 5, 'password'],
  [['--redirect-host', '*.example.org'], 5, '*.example.org'],
  [['--redirect-host', 'https://a.example.org'], 5, '--redirect-host'],
  [['--redirect-host', 'a.example.org/path'], 5, '--redirect-host'],
  [['--redirect-host', 'A.example.org'], 5, '--redirect-host'],
])('create %j ends with %i and names what is wrong', async (flags, expected, words) => {
  const before = (await pool.query('select count(*) from registration_tokens')).rows
  const { code, stdout, stderr } = await tokens('create', 'Refused', ...flags)
  expect([code, stdout]).toEqual([expected, ''])
  expect(stderr).toContain(words)
  expect((await pool.query('select count(*) from registration_tokens')).rows).toEqual(before)
})

test('create: a name is taken until its token is revoked', async () => {
  await tokens('create', 'Once')
  const twice = await tokens('create', 'ONCE')
  expect([twice.code, twice.stdout]).toEqual([4, ''])
  expect(twice.stderr).toContain('idp registration-tokens revoke')
  expect((await tokens('revoke', 'once')).code).toBe(0)
  expect((await tokens('create', 'Once')).code).toBe(0)
})

test('revoke: by name or id, at once, and apps that came stay', async () => {
  const made = json((await tokens('create', 'Gone', '--uses', '5', '--json')).stdout)
  const { token, id } = made.registration_token
  const registered = await registerClient(db, token, body, {})
  expect(registered.ok).toBe(true)
  const { code, stdout, stderr } = await tokens('revoke', id)
  expect([code, stdout]).toEqual([0, ''])
  expect(stderr).toBe('Revoked Gone. Apps that it registered and that stay: 1.\n')
  expect((await registerClient(db, token, body, {})).ok).toBe(false)
  const again = await tokens('revoke', id, '--json')
  expect([again.code, JSON.parse(again.stdout)]).toEqual([
    0,
    { version: 1, revoked: false, id, clients: 1 },
  ])
})

test('revoke: a name that nobody has ends with 3 and the nearest', async () => {
  await tokens('create', 'Nearest')
  const { code, stderr } = await tokens('revoke', 'Nearst')
  expect(code).toBe(3)
  expect(stderr).toContain('Did you mean Nearest?')
})

test('list: each with its state', async () => {
  await pool.query(`update registration_tokens set expires_at = now() where name = 'Shown'`)
  const { stdout } = await tokens('list', '--json')
  const states = Object.fromEntries(
    json(stdout).registration_tokens.map(({ name, state }) => [name, state]),
  )
  expect(states).toMatchObject({ Ada: 'used', Agents: 'open', Shown: 'expired', Gone: 'revoked' })
  const shown = await tokens('list')
  expect(shown.stdout).toMatch(/^NAME +ID +STATE/)
  expect(shown.stdout).toMatch(/Gone +[0-9a-f]{10} +revoked/)
})

test('clients list and get say how an app came', async () => {
  const all = JSON.parse((await idp(['clients', 'list', '--json'])).stdout) as {
    clients: { client_id: string; registered_by: string; registration_token?: string }[]
  }
  const [first] = all.clients.filter((client) => client.registration_token === 'Ada')
  expect(first?.registered_by).toBe('itself')
  const { stdout } = await idp(['clients', 'get', String(first?.client_id)])
  expect(stdout).toContain('by itself, with the token “Ada”')
  const admins = await idp([
    'clients',
    'create',
    'Mine',
    '--preset',
    'web',
    '--app-url',
    'https://mine.example.org',
  ])
  expect(admins.stdout).toContain('by an admin')
})

test('what is made and ended is written down', async () => {
  const { rows } = await pool.query(
    `select distinct type, actor_kind from audit_events where type like 'registration_token.%' order by 1`,
  )
  expect(rows).toEqual([
    { type: 'registration_token.created', actor_kind: 'operator' },
    { type: 'registration_token.revoked', actor_kind: 'operator' },
  ])
})
