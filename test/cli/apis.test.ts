/** `idp apis`: changing and deleting what tokens are for, with the apps that lose something by it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { url, pool, db } = await createDatabase()
const idp = createIdp(url, { SUDO_USER: 'night-admin' })
const folder = mkdtempSync(join(tmpdir(), 'idp-apis-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const files = 'https://files.example.org'
const schema = { type: 'object', properties: { folder: { type: 'string', title: 'Folder' } } }

beforeEach(async () => {
  await pool.query('truncate clients, apis, grants, consents, audit_events cascade')
  await done(['apis', 'create', files, '--scope', 'read write share', '--name', 'Files'])
})

async function done(argv: string[], surroundings = {}) {
  const ran = await idp(argv, surroundings)
  expect(ran, ran.stderr).toMatchObject({ code: 0 })
  return ran
}

async function json(argv: string[], surroundings = {}) {
  return JSON.parse((await done([...argv, '--json'], surroundings)).stdout)
}

async function robot(name: string, ...access: string[]): Promise<string> {
  const made = await json(['clients', 'create', name, '--preset', 'service', ...access])
  return made.client.client_id
}

const scopeOf = async (name: string) => (await json(['clients', 'get', name])).client.scope

test('an API says how its tokens are, and everything can be changed', async () => {
  const { api } = await json(['apis', 'get', files])
  expect(api).toEqual({
    identifier: files,
    name: 'Files',
    scopes: ['read', 'write', 'share'],
    token_format: 'jwt',
    access_token_lifetime: 600,
    token_alg: 'ES256',
    authorization_types: {},
    created_at: expect.any(String),
    clients: [],
  })
  const changes = ['--token-format', 'opaque', '--token-alg', 'EdDSA', '--name', 'Archive']
  const lifetime = ['--access-token-lifetime', '1h']
  expect(await json(['apis', 'update', files, ...changes, ...lifetime])).toMatchObject({
    version: 1,
    changed: ['name', 'access_token_lifetime', 'token_format', 'token_alg'],
    api: {
      name: 'Archive',
      token_format: 'opaque',
      token_alg: 'EdDSA',
      access_token_lifetime: 3600,
      scopes: ['read', 'write', 'share'],
    },
  })
  expect(await auditOf(db, 'api.updated')).toHaveLength(1)
  const again = await idp(['apis', 'update', files, ...changes])
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing to change') })
})

test('a scope that is added comes to apps that may use all of it, and to no others', async () => {
  await robot('Whole', '--api', files)
  await robot('Limited', '--scope', 'read')
  await done(['apis', 'update', files, '--add-scope', 'trash'])
  expect(await scopeOf('Whole')).toBe('read write share trash')
  expect(await scopeOf('Limited')).toBe('read')
})

test('a scope that is taken away asks first, and names who loses it', async () => {
  const whole = await robot('Whole', '--api', files)
  await robot('Limited', '--scope', 'read write')
  await robot('Last', '--scope', 'write')
  const take = ['apis', 'update', files, '--remove-scope', 'write']
  const refused = await idp(take)
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
  expect(await idp(take, { terminal: { typed: 'n\n' } })).toMatchObject({ code: 1 })
  expect(await scopeOf('Whole')).toBe('read write share')
  const { stderr } = await done([...take, '--yes'])
  expect(stderr).toContain(`Whole (${whole}) loses write.`)
  expect(stderr).toMatch(/Limited \(.+\) loses write\./)
  expect(stderr).toMatch(/Last \(.+\) loses write, and may not call it any more\./)
  expect(await scopeOf('Whole')).toBe('read share')
  expect(await scopeOf('Limited')).toBe('read')
  const last = (await json(['clients', 'get', 'Last'])).client
  // Having lost its last scope must not read as "all of them".
  expect(last.apis).toEqual([])
  await done(['apis', 'update', files, '--add-scope', 'write'])
  expect(await scopeOf('Limited')).toBe('read')
})

test('scopes are replaced as a whole', async () => {
  const { api } = await json(['apis', 'update', files, '--scope', 'share print'])
  expect(api.scopes).toEqual(['share', 'print'])
  const wrong = await idp(['apis', 'update', files, '--add-scope', 'openid'])
  expect(wrong).toMatchObject({ code: 5, stderr: expect.stringContaining('OpenID Connect') })
})

test('what people allowed goes with the scope, and does not come back with its name', async () => {
  const app = await robot('Whole', '--api', files)
  await pool.query(
    `insert into consents (account_id, client_id, resources) values (gen_random_uuid(), $1, $2)`,
    [app, JSON.stringify({ [files]: 'read write', 'https://other.example': 'write' })],
  )
  await done(['apis', 'update', files, '--remove-scope', 'write', '--yes'])
  await done(['apis', 'update', files, '--add-scope', 'write'])
  const { rows } = await pool.query('select resources from consents')
  expect(rows[0].resources).toEqual({ [files]: 'read', 'https://other.example': 'write' })
})

test('types of details are set by a file or standard input, replaced and taken away', async () => {
  const file = join(folder, 'share.json')
  writeFileSync(file, JSON.stringify(schema))
  const set = ['apis', 'update', files, '--authorization-type', 'folder_access', '--schema']
  expect((await json([...set, file])).api.authorization_types).toEqual({ folder_access: schema })
  const other = JSON.stringify({ ...schema, title: 'A folder' })
  const replaced = await json([...set, '-'], { stdin: other })
  expect(replaced.api.authorization_types.folder_access.title).toBe('A folder')
  expect((await done(['apis', 'get', files])).stdout).toContain('folder_access')

  await done(['apis', 'create', 'https://other.example'])
  const second = await idp(
    [
      'apis',
      'update',
      'https://other.example',
      '--authorization-type',
      'folder_access',
      '--schema',
      '-',
    ],
    { stdin: other },
  )
  expect(second).toMatchObject({ code: 4, stderr: expect.stringContaining('folder_access') })

  const take = ['apis', 'update', files, '--remove-authorization-type', 'folder_access']
  expect((await json(take)).api.authorization_types).toEqual({})
  expect(await idp(take)).toMatchObject({ code: 5 })
})

test('a schema that is none, or leads elsewhere, is refused and nothing is stored', async () => {
  const set = ['apis', 'update', files, '--authorization-type', 'x', '--schema']
  expect(await idp([...set, '-'], { stdin: 'no' })).toMatchObject({ code: 2 })
  expect(await idp([...set, join(folder, 'nowhere.json')])).toMatchObject({ code: 2 })
  const away = JSON.stringify({ properties: { a: { $ref: 'https://evil.example/' } } })
  const refused = await idp([...set, '-'], { stdin: away })
  expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('--schema') })
  const alone = await idp(['apis', 'update', files, '--authorization-type', 'x'])
  expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining('belong together') })
  expect((await json(['apis', 'get', files])).api.authorization_types).toEqual({})
})

test('deleting says who loses what, and needs a yes', async () => {
  const id = await robot('Limited', '--scope', 'read write')
  const refused = await idp(['apis', 'delete', files])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain(
    `Limited (${id}) loses read write, and may not call it any more.`,
  )
  expect(await json(['apis', 'delete', files, '--yes'])).toEqual({
    version: 1,
    deleted: files,
    losses: [{ client_id: id, scopes: ['read', 'write'] }],
  })
  expect(await idp(['apis', 'get', files])).toMatchObject({ code: 3 })
  expect(await idp(['apis', 'update', files, '--name', 'x'])).toMatchObject({ code: 3 })
})

test('a lifetime beyond what signing keys live for, or an unknown word, is refused', async () => {
  const update = ['apis', 'update', files]
  expect(await idp([...update, '--access-token-lifetime', '25h'])).toMatchObject({ code: 5 })
  expect(await idp([...update, '--access-token-lifetime', 'soon'])).toMatchObject({ code: 2 })
  expect(await idp([...update, '--token-alg', 'HS256'])).toMatchObject({ code: 2 })
  expect(await idp([...update, '--token-format', 'paseto'])).toMatchObject({ code: 2 })
})

test('an app may be limited to some types of its APIs, and to no others', async () => {
  const set = ['--authorization-type', 'folder_access', '--schema', '-']
  await done(['apis', 'update', files, ...set], { stdin: JSON.stringify(schema) })
  const id = await robot('Limited', '--api', files, '--authorization-type', 'folder_access')
  const { client } = await json(['clients', 'get', id])
  expect(client.authorization_details_types).toEqual(['folder_access'])
  const refused = await idp(['clients', 'update', id, '--authorization-type', 'payment'])
  expect(refused).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('--authorization-type'),
  })
  const lifted = await json(['clients', 'update', id, '--no-authorization-type'])
  expect(lifted.client).not.toHaveProperty('authorization_details_types')
})
