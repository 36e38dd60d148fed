/** Backups: one picture while the server runs, proven by signing in, restored whole or not at all. */
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import pg from 'pg'
import { beforeAll, describe, expect, test } from 'vitest'
import { rememberDevice } from '../../src/credentials/remembered-devices.ts'
import { sha256 } from '../../src/crypto.ts'
import { createIdp } from '../cli/support.ts'
import { createDatabase } from '../support/database.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  type Person,
  password,
  signInAt,
} from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const folder = mkdtempSync(join(tmpdir(), 'idp-backup-'))
const file = join(folder, 'one.backup')
const secret = { SECRET_KEY: server.config.secretKeys.join(','), SUDO_USER: 'night-admin' }
const idp = createIdp(server.database.url, { ISSUER: server.origin, ...secret })

let ada: Person
let app: App
let refreshToken = ''

/** An empty database that nobody is connected to, and commands on it. */
async function emptyPlace(env: Record<string, string> = {}) {
  const database = await createDatabase({ empty: true })
  return { database, idp: createIdp(database.url, { ISSUER: server.origin, ...secret, ...env }) }
}

/** One question, by a connection of its own that is gone afterwards. */
async function ask(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}

beforeAll(async () => {
  ada = await createPerson(server, { username: 'ada', roles: ['admin'] })
  app = await createApp(server)
  const { answer } = await authorize(createBrowser(server), app, ada, {
    scope: 'openid offline_access',
  })
  refreshToken = String(answer.body.refresh_token)
  // Both are taken back before the restore below, and must not come back by it.
  await rememberDevice(server.database.db, { accountId: ada.id, factor: 'totp', days: 30 })
  expect((await idp(['users', 'recover', 'ada'])).code).toBe(0)
  // What text formats stumble over.
  await server.database.pool.query('update accounts set disabled_reason = $1', [
    'tab\t, back\\slash, \\N, \\.\n\\.\nünïcode 王',
  ])
  const { code, stdout } = await idp(['backup', 'create', file, '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout).backup).toMatchObject({
    file,
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

test('a file for its owner alone, written while the server runs, never over another', async () => {
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect((await idp(['backup', 'create', file])).code).toBe(4)
})

test('AD-12: nothing in it opens anything: no password, token, secret or key in clear', async () => {
  const text = gunzipSync(readFileSync(file)).toString()
  for (const value of [password, refreshToken, app.secret, secret.SECRET_KEY])
    expect(text).not.toContain(value)
  expect(text).not.toMatch(/"d":|"p":|"q":/)
})

test('verify restores it for a moment, signs in there, and leaves nothing', async () => {
  const databases = () =>
    ask(server.database.url, "select datname from pg_database where datname like 'idp_verify%'")
  const { code, stdout, stderr } = await idp(['backup', 'verify', file, '--json'])
  expect([code, stderr]).toEqual([0, expect.stringContaining('temporary account signed in')])
  expect(JSON.parse(stdout).backup).toMatchObject({ signed_in: true, issuer: server.origin })
  expect(await databases()).toEqual([])
  expect(
    await ask(server.database.url, "select 1 from accounts where username like 'verify%'"),
  ).toEqual([])
})

test('restored elsewhere: people sign in, apps and keys are the same, and what was given before is over (RL-27)', async () => {
  const place = await emptyPlace()
  const { code, stdout, stderr } = await place.idp(['backup', 'restore', file, '--json'])
  expect([code, stderr]).toEqual([0, expect.stringContaining('sign in anew')])
  const { restored } = JSON.parse(stdout)
  expect(restored.sessions_ended).toBeGreaterThan(0)
  expect(restored.grants_ended).toBeGreaterThan(0)
  const keys = 'select kid, state from signing_keys order by kid'
  expect(await ask(place.database.url, keys)).toEqual(await ask(server.database.url, keys))
  const people = 'select id, username, password_hash, disabled_reason from accounts'
  expect(await ask(place.database.url, people)).toEqual(await ask(server.database.url, people))
  expect(
    await ask(
      place.database.url,
      "select actor_id from audit_events where type = 'backup.restored'",
    ),
  ).toEqual([{ actor_id: 'night-admin' }])

  const second = await startTestServer({
    database: place.database,
    env: { SECRET_KEY: secret.SECRET_KEY },
  })
  const visitor = createBrowser(second)
  const page = await signInAt(visitor, await visitor.get(`${second.origin}/account`), ada)
  expect(page.url).toBe(`${second.origin}/account`)
  const hash = `\\x${sha256(refreshToken).toString('hex')}`
  expect(
    await ask(place.database.url, `select 1 from refresh_tokens where id_hash = '${hash}'`),
  ).toEqual([])
  const single = ['mail_proofs', 'remembered_devices', 'passkey_challenges', 'upstream_requests']
  for (const table of single)
    expect(await ask(place.database.url, `select 1 from ${table}`), table).toEqual([])

  const refused = await place.idp(['backup', 'restore', file, '--replace', '--yes'])
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('server is running')])
  await second.close()
})

describe('refused, and nothing is changed:', () => {
  const untouched = async (url: string) =>
    expect(await ask(url, "select to_regclass('public.accounts') as accounts")).toEqual([
      { accounts: null },
    ])
  // Nothing is changed there, so one is enough.
  let shared: Awaited<ReturnType<typeof emptyPlace>> | undefined
  const plain = () => gunzipSync(readFileSync(file)).toString('latin1')
  const put = (name: string, bytes: Buffer | string) => {
    const path = join(folder, name)
    writeFileSync(path, typeof bytes === 'string' ? gzipSync(Buffer.from(bytes, 'latin1')) : bytes)
    return path
  }

  test('RL-28: without the key that sealed it', async () => {
    const place = await emptyPlace({ SECRET_KEY: 'q7Xr2mPz9LkT4vWcB8nYdH3sJf6gAeUo1iRx5tKwZy0' })
    for (const verb of ['restore', 'verify']) {
      const { code, stderr } = await place.idp(['backup', verb, file])
      expect([verb, code, stderr]).toEqual([
        verb,
        5,
        expect.stringContaining('SECRET_KEY does not open'),
      ])
    }
    await untouched(place.database.url)
  })

  test('over a database with people in it, unless that is said twice; sessions stay where that is said too', async () => {
    const place = await emptyPlace()
    expect(
      (
        await place.idp(
          [
            'users',
            'create',
            'eve',
            '--email',
            'eve@example.org',
            '--verified',
            '--password-stdin',
          ],
          { stdin: password },
        )
      ).code,
    ).toBe(0)
    const names = 'select username from accounts'
    const refused = await place.idp(['backup', 'restore', file])
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('--replace')])
    expect((await place.idp(['backup', 'restore', file, '--replace'])).code).toBe(2)
    expect(await ask(place.database.url, names)).toEqual([{ username: 'eve' }])
    const flags = ['--replace', '--yes', '--keep-sessions']
    expect((await place.idp(['backup', 'restore', file, ...flags])).code).toBe(0)
    expect(await ask(place.database.url, names)).toEqual([{ username: 'ada' }])
    for (const table of ['sessions', 'grants', 'refresh_tokens'])
      expect((await ask(place.database.url, `select 1 from ${table}`)).length).toBeGreaterThan(0)
  })

  test.each([
    ['cut off', () => put('cut', readFileSync(file).subarray(0, statSync(file).size >> 1))],
    ['no gzip', () => put('text', Buffer.from('hello'))],
    ['without its last line', () => put('unended', plain().replace(/\{"end":true.*\n$/, ''))],
    [
      'with a name changed in it',
      () => put('changed', plain().replace('ada@example.org', 'eve@example.org')),
    ],
    ['with a row less', () => put('less', plain().replace(/\n[^\n]*ada@example\.org[^\n]*/, ''))],
    ['with something after its end', () => put('more', `${plain()}x\n`)],
    [
      'of a newer release',
      () => put('newer', plain().replace('"migrations":[', '"migrations":["9999_tomorrow",')),
    ],
    ['of another kind', () => put('other', plain().replace('idp.backup', 'pg_dump'))],
    [
      'that names a table of the system',
      () => put('system', plain().replace('{"table":"accounts"', '{"table":"pg_authid"')),
    ],
    [
      'that names a column that is none',
      () => put('column', plain().replace(/("table":"accounts","columns":\[)/, '$1"xmin",')),
    ],
    [
      'that names what no identifier is',
      () =>
        put(
          'quote',
          plain().replace('{"table":"accounts"', '{"table":"a\\";drop table accounts;--"'),
        ),
    ],
  ])('a file %s', async (_, make) => {
    shared ??= await emptyPlace()
    const place = shared
    const { code, stderr } = await place.idp(['backup', 'restore', make()])
    expect([code, stderr]).toEqual([
      5,
      expect.stringMatching(/damaged|newer release|no backup|none of ours|cannot be filled/),
    ])
    expect(stderr).not.toContain('our fault')
    await untouched(place.database.url)
  })
})

test('one picture: what is written meanwhile is all in it or not at all', async () => {
  const { pool } = server.database
  await pool.query(
    'create table pairs_a (n int primary key); create table pairs_z (n int primary key)',
  )
  let going = true
  const writing = (async () => {
    for (let n = 0; going; n++) {
      await pool.query(
        `begin; insert into pairs_a values (${n}); insert into pairs_z values (${n}); commit`,
      )
    }
  })()
  try {
    const { code } = await idp(['backup', 'create', join(folder, 'busy.backup')])
    expect(code).toBe(0)
  } finally {
    going = false
    await writing
    await pool.query('drop table pairs_a, pairs_z')
  }
  const text = gunzipSync(readFileSync(join(folder, 'busy.backup'))).toString()
  const rowsOf = (table: string) =>
    new RegExp(`\\{"table":"${table}"[^\\n]*\\n([\\s\\S]*?)\\\\\\.\\n`).exec(text)?.[1]
  expect(rowsOf('pairs_a')).toBe(rowsOf('pairs_z'))
})
