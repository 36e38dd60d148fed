import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { findByIdentifier } from '../../src/accounts/accounts.ts'
import { createPasswordHasher } from '../../src/credentials/password-hasher.ts'
import { migrateJobs } from '../../src/jobs/worker.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { db, pool, url } = await createDatabase()
await migrateJobs(pool)
const dataDir = mkdtempSync(join(tmpdir(), 'idp-cli-'))
const idp = createIdp(url, { DATA_DIR: dataDir, SUDO_USER: 'night-admin' })
const password = 'correct horse battery'

afterAll(() => rmSync(dataDir, { recursive: true }))
afterEach(() => pool.query('truncate accounts, registrations, audit_events cascade'))

const ada = [
  'users',
  'create',
  'ada',
  '--email',
  'Ada@Example.org',
  '--verified',
  '--role',
  'admin',
]
const createAda = () => idp([...ada, '--password-stdin'], { stdin: `${password}\n` })

describe('users create', () => {
  test('the first admin: active, with the role, and the password that came by standard input', async () => {
    const { code, stdout, stderr } = await idp(
      [...ada, '--name', 'Ada Lovelace', '--password-stdin', '--json'],
      {
        stdin: `${password}\n`,
      },
    )
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      version: 1,
      user: {
        id: expect.any(String),
        username: 'ada',
        email: 'Ada@example.org',
        email_verified: true,
        name: 'Ada Lovelace',
        given_name: 'Ada',
        family_name: 'Lovelace',
        locale: 'en',
        status: 'active',
        roles: ['admin'],
        groups: [],
        created_at: expect.any(String),
      },
    })
    const account = await findByIdentifier(db, 'ada@example.org')
    expect(
      await createPasswordHasher({ slots: 1 }).verify(account?.passwordHash ?? '', password),
    ).toBe(true)
  })

  test('without --verified the person proves the address', async () => {
    const { code, stdout } = await idp(
      ['users', 'create', 'bob', '--email', 'bob@example.org', '--password-stdin'],
      {
        stdin: password,
      },
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/Status +unverified/)
    const { rows } = await pool.query('select status, email from registrations')
    expect(rows).toEqual([{ status: 'verification_sent', email: 'bob@example.org' }])
  })

  test('a password is never an argument, and standing input is not guessed (AD-09)', async () => {
    const argument = await idp([...ada, '--password', password])
    expect(argument.code).toBe(2)
    expect(argument.stderr).toContain("unknown option '--password'")
    expect(argument.stderr).not.toContain(password)
    const silent = await idp(ada, { stdin: password })
    expect(silent.code).toBe(2)
    expect(silent.stderr).toContain('--password-stdin')
    expect((await idp([...ada, '--password-stdin'], { stdin: '' })).code).toBe(2)
    expect(await findByIdentifier(db, 'ada')).toBeUndefined()
  })

  test('at a terminal it asks and shows nothing of what is typed', async () => {
    const { code, stdout, stderr } = await idp(ada, {
      terminal: { typed: `wrong\x7f\x7f\x7f\x7f\x7f${password}\r` },
    })
    expect(code).toBe(0)
    expect(stderr).toContain('Password for ada: ')
    expect(stdout + stderr).not.toContain(password)
    const account = await findByIdentifier(db, 'ada')
    expect(
      await createPasswordHasher({ slots: 1 }).verify(account?.passwordHash ?? '', password),
    ).toBe(true)
  })

  test('stopped at the terminal, nothing happens', async () => {
    expect((await idp(ada, { terminal: { typed: 'abc\x03' } })).code).toBe(1)
    expect(await findByIdentifier(db, 'ada')).toBeUndefined()
  })

  test('the same rules as everybody’s, each with its field and flag (5)', async () => {
    const { code, stderr } = await idp(
      ['users', 'create', 'Ada Lovelace', '--email', 'nobody', '--verified', '--password-stdin'],
      { stdin: 'abc' },
    )
    expect(code).toBe(5)
    expect(stderr).toContain('username (USERNAME): ')
    expect(stderr).toContain('email (--email): ')
    expect(stderr).toContain(
      'password (--password-stdin): This password is too short. It needs at least 8 characters.',
    )
    expect(
      (await idp([...ada, '--role', 'The Boss', '--password-stdin'], { stdin: password })).code,
    ).toBe(5)
    expect(
      (await idp(['users', 'create', 'ada', '--password-stdin'], { stdin: password })).code,
    ).toBe(2)
  })

  test('an operator may make the reserved admin', async () => {
    const admin = [
      'users',
      'create',
      'admin',
      '--email',
      'root@example.org',
      '--verified',
      '--password-stdin',
    ]
    expect((await idp(admin, { stdin: password })).code).toBe(0)
  })

  test('a name or an address that is taken is a conflict (4)', async () => {
    await createAda()
    const again = await createAda()
    expect(again.code).toBe(4)
    expect(again.stderr).toContain('This username is taken')
    expect(again.stderr).toContain('already belongs to an account')
  })
})

