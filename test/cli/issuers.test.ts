/** `idp issuers`: whose assertions are taken, for whom, and how that ends. */
import { beforeEach, expect, test } from 'vitest'
import { auditOf } from '../support/audit.ts'
import { createKey } from '../support/client-keys.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { db, pool, url } = await createDatabase()
const idp = createIdp(url, { ISSUER: 'https://id.example.org', SUDO_USER: 'night-admin' })
const ci = 'https://ci.example.net'
const key = await createKey()
const keys = JSON.stringify({ keys: [key.publicJwk] })

const make = async (...argv: string[]) => {
  const { code, stderr } = await idp(argv)
  expect(code, stderr).toBe(0)
}
await make('apis', 'create', 'https://api.example.org', '--scope', 'deploy')
await make('clients', 'create', 'Deploy', '--client-id', 'deploy', '--preset', 'service')
await make(
  'clients',
  'create',
  'Page',
  '--client-id',
  'page',
  '--preset',
  'spa',
  '--redirect-uri',
  'https://p.example.org/cb',
)

beforeEach(async () => {
  await pool.query('truncate trusted_issuers, trusted_issuer_clients, audit_events')
})

const usual = ['--client', 'Deploy', '--scope', 'deploy openid', '--jwks-uri', `${ci}/jwks`]
const create = (...more: string[]) => idp(['issuers', 'create', ci, ...usual, ...more])
const listed = async () => JSON.parse((await idp(['issuers', 'list', '--json'])).stdout).issuers

test('create says what was stored, as data and in words', async () => {
  const { code, stdout, stderr } = await create(
    '--subject',
    'username',
    '--max-lifetime',
    '2m',
    '--json',
  )
  expect([code, stderr]).toEqual([0, expect.stringContaining('https://id.example.org')])
  expect(JSON.parse(stdout)).toEqual({
    version: 1,
    issuer: {
      issuer: ci,
      jwks_uri: `${ci}/jwks`,
      algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      subject: 'username',
      client_ids: ['deploy'],
      scopes: ['deploy', 'openid'],
      max_lifetime_seconds: 120,
      created_at: expect.any(String),
    },
  })
  expect(await auditOf(db, 'issuer.created')).toMatchObject([
    { actorId: 'night-admin', detail: { issuer: ci, clientIds: ['deploy'] } },
  ])
})

test('keys come from standard input too, and are shown by their names', async () => {
  const { code, stdout } = await idp(
    [
      'issuers',
      'create',
      ci,
      '--client',
      'deploy',
      '--scope',
      'deploy',
      '--jwks-file',
      '-',
      '--alg',
      'ES256',
    ],
    { stdin: keys },
  )
  expect([code, stdout]).toEqual([0, expect.stringContaining(key.publicJwk.kid)])
  expect(await listed()).toMatchObject([
    { jwks: { keys: [{ kid: key.publicJwk.kid }] }, algorithms: ['ES256'] },
  ])
})

test('the second of one name is a conflict, and changes nothing', async () => {
  await create()
  const { code } = await create('--subject', 'email')
  expect([code, (await listed())[0].subject]).toEqual([4, 'account'])
})

test.each<[string, string[], number, string]>([
  ['no client', ['--scope', 'deploy', '--jwks-uri', `${ci}/jwks`], 2, '--client'],
  ['no scope', ['--client', 'deploy', '--jwks-uri', `${ci}/jwks`], 2, '--scope'],
  ['no keys', ['--client', 'deploy', '--scope', 'deploy'], 5, '--jwks-file'],
  ['a client that does not exist', [...usual, '--client', 'nobody'], 3, 'no client'],
  ['a public client', [...usual, '--client', 'page'], 5, 'confidential'],
  ['a scope that nobody has', [...usual, '--scope', 'fly'], 5, 'fly'],
  ['offline_access', [...usual, '--scope', 'offline_access'], 5, 'offline_access'],
  ['plain http', [...usual, '--jwks-uri', 'http://ci.example.net/jwks'], 5, 'https'],
  ['an hour and more', [...usual, '--max-lifetime', '2h'], 5, '--max-lifetime'],
  ['a time that is none', [...usual, '--max-lifetime', 'soon'], 2, 'soon'],
  ['an algorithm with a shared secret', [...usual, '--alg', 'HS256'], 5, 'HS256'],
  ['a mapping that is none', [...usual, '--subject', 'name'], 2, '--subject'],
])('%s is refused, and nothing is stored', async (_, flags, exit, words) => {
  const { code, stderr } = await idp(['issuers', 'create', ci, ...flags])
  expect([code, stderr]).toEqual([exit, expect.stringContaining(words)])
  expect(await listed()).toEqual([])
})

test('private keys and our own name are refused', async () => {
  const flags = ['--client', 'deploy', '--scope', 'deploy', '--jwks-file', '-']
  const stdin = JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] })
  expect((await idp(['issuers', 'create', ci, ...flags], { stdin })).code).toBe(5)
  expect((await idp(['issuers', 'create', 'https://id.example.org', ...usual])).code).toBe(5)
  expect(await listed()).toEqual([])
})

test('list shows a table; delete asks, and says when there is nothing', async () => {
  await create()
  expect((await idp(['issuers', 'list'])).stdout).toMatch(
    /^ISSUER +SUBJECT +CLIENTS +SCOPES +ASSERTIONS LIVE\n/,
  )
  expect((await idp(['issuers', 'delete', ci])).code).toBe(2)
  const no = await idp(['issuers', 'delete', ci], { terminal: { typed: 'n\n' } })
  expect([no.code, (await listed()).length]).toEqual([1, 1])
  const gone = await idp(['issuers', 'delete', ci, '--yes', '--json'])
  expect([gone.code, JSON.parse(gone.stdout).deleted.issuer]).toEqual([0, ci])
  const missing = await idp(['issuers', 'delete', ci, '--yes'])
  expect([missing.code, await listed()]).toEqual([3, []])
  expect(await auditOf(db, 'issuer.deleted')).toHaveLength(1)
})
