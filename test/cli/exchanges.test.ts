/** `idp exchanges`: allowing, seeing and ending what services do with other people's tokens. */
import { beforeEach, expect, test } from 'vitest'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { db, pool, url } = await createDatabase()
const idp = createIdp(url, { ISSUER: 'https://id.example.org', SUDO_USER: 'night-admin' })
const files = 'https://files.example.org'

const make = async (...argv: string[]) => {
  const { code, stderr } = await idp(argv)
  expect(code, stderr).toBe(0)
}
await make('apis', 'create', files, '--scope', 'files:read files:write')
await make('clients', 'create', 'Gateway', '--client-id', 'gateway', '--preset', 'service')
for (const [name, preset] of [
  ['Shop', 'generic'],
  ['Page', 'spa'],
] as const) {
  const uri = ['--redirect-uri', 'https://shop.example.org/cb']
  await make(
    'clients',
    'create',
    name,
    '--client-id',
    name.toLowerCase(),
    '--preset',
    preset,
    ...uri,
  )
}

beforeEach(async () => {
  await pool.query('truncate token_exchanges, audit_events')
})

const allow = (...more: string[]) =>
  idp(['exchanges', 'allow', 'Gateway', '--audience', files, ...more])
const listed = async (...more: string[]) =>
  JSON.parse((await idp(['exchanges', 'list', '--json', ...more])).stdout).exchanges

test('allow says what was stored, as data and in words', async () => {
  const { code, stdout, stderr } = await allow('--scope', 'files:read', '--from', 'shop', '--json')
  expect([code, stderr]).toEqual([0, expect.stringContaining(`resource=${files}`)])
  expect(JSON.parse(stdout)).toEqual({
    version: 1,
    exchange: {
      client_id: 'gateway',
      audience: files,
      audience_kind: 'api',
      source_client_id: 'shop',
      mode: 'delegation',
      scopes: ['files:read'],
      created_at: expect.any(String),
    },
  })
  expect(await auditOf(db, 'exchange.allowed', 'gateway')).toMatchObject([
    { actorId: 'night-admin', detail: { audience: files, source: 'shop', mode: 'delegation' } },
  ])
})

test('said again it replaces; another source is another row', async () => {
  await allow()
  await allow('--mode', 'impersonation')
  await allow('--from', 'Shop')
  expect(await listed()).toMatchObject([
    { source_client_id: null, mode: 'impersonation', scopes: null },
    { source_client_id: 'shop', mode: 'delegation' },
  ])
  expect(await listed('--client', 'shop')).toEqual([])
  const { stdout } = await idp(['exchanges', 'list'])
  expect(stdout).toMatch(/^CLIENT +AUDIENCE +FROM +MODE +SCOPES\n/)
  expect(stdout).toMatch(/gateway +https:\/\/files.example.org +its own +impersonation +those of/)
})

test('the client shows that it may', async () => {
  const shown = async () => (await idp(['clients', 'get', 'gateway'])).stdout
  expect(await shown()).not.toContain('exchange tokens')
  await allow()
  expect(await shown()).toMatch(/Allowed +to exchange tokens/)
})

test('a client is an audience by name or id', async () => {
  const { code } = await idp(['exchanges', 'allow', 'gateway', '--audience', 'SHOP'])
  expect(code).toBe(0)
  expect(await listed()).toMatchObject([{ audience: 'shop', audience_kind: 'client' }])
  const gone = await idp(['exchanges', 'remove', 'gateway', '--audience', 'Shop', '--yes'])
  expect([gone.code, await listed()]).toEqual([0, []])
})

test.each<[string, string[], number, string]>([
  ['a client that does not exist', ['Gatway', '--audience', files], 3, 'Did you mean Gateway'],
  ['a source that does not exist', ['gateway', '--audience', files, '--from', 'x'], 3, 'no client'],
  ['an audience that does not exist', ['gateway', '--audience', 'https://x'], 5, '--audience'],
  ['a scope that the API lacks', ['gateway', '--audience', files, '--scope', 'fly'], 5, 'fly'],
  ['offline_access', ['gateway', '--audience', 'shop', '--scope', 'offline_access'], 5, 'offline'],
  ['a public client', ['page', '--audience', files], 5, 'confidential'],
  ['no audience', ['gateway'], 2, '--audience'],
  ['a mode that is none', ['gateway', '--audience', files, '--mode', 'theft'], 2, '--mode'],
])('%s is refused, and nothing is stored', async (_, argv, exit, words) => {
  const { code, stderr } = await idp(['exchanges', 'allow', ...argv])
  expect([code, stderr]).toEqual([exit, expect.stringContaining(words)])
  expect(await listed()).toEqual([])
})

test('remove asks, takes exactly what was named, and says when there is nothing', async () => {
  await allow()
  await allow('--from', 'shop')
  const remove = (...more: string[]) =>
    idp(['exchanges', 'remove', 'gateway', '--audience', files, ...more])
  expect((await remove()).code).toBe(2)
  const no = await idp(['exchanges', 'remove', 'gateway', '--audience', files], {
    terminal: { typed: 'n\n' },
  })
  expect([no.code, (await listed()).length]).toEqual([1, 2])
  const gone = await remove('--yes', '--json')
  expect([gone.code, JSON.parse(gone.stdout).removed.audience]).toEqual([0, files])
  expect(await listed()).toMatchObject([{ source_client_id: 'shop' }])
  expect((await remove('--yes')).code).toBe(3)
  expect(await auditOf(db, 'exchange.removed', 'gateway')).toHaveLength(1)
})

test('an API or app that goes takes what was allowed along', async () => {
  await make('apis', 'create', 'https://gone.example.org', '--scope', 'x')
  await idp(['exchanges', 'allow', 'gateway', '--audience', 'https://gone.example.org'])
  await make('apis', 'delete', 'https://gone.example.org', '--yes')
  expect(await listed()).toEqual([])
})