test('list and get, for people and for programs', async () => {
  await createAda()
  const list = await idp(['users', 'list', '--json'])
  expect(JSON.parse(list.stdout)).toMatchObject({
    version: 1,
    users: [{ username: 'ada', roles: ['admin'] }],
  })
  expect((await idp(['users', 'list'])).stdout).toMatch(/^ada +Ada@example\.org +active +ada/m)
  expect((await idp(['users', 'list', '--quiet'])).stdout).toBe('ada\n')
  expect(await idp(['users', 'list', '--status', 'disabled'])).toMatchObject({
    code: 0,
    stdout: '',
  })
  expect((await idp(['users', 'list', '--status', 'gone'])).code).toBe(2)
  expect((await idp(['users', 'list', '--limit', '0'])).code).toBe(2)
  const { user } = JSON.parse((await idp(['users', 'get', 'ADA@example.org', '--json'])).stdout)
  expect((await idp(['users', 'get', user.id])).stdout).toMatch(/^Roles +admin$/m)
  for (const wrong of [
    'nobody',
    'nobody@example.org',
    '01a1f9b9-2f13-7271-a31d-2a3cddb50b08',
    "'; drop table accounts",
  ]) {
    expect((await idp(['users', 'get', wrong])).code).toBe(3)
  }
})

test('a long list is told to go on', async () => {
  await createAda()
  await idp(
    ['users', 'create', 'bob', '--email', 'b@example.org', '--verified', '--password-stdin'],
    { stdin: password },
  )
  const page = await idp(['users', 'list', '--limit', '1'])
  expect(page.stderr).toContain('--after ada')
  expect((await idp(['users', 'list', '--after', 'ada', '--quiet'])).stdout).toBe('bob\n')
})

test('disable and enable, with the operator and the reason in the audit trail', async () => {
  await createAda()
  // Otherwise she would be the last admin.
  await pool.query('begin; delete from admin_guard; delete from account_roles; commit')
  const off = await idp(['users', 'disable', 'ada', '--reason', 'ticket 4711', '--json'])
  expect(JSON.parse(off.stdout)).toMatchObject({ user: { status: 'disabled' } })
  expect((await idp(['users', 'disable', 'ada'])).stderr).toContain('was off already')
  expect((await idp(['users', 'get', 'ada'])).stdout).toContain('ticket 4711')
  expect((await idp(['users', 'enable', 'ada'])).stderr).toContain('Switched on ada')
  expect((await idp(['users', 'enable', 'nobody'])).code).toBe(3)
  const { rows } = await pool.query(
    'select type, actor_id, detail::text from audit_events order by at',
  )
  expect(rows.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['account.created', 'account.disabled', 'account.enabled']),
  )
  expect(rows.every(({ actor_id: actor }) => actor === 'night-admin')).toBe(true)
  expect(JSON.stringify(rows)).not.toContain(password)
})

