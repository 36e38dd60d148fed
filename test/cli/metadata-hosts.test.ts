/** `idp metadata-hosts`, on a real database: whom we believe, and how each command ends. */
import { expect, test } from 'vitest'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { url, pool } = await createDatabase()
const idp = createIdp(url)
const hosts = (...argv: string[]) => idp(['metadata-hosts', ...argv])
const stored = async () =>
  (await pool.query('select host, scopes from metadata_hosts order by host')).rows
const standard = ['openid', 'profile', 'email', 'offline_access']

test('add, list, remove', async () => {
  const empty = await hosts('list')
  expect([empty.code, empty.stdout]).toEqual([0, ''])
  expect(empty.stderr).toContain('idp metadata-hosts add --help')
  const added = await hosts('add', 'agents.example.com', '--json')
  expect([added.code, JSON.parse(added.stdout)]).toEqual([
    0,
    { version: 1, changed: true, metadata_host: { host: 'agents.example.com', scopes: standard } },
  ])
  await hosts('add', 'agents.example.org:8443', '--scope', 'openid')
  const listed = JSON.parse((await hosts('list', '--json')).stdout)
  expect(listed).toMatchObject({
    version: 1,
    metadata_hosts: [
      { host: 'agents.example.com', scopes: standard },
      { host: 'agents.example.org:8443', scopes: ['openid'] },
    ],
  })
  const removed = await hosts('remove', 'agents.example.com', '--yes')
  expect([removed.code, removed.stdout]).toEqual([0, ''])
  expect(await stored()).toEqual([{ host: 'agents.example.org:8443', scopes: ['openid'] }])
})

test('add: what is there changes its scopes, or stays', async () => {
  await hosts('add', 'same.example.com')
  const again = JSON.parse((await hosts('add', 'same.example.com', '--json')).stdout)
  expect(again.changed).toBe(false)
  const wider = await hosts('add', 'same.example.com', '--scope', 'openid groups')
  expect([wider.code, wider.stderr]).toEqual([0, expect.stringContaining('openid groups')])
})

test.each([
  '*.example.com',
  'https://a.example.com',
  'a.example.com/path',
  'A.example.com',
  'a.example.com:443',
  'me@a.example.com',
  'bücher.example',
  '',
  ' ',
])('add refuses “%s” and stores nothing', async (host) => {
  const before = await stored()
  const { code, stdout, stderr } = await hosts('add', host)
  expect([code, stdout]).toEqual([5, ''])
  expect(stderr).toContain('HOST')
  expect(await stored()).toEqual(before)
})

test('add refuses a scope that nobody offers', async () => {
  const { code, stderr } = await hosts('add', 'scopes.example.com', '--scope', 'openid account')
  expect(code).toBe(5)
  expect(stderr).toContain('account')
})

test('remove: asks first, and a host that is not there ends with 3 and the nearest', async () => {
  await hosts('add', 'asked.example.com')
  const silent = await hosts('remove', 'asked.example.com')
  expect([silent.code, silent.stderr]).toEqual([2, expect.stringContaining('--yes')])
  const no = await hosts('remove', 'asked.example.com')
  expect(no.code).toBe(2)
  const unknown = await hosts('remove', 'askd.example.com', '--yes')
  expect([unknown.code, unknown.stderr]).toEqual([
    3,
    expect.stringContaining('Did you mean asked.example.com?'),
  ])
})

test('both are written down', async () => {
  const { rows } = await pool.query(
    `select distinct type, actor_kind from audit_events where type like 'metadata_host.%' order by 1`,
  )
  expect(rows).toEqual([
    { type: 'metadata_host.added', actor_kind: 'operator' },
    { type: 'metadata_host.removed', actor_kind: 'operator' },
  ])
})
