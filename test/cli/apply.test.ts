/** `idp plan`, `apply` and `export`: one file makes a house, and says before what it would do. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { url, pool } = await createDatabase()
const folder = mkdtempSync(join(tmpdir(), 'idp-apply-'))
afterAll(() => rmSync(folder, { recursive: true }))

const secret = 'f'.repeat(64)
const secrets = {
  CLOUDREVE_SECRET: secret,
  LMS_SECRET: `a${secret}`,
  IMPORTER_SECRET: `b${secret}`,
}
const idp = createIdp(url, {
  SUDO_USER: 'night-admin',
  SECRET_KEY: 'kP3xW9vQz7Lr2mTfYb8Nc4Hd6Js1Ga5E',
  ...secrets,
})
const example = new URL('../../deploy/examples/letuslearn.yaml', import.meta.url).pathname

beforeEach(async () => {
  await pool.query(`delete from clients; delete from apis where not built_in; delete from groups;
    delete from roles where not built_in; delete from settings; delete from providers; delete from applied_objects;
    update roles set permissions = '{}' where id = 'user'`)
})

/** The path of a file with these things in it. */
function write(things: object): string {
  const path = join(folder, 'house.yaml')
  writeFileSync(path, stringify({ version: 1, ...things }))
  return path
}

async function run(argv: string[], code = 0, surroundings = {}) {
  const ran = await idp(argv, surroundings)
  expect([ran.code, ran.stderr]).toEqual([code, expect.any(String)])
  return ran
}
const changesOf = ({ stdout }: { stdout: string }) =>
  JSON.parse(stdout).changes as { name: string; action: string; fields: { field: string }[] }[]
const apply = async (file: string, ...more: string[]) =>
  changesOf(await run(['apply', '-f', file, '--json', ...more]))
const plan = async (file: string, code: number, ...more: string[]) =>
  changesOf(await run(['plan', '-f', file, '--json', ...more], code))
const dump = async () => {
  const { rows } = await pool.query(`select
    (select json_agg(c order by id) from clients c) as clients,
    (select json_agg(a order by identifier) from apis a where not built_in) as apis,
    (select json_agg(r order by id) from roles r) as roles,
    (select json_agg(g order by name) from groups g) as groups,
    (select json_agg(s order by hash) from client_secrets s) as secrets,
    (select json_agg(o order by kind, id) from applied_objects o) as owned,
    (select count(*) from audit_events) as events`)
  return rows[0]
}

const wiki = { name: 'Wiki', redirect_uris: ['https://wiki.example.org/cb'] }

describe('the example', () => {
  test('is planned, made, and then changes nothing any more; export gives it back', async () => {
    const planned = await run(['plan', '-f', example], 10)
    expect(planned.stderr).toContain('9 created, 0 changed, 0 removed, 0 as they were')
    expect(await dump()).toMatchObject({ clients: null, groups: null, owned: null })

    const made = await run(['apply', '-f', example])
    expect(made.stdout).toContain('+ client Cloudreve')
    const before = await dump()
    const again = await run(['apply', '-f', example])
    expect(again.stderr).toContain('Everything is as the file says.')
    const after = await dump()
    expect({ ...after, owned: [] }).toEqual({ ...before, owned: [] })

    const { stdout } = await run(['export'])
    expect(parse(stdout)).toEqual(parse(readFileSync(example, 'utf8')))
    await plan(write(parse(stdout)), 0)
    expect(JSON.parse((await run(['export', '--json'])).stdout)).toEqual(parse(stdout))
  })

  test('never shows a secret', async () => {
    const shown = await Promise.all([
      run(['plan', '-f', example], 10),
      run(['plan', '-f', example, '--json'], 10),
    ])
    const ran = [...shown, await run(['apply', '-f', example, '--json']), await run(['export'])]
    const kept = [await dump(), (await pool.query('select detail from audit_events')).rows]
    for (const value of Object.values(secrets)) {
      expect(JSON.stringify([ran, kept])).not.toContain(value)
    }
  })
})

test('a plan says field by field what apply then does', async () => {
  await apply(write({ clients: [wiki] }))
  const changed = write({
    clients: [{ ...wiki, redirect_uris: ['https://wiki.example.org/oidc'], refresh_idle: '7d' }],
  })
  const planned = await plan(changed, 10)
  expect(planned).toMatchObject([
    {
      kind: 'client',
      name: 'Wiki',
      action: 'changed',
      fields: [
        {
          field: 'redirect_uris',
          from: ['https://wiki.example.org/cb'],
          to: ['https://wiki.example.org/oidc'],
        },
        { field: 'refresh_idle', to: '7d' },
      ],
    },
  ])
  expect(await apply(changed)).toEqual(planned)
})

test('what a line said that is gone has its default again', async () => {
  await apply(write({ clients: [{ ...wiki, first_party: true, second_factor: 'always' }] }))
  expect(await apply(write({ clients: [wiki] }))).toMatchObject([
    {
      fields: [
        { field: 'first_party', to: false },
        { field: 'second_factor', from: 'always' },
      ],
    },
  ])
})

