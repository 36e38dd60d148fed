/** `idp providers`: set up, shown without its secret, changed, tested and deleted. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { createFake } from '../support/fake-upstream.ts'
import { createIdp } from './support.ts'

const { db, pool, url } = await createDatabase()
const fake = await createFake()
const idp = createIdp(url, {
  ISSUER: 'https://id.example.org',
  SECRET_KEY: randomBytes(48).toString('base64'),
  SUDO_USER: 'night-admin',
  ALLOW_PRIVATE_TARGETS: new URL(fake.issuer).host,
})
const stdin = 'the upstream secret\n'
const usual = ['--preset', 'idp', '--issuer', fake.issuer, '--client-id', 'us']
const create = (id: string, ...more: string[]) =>
  idp(['providers', 'create', id, ...usual, '--client-secret-file', '-', ...more], { stdin })
const get = async (id: string) =>
  JSON.parse((await idp(['providers', 'get', id, '--json'])).stdout).provider

test('create says what was stored and what to register there; never the secret', async () => {
  const made = await create(
    'work',
    '--name',
    'Work',
    '--trust-email',
    '--role-map',
    'cognito:groups:staff=editor',
    '--json',
  )
  expect([made.code, made.stderr]).toEqual([0, expect.stringContaining('sign-in/callback/work')])
  expect(JSON.parse(made.stdout)).toEqual({
    version: 1,
    provider: {
      id: 'work',
      preset: 'idp',
      name: 'Work',
      issuer: fake.issuer,
      client_id: 'us',
      scope: 'openid profile email',
      trust_email: true,
      role_map: ['cognito:groups:staff=editor'],
      enabled: true,
      redirect_uri: 'https://id.example.org/sign-in/callback/work',
      backchannel_logout_uri: 'https://id.example.org/sign-in/backchannel-logout/work',
      created_at: expect.any(String),
      updated_at: expect.any(String),
    },
  })
  for (const argv of [['list'], ['list', '--json'], ['get', 'work'], ['get', 'work', '--json']]) {
    const shown = await idp(['providers', ...argv])
    expect(shown.code).toBe(0)
    expect(shown.stdout + shown.stderr).not.toContain('upstream secret')
  }
  const events = await auditOf(db, 'provider.created')
  expect(events).toMatchObject([{ actorId: 'night-admin', detail: { id: 'work' } }])
  const versions = await pool.query(`select 1 from versions where name = 'settings'`)
  expect(versions.rows).toHaveLength(1)
})

test.each<[string, string[], number, RegExp]>([
  ['a second of one id', ['create', 'work', ...usual, '--client-secret-file', '-'], 4, /already/],
  ['no secret', ['create', 'x', ...usual], 5, /--client-secret-file/],
  [
    'no client id',
    ['create', 'x', '--preset', 'google', '--client-secret-file', '-'],
    2,
    /--client-id/,
  ],
  ['no issuer', ['create', 'x', '--client-id', 'a', '--client-secret-file', '-'], 2, /--issuer/],
  [
    'Microsoft without a tenant',
    ['create', 'x', '--preset', 'microsoft', '--client-id', 'a', '--client-secret-file', '-'],
    2,
    /--tenant/,
  ],
  [
    'Apple with a secret',
    ['create', 'x', '--preset', 'apple', '--client-id', 'a', '--client-secret-file', '-'],
    2,
    /--private-key-file/,
  ],
  [
    'Apple with a key that is none',
    ['create', 'x', '--preset', 'apple', '--client-id', 'a', '--private-key-file', '-'],
    5,
    /P-256/,
  ],
  [
    'admins without a word',
    ['create', 'x', ...usual, '--client-secret-file', '-', '--role-map', 'g:v=admin'],
    5,
    /--allow-admin-role/,
  ],
  [
    'a rule that is none',
    ['create', 'x', ...usual, '--client-secret-file', '-', '--role-map', 'staff'],
    2,
    /claim:value=role/,
  ],
  ['another preset’s name', ['create', 'x', '--preset', 'facebook'], 2, /google/],
  ['nobody of that name', ['get', 'wrk'], 3, /Did you mean work/],
  ['nothing to change', ['update', 'work'], 2, /What is to change/],
  [
    'a new issuer without the secret',
    ['update', 'work', '--issuer', 'https://else.example'],
    5,
    /secret/,
  ],
  ['a deletion that nobody confirmed', ['delete', 'work'], 2, /--yes/],
])('%s is refused', async (_, argv, code, words) => {
  const ran = await idp(['providers', ...argv], { stdin })
  expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(words)])
  expect(await pool.query('select id from providers').then(({ rows }) => rows)).toEqual([
    { id: 'work' },
  ])
})

test('update changes what is named, and nothing else', async () => {
  const before = await get('work')
  expect(
    (await idp(['providers', 'update', 'work', '--name', 'Job', '--disabled', '--no-trust-email']))
      .code,
  ).toBe(0)
  expect(await get('work')).toEqual({
    ...before,
    name: 'Job',
    enabled: false,
    trust_email: false,
    updated_at: expect.any(String),
  })
  await idp(['providers', 'update', 'work', '--enabled', '--no-role-map'])
  expect(await get('work')).toMatchObject({ enabled: true, role_map: [] })
})

test('test walks what a sign-in takes, and says how to mend what fails', async () => {
  fake.next = { status: 400, body: { error: 'invalid_grant', id_token: undefined } }
  fake.metadata.authorization_endpoint = `${fake.issuer}/jwks`
  const good = await idp(['providers', 'test', 'work'])
  expect([good.code, good.stderr]).toEqual([0, expect.stringContaining('callback/work')])
  expect(good.stdout).toContain('client id and secret')
  fake.next = { status: 401, body: { error: 'invalid_client' } }
  const secret = await idp(['providers', 'test', 'work', '--json'])
  expect(secret.code).toBe(1)
  expect(JSON.parse(secret.stdout)).toMatchObject({
    ok: false,
    checks: expect.arrayContaining([
      expect.objectContaining({ check: 'client id and secret', status: 'failed' }),
    ]),
  })
  fake.next = {}
  fake.metadata.authorization_endpoint = `${fake.issuer}/nothing`
  expect((await idp(['providers', 'test', 'work'])).stdout).toContain('letter by letter')
  fake.metadata.issuer = 'https://another.example'
  expect((await idp(['providers', 'test', 'work'])).code).toBe(1)
  const guarded = await idp(['providers', 'test', 'work'], { env: { ALLOW_PRIVATE_TARGETS: '' } })
  expect(guarded.stdout).toContain('ALLOW_PRIVATE_TARGETS=127.0.0.1')
  const foreign = await idp(['providers', 'test', 'work'], {
    env: { SECRET_KEY: randomBytes(48).toString('base64') },
  })
  expect(foreign.stdout).toContain('no SECRET_KEY here opens it')
})

test('delete says how many had it as a way in', async () => {
  const gone = await idp(['providers', 'delete', 'work', '--yes'])
  expect([gone.code, gone.stderr]).toEqual([0, expect.stringContaining('0 links')])
  expect((await idp(['providers', 'list'])).stderr).toContain('The first')
})