describe('users update', () => {
  test('sets and takes away what apps learn by address and phone', async () => {
    await createAda()
    const address = ['--locality', '北京', '--postal-code', '100080', '--country', '中国']
    const { code, stdout, stderr } = await idp([
      'users',
      'update',
      'ada',
      '--phone',
      '+86 138 0013 8000',
      ...address,
      '--json',
    ])
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      version: 1,
      user: {
        username: 'ada',
        address: { locality: '北京', postal_code: '100080', country: '中国' },
        phone_number: '+8613800138000',
        phone_number_verified: false,
      },
    })
    expect((await idp(['users', 'get', 'ada'])).stdout).toContain('北京')
    const same = await idp(['users', 'update', 'ada', '--locality', '北京'])
    expect(same).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing to change') })
    await idp(['users', 'update', 'ada', '--no-address', '--no-phone'])
    const { user } = JSON.parse((await idp(['users', 'get', 'ada', '--json'])).stdout)
    expect(user).not.toHaveProperty('address')
    expect(user).not.toHaveProperty('phone_number')
  })

  test('a number that is none, and a person who is not there, are refused', async () => {
    await createAda()
    const wrong = await idp(['users', 'update', 'ada', '--phone', '138 0013'])
    expect(wrong).toMatchObject({ code: 5, stderr: expect.stringContaining('--phone') })
    expect((await idp(['users', 'update', 'nobody', '--phone', '+8613800138000'])).code).toBe(3)
  })

  test('names, language and time zone: all that was said, or none of it', async () => {
    await createAda()
    const update = (...flags: string[]) => idp(['users', 'update', 'ada', ...flags, '--json'])
    const names = ['--name', 'Ada King', '--given-name', 'Ada', '--family-name', 'King']
    const done = await update(...names, '--locale', 'zh-CN', '--zoneinfo', 'Europe/London')
    expect(JSON.parse(done.stdout).user).toMatchObject({
      name: 'Ada King',
      given_name: 'Ada',
      family_name: 'King',
      locale: 'zh-CN',
      zoneinfo: 'Europe/London',
    })
    const wrong = await update('--name', 'Somebody', '--locale', 'xx', '--phone', '138')
    expect(wrong).toMatchObject({ code: 5, stdout: '' })
    for (const flag of ['--locale', '--phone']) expect(wrong.stderr).toContain(flag)
    const { user } = JSON.parse((await update('--locale', '')).stdout)
    expect([user.name, user.locale]).toEqual(['Ada King', undefined])
    await pool.query('delete from account_roles; delete from admin_guard')
    await idp(['users', 'disable', 'ada'])
    expect(await update('--name', 'Else')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('not active'),
    })
  })
})

describe('users delete', () => {
  test('signs out and waits a week; at once leaves nothing; the last admin stays', async () => {
    await createAda()
    expect(await idp(['users', 'delete', 'ada', '--yes'])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('admin'),
    })
    await idp(
      ['users', 'create', 'bob', '--email', 'bob@example.org', '--verified', '--password-stdin'],
      { stdin: `${password}\n` },
    )
    const waiting = await idp(['users', 'delete', 'bob', '--yes', '--json'])
    const { deleted } = JSON.parse(waiting.stdout)
    expect(deleted).toMatchObject({ username: 'bob', erased: false })
    const days = (Date.parse(deleted.deletion_due_at) - Date.now()) / 86_400_000
    expect(Math.round(days)).toBe(7)
    expect((await idp(['users', 'get', 'bob'])).code).toBe(0)
    expect((await idp(['users', 'delete', 'bob', '--at-once', '--yes'])).code).toBe(0)
    expect((await idp(['users', 'get', 'bob'])).code).toBe(3)
    expect((await idp(['users', 'delete', 'bob', '--yes'])).code).toBe(3)
    const { rows } = await pool.query(
      "select actor_id from audit_events where type = 'account.erased'",
    )
    expect(rows).toEqual([{ actor_id: 'night-admin' }])
  })
})