test('what was changed by hand is seen by the plan, told by the command, and put back', async () => {
  const file = write({ clients: [wiki] })
  await apply(file)
  const ran = await run(['clients', 'update', 'Wiki', '--first-party'])
  expect(ran.stderr).toContain('A file says what it is')
  expect(await plan(file, 10)).toMatchObject([{ fields: [{ field: 'first_party', to: false }] }])
  expect(parse((await run(['export'])).stdout).clients).toMatchObject([{ first_party: true }])
  await apply(file)
  await plan(file, 0)
})

test('a secret that was made is shown once; one by reference is never', async () => {
  const [made] = await apply(write({ clients: [wiki] }))
  expect(made).toMatchObject({
    client_id: expect.stringMatching(/^wiki-/),
    client_secret: expect.stringMatching(/^.{43}$/),
  })
  expect((await apply(write({ clients: [wiki] })))[0]).not.toHaveProperty('client_secret')
  const own = write({ clients: [{ ...wiki, secret: 'env:CLOUDREVE_SECRET' }] })
  expect(await apply(own)).toMatchObject([{ fields: [{ field: 'secret', hidden: true }] }])
  const { rows } = await pool.query('select hash from client_secrets')
  expect(rows).toHaveLength(1)
  const other = { env: { CLOUDREVE_SECRET: 'e'.repeat(40) } }
  expect((await idp(['plan', '-f', own], other)).code).toBe(10)
})

test('a secret comes from a file that is named from where the file is', async () => {
  writeFileSync(join(folder, 'wiki.secret'), `${secret}\n`)
  await apply(write({ clients: [{ ...wiki, secret: 'file:wiki.secret' }] }))
  await apply(write({ clients: [{ ...wiki, secret: 'env:CLOUDREVE_SECRET' }] }))
  const { rows } = await pool.query('select hash from client_secrets')
  expect(rows).toHaveLength(1)
})

test('who signs people in for us is set up by the file, its secret sealed and never shown', async () => {
  const google = { id: 'google', preset: 'google', client_id: 'ours', secret: 'env:LMS_SECRET' }
  const file = write({ providers: [google] })
  const ran = await run(['apply', '-f', file])
  expect(ran.stdout).toMatch(/\+ provider google[\s\S]+secret: set \(not shown\)/)
  await plan(file, 0)
  expect(parse((await run(['export'])).stdout).providers).toEqual([google])
  const kept = (await pool.query('select p::text from providers p')).rows
  expect(JSON.stringify([ran, kept])).not.toContain(secrets.LMS_SECRET)
  const other = write({
    providers: [{ ...google, preset: 'oidc', issuer: 'https://a.example.org' }],
  })
  expect((await run(['apply', '-f', other], 5)).stderr).toContain('providers[0]: preset is another')
})

test('an app is open to those whom the file names, and they stay as long as it does', async () => {
  const closed = {
    clients: [{ ...wiki, allowed_groups: ['Staff'], allowed_roles: ['editor'] }],
    roles: [{ name: 'editor' }],
    groups: [{ name: 'Staff' }],
  }
  await apply(write(closed))
  await plan(write(closed), 0)
  expect(parse((await run(['export'])).stdout)).toEqual({ version: 1, ...closed })
  const planned = await plan(write({ clients: [wiki] }), 10, '--prune')
  expect(planned.map(({ action, name }) => `${action} ${name}`)).toEqual([
    'changed Wiki',
    'removed Staff',
    'removed editor',
  ])
  await apply(write({}), '--prune')
  expect(await dump()).toMatchObject({ clients: null, groups: null, owned: null })
})

describe('pruning', () => {
  test('removes what a file has made, and never what was there before', async () => {
    await run([
      'clients',
      'create',
      'Old',
      '--preset',
      'web',
      '--redirect-uri',
      'https://old.example.org/cb',
    ])
    const old = { name: 'Old', preset: 'web', redirect_uris: ['https://old.example.org/cb'] }
    await apply(
      write({
        clients: [wiki, old],
        roles: [{ name: 'editor' }],
        groups: [{ name: 'Staff', roles: ['editor'] }],
      }),
    )
    const less = write({ groups: [] })
    expect(await apply(less)).toEqual([])
    const planned = await plan(less, 10, '--prune')
    expect(planned.map(({ action, name }) => [action, name]).toSorted()).toEqual([
      ['removed', 'Staff'],
      ['removed', 'Wiki'],
      ['removed', 'editor'],
    ])
    expect(await apply(less, '--prune')).toEqual(planned)
    await plan(less, 0, '--prune')
    expect((await dump()).clients).toMatchObject([{ name: 'Old' }])
  })

  test('takes branding back', async () => {
    await apply(write({ branding: { name: 'Let us learn' } }))
    await apply(write({}), '--prune')
    expect((await run(['settings', 'get', '--json'])).stdout).toContain('"brand_name": null')
  })
})

describe('all or nothing', () => {
  test('one wrong entry keeps everything from being stored, and every mistake is told', async () => {
    const file = write({
      apis: [{ identifier: 'https://api.example.org', scopes: ['read'] }],
      clients: [wiki, { name: 'Bad', redirect_uris: ['http://wiki.example.org/cb'] }],
      roles: [{ name: 'Not a role' }],
    })
    const before = await dump()
    const ran = await run(['apply', '-f', file], 5)
    expect(ran.stderr).toMatch(/clients\[1\]: redirect_uris .+\n.+\n.*roles\[0\]: /)
    expect(await dump()).toEqual(before)
  })

  test.each([
    [
      'a role that nobody has made',
      { groups: [{ name: 'Staff', roles: ['nobody'] }] },
      /groups\[0\]: .*nobody/,
    ],
    [
      'a scope that nobody offers',
      { clients: [{ ...wiki, scope: 'openid wash:cars' }] },
      /clients\[0\]: scope .*wash:cars/,
    ],
    [
      'a secret of a public app',
      { clients: [{ ...wiki, preset: 'spa', secret: 'env:CLOUDREVE_SECRET' }] },
      /clients\[0\]: secret /,
    ],
    [
      'a secret that two apps would have',
      {
        clients: [
          { ...wiki, secret: 'env:LMS_SECRET' },
          { ...wiki, name: 'Bank', secret: 'env:LMS_SECRET' },
        ],
      },
      /clients\[1\]: Another app has this secret/,
    ],
    ['what admin may', { roles: [{ name: 'admin', permissions: ['read:notes'] }] }, /roles\[0\]: /],
  ])('%s is refused with its place', async (_, things, words) => {
    const before = await dump()
    expect((await run(['apply', '-f', write(things)], 5)).stderr).toMatch(words)
    expect(await dump()).toEqual(before)
  })

  test('a secret that is missing or weak is named before anything is done', async () => {
    const file = write({ clients: [{ ...wiki, secret: 'env:NOT_THERE' }] })
    expect((await run(['apply', '-f', file], 2)).stderr).toContain(
      'clients[0].secret: there is nothing at env:NOT_THERE',
    )
    const weak = write({ clients: [{ ...wiki, secret: 'env:WEAK' }] })
    const ran = await run(['apply', '-f', weak], 5, { env: { WEAK: 'hunter2' } })
    expect(ran.stderr).toMatch(/clients\[0\]: secret in env:WEAK is no secret of 32/)
    expect(ran.stderr).not.toContain('hunter2')
  })

  test('a connection that breaks in the middle leaves nothing', async () => {
    const blocked = await pool.connect()
    await blocked.query('begin; lock table groups in access exclusive mode')
    const running = idp(['apply', '-f', write({ clients: [wiki], groups: [{ name: 'Staff' }] })])
    await expect
      .poll(async () => {
        const { rowCount } =
          await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'idp-cli' and wait_event_type = 'Lock'`)
        return rowCount
      })
      .toBe(1)
    await blocked.query('rollback')
    blocked.release()
    expect((await running).code).not.toBe(0)
    expect(await dump()).toMatchObject({ clients: null, groups: null, owned: null })
  })
})

test('of several at once, one makes it and the others find it made', async () => {
  const file = write({ clients: [wiki], groups: [{ name: 'Staff' }] })
  const ran = await Promise.all([1, 2, 3, 4].map(() => idp(['apply', '-f', file, '--json'])))
  const actions = ran.map((one) =>
    changesOf(one)
      .map(({ action }) => action)
      .join(' '),
  )
  expect(actions.toSorted()).toEqual(['created created', ...Array(3).fill('unchanged unchanged')])
})

test('what was made by hand is exported so that another house becomes the same', async () => {
  await run([
    'apis',
    'create',
    'https://api.example.org',
    '--scope',
    'read write',
    '--access-token-lifetime',
    '5m',
  ])
  await run([
    'clients',
    'create',
    'Bank',
    '--preset',
    'web',
    '--redirect-uri',
    'https://bank.example.org/cb',
    '--profile',
    'fapi2',
    '--jwks-uri',
    'https://bank.example.org/jwks',
  ])
  await run(['clients', 'create', 'Robot', '--preset', 'service', '--scope', 'read'])
  await run(['clients', 'create', 'TV', '--preset', 'device', '--api', 'https://api.example.org'])
  await run(['clients', 'disable', 'TV'])
  const { stdout } = await run(['export'])
  const state = async () => {
    const { apis, clients } = await dump()
    return JSON.parse(JSON.stringify({ apis, clients }), (key, value) =>
      /_at$/.test(key) ? value !== null : value,
    )
  }
  const before = await state()
  await pool.query('delete from clients; delete from apis where not built_in')
  await apply(write(parse(stdout)))
  expect(await state()).toEqual(before)
})

test('a mistake in the file is told with its line', async () => {
  const path = join(folder, 'broken.yaml')
  writeFileSync(path, 'version: 1\nclients:\n  - nam: Wiki\n')
  const ran = await run(['plan', '-f', path], 5)
  expect(ran.stderr).toContain('line 3, clients[0].nam: is not known here')
  expect((await run(['plan'], 2)).stderr).toContain('--file')
})
