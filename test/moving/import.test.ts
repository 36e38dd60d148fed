/** Importing accounts: what a line may say, what happens to those that say something else, and running it again. */
import { beforeEach, describe, expect, test } from 'vitest'
import { importAccounts } from '../../src/moving/import-accounts.ts'
import { readEntries } from '../../src/moving/sources.ts'
import { createIdp } from '../cli/support.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'
import { fileOf, head, lineOf } from './people.ts'

const { db, pool, url } = await createDatabase()
const idp = createIdp(url, { ISSUER: 'https://id.example.org', SUDO_USER: 'night-admin' })
const bcrypt = '$2b$12$R9h/cIPz0gi.YJJFsRyuPOYfGJTCGijPylCPvmFbzXuKJ5Xo1GZ6u'

await idp(['roles', 'create', 'reader'])
await idp(['roles', 'create', 'third'])
await idp(['groups', 'create', 'Staff'])

beforeEach(async () => {
  await pool.query('truncate accounts, audit_events cascade')
})

const put = async (stdin: string, ...flags: string[]) => {
  const ran = await idp(['users', 'import', '-', '--json', ...flags], { stdin })
  return {
    code: ran.code,
    stderr: ran.stderr,
    result: ran.stdout ? JSON.parse(ran.stdout).import : undefined,
  }
}
const everybody = async () => (await pool.query('select * from accounts order by username')).rows

describe('a line', () => {
  test('brings everything that an account has', async () => {
    const { code, result, stderr } = await put(
      fileOf(
        lineOf('ada', {
          id: '01950000-0000-7000-8000-000000000001',
          name: 'Ada Lovelace',
          given_name: 'Augusta Ada',
          family_name: 'King',
          locale: 'en',
          zoneinfo: 'Europe/London',
          phone_number: '+44 20 7946 0000',
          phone_number_verified: true,
          address: { locality: 'London', country: 'UK' },
          status: 'disabled',
          disabled_reason: 'ticket 4711',
          roles: ['admin', 'user'],
          groups: ['Staff'],
          password_hash: bcrypt,
          created_at: '2020-02-03T04:05:06Z',
        }),
      ),
    )
    expect([code, stderr]).toEqual([0, expect.stringContaining('Imported 1 of 1')])
    expect(result).toMatchObject({ imported: 1, already_here: 0, invalid: 0, without_password: 0 })
    const [ada] = await everybody()
    expect(ada).toMatchObject({
      id: '01950000-0000-7000-8000-000000000001',
      username: 'ada',
      status: 'disabled',
      disabled_reason: 'ticket 4711',
      email_canonical: 'ada@example.org',
      name: 'Ada Lovelace',
      given_name: 'Augusta Ada',
      family_name: 'King',
      phone_number: '+442079460000',
      address: { locality: 'London', country: 'UK' },
      password_hash: bcrypt,
      created_at: new Date('2020-02-03T04:05:06Z'),
    })
    const held = await pool.query(
      'select role, group_name from account_roles natural join group_members',
    )
    expect(held.rows).toEqual([{ role: 'admin', group_name: 'Staff' }])
    const { rows } = await pool.query(
      'select type, actor_id, account_id, detail from audit_events order by id',
    )
    expect(rows).toEqual([
      {
        type: 'account.imported',
        actor_id: 'night-admin',
        account_id: ada.id,
        detail: { username: 'ada', from: 'idp' },
      },
      {
        type: 'accounts.imported',
        actor_id: 'night-admin',
        account_id: null,
        detail: { accounts: 1, from: 'idp' },
      },
    ])
  })

  test.each([
    ['username', lineOf('Ada L')],
    ['email', lineOf('ada', { email: 'nowhere' })],
    ['email', lineOf('ada', { email: null })],
    ['email_verified', lineOf('ada', { email_verified: false })],
    ['name', lineOf('ada', { name: 'A\u202eda' })],
    ['phone_number', lineOf('ada', { phone_number: 'call me' })],
    ['password_hash', lineOf('ada', { password_hash: 'hunter2' })],
    [
      'password_hash',
      lineOf('ada', { password_hash: `$6$rounds=999999999$salt$${'a'.repeat(86)}` }),
    ],
    [
      'password_hash',
      lineOf('ada', {
        password_hash: '$argon2id$v=19$m=4194304,t=99,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA',
      }),
    ],
    ['roles.0', lineOf('ada', { roles: ['Dr. No\u001b[2J'] })],
    ['roles', lineOf('ada', { roles: ['nowhere'] })],
    ['groups', lineOf('ada', { groups: ['nowhere'] })],
    ['disabled_reason', lineOf('ada', { disabled_reason: 'a\0b' })],
    ['created_at', lineOf('ada', { created_at: '2999-01-01T00:00:00Z' })],
    ['is_root', JSON.stringify({ ...JSON.parse(lineOf('ada')), is_root: true })],
    ['line', 'ada,ada@example.org'],
    ['line', '[1]'],
    ['line', 'null'],
    ['line', lineOf('ada', { name: 'x'.repeat(300_000) })],
    ['passkey_handle', lineOf('ada', { passkeys: [passkeyOf('id.example.org')] })],
  ])(
    'whose %s is wrong is told by number and field, and the others are in',
    async (field, line) => {
      const { code, result } = await put(fileOf(lineOf('first'), line, lineOf('last')))
      expect(code).toBe(5)
      expect(result).toMatchObject({ read: 3, imported: 2, invalid: 1 })
      expect(result.problems[0]).toMatchObject({ file: '-', line: 3, field })
      expect(result.problems[0].message.length).toBeLessThan(120)
      expect((await everybody()).map(({ username }) => username)).toEqual(['first', 'last'])
    },
  )

  test('holds no message for the terminal: what it says is not repeated there', async () => {
    const { stderr } = await idp(['users', 'import', '-'], {
      stdin: fileOf(JSON.stringify({ username: 'ada', '\u001b[2J': 1 })),
    })
    expect(stderr).not.toContain('\u001b')
  })
})

describe('running it again', () => {
  test('changes nothing, and adds who is new', async () => {
    const file = fileOf(lineOf('ada', { password_hash: bcrypt, roles: ['admin'] }), lineOf('bob'))
    expect((await put(file)).result.imported).toBe(2)
    await pool.query(
      "update accounts set password_hash = 'newer', name = 'Countess'  where username = 'ada'",
    )
    const before = await everybody()
    const again = await put(`${file}${lineOf('eve')}\n`)
    expect([again.code, again.result.imported, again.result.already_here]).toEqual([0, 1, 2])
    expect((await everybody()).slice(0, 2)).toEqual(before)
  })

  test('two at once bring everybody once', async () => {
    const file = fileOf(
      ...Array.from({ length: 50 }, (_, index) =>
        lineOf(`person${index + 2}x`, { roles: ['admin'] }),
      ),
    )
    const both = await Promise.all([put(file), put(file)])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(both.reduce((sum, { result }) => sum + result.imported, 0)).toBe(50)
    const { rows } = await pool.query('select count(*)::int from account_roles')
    expect([(await everybody()).length, rows[0].count]).toEqual([50, 50])
  })
})

describe('somebody else', () => {
  test('of that name, that look or that address is left alone, and told or passed over', async () => {
    await put(fileOf(lineOf('ada'), lineOf('bob')))
    const file = fileOf(
      lineOf('ada', { id: '01950000-0000-7000-8000-00000000000a', email: 'other@example.org' }),
      lineOf('b0b', { email: 'b0b@example.org' }),
      lineOf('eve', { email: 'ADA@example.org' }),
      lineOf('dan'),
    )
    const failed = await put(file)
    expect([failed.code, failed.result.conflicts, failed.result.imported]).toEqual([4, 3, 1])
    expect(failed.result.problems).toMatchObject([
      { line: 2, field: 'username' },
      { line: 3, field: 'username' },
      { line: 4, field: 'email' },
    ])
    const skipped = await put(file, '--on-conflict', 'skip')
    expect([skipped.code, skipped.result.conflicts, skipped.result.problems]).toEqual([0, 3, []])
    expect((await everybody()).map(({ username }) => username)).toEqual(['ada', 'bob', 'dan'])
  })

  test('twice in one file: what belongs to the second goes to nobody', async () => {
    const id = '01950000-0000-7000-8000-00000000000b'
    await put(fileOf(lineOf('taken')))
    const { result } = await put(
      fileOf(
        lineOf('ada', { id, email: 'taken@example.org', roles: ['admin'] }),
        lineOf('ada', { id, roles: ['reader'] }),
        lineOf('ada', { id, email: 'third@example.org', roles: ['third'] }),
      ),
    )
    expect(result.imported).toBe(1)
    const { rows } = await pool.query('select role from account_roles')
    expect(rows).toEqual([{ role: 'reader' }])
  })
})

test('a dry run says the same and changes nothing', async () => {
  await put(fileOf(lineOf('ada')))
  const file = fileOf(
    lineOf('ada'),
    lineOf('bob'),
    lineOf('bob'),
    lineOf('b0b', { email: 'x@example.org' }),
    lineOf('Eve'),
  )
  await pool.query('truncate audit_events')
  const dry = await put(file, '--dry-run')
  expect(dry.result).toMatchObject({
    dry_run: true,
    imported: 1,
    already_here: 2,
    conflicts: 1,
    invalid: 1,
  })
  expect((await everybody()).length).toBe(1)
  expect((await pool.query('select 1 from audit_events')).rows).toEqual([])
  const real = await put(file)
  for (const key of ['imported', 'already_here', 'conflicts', 'invalid'])
    expect(real.result[key]).toBe(dry.result[key])
})

test('--mend-usernames and --vouch take what is refused otherwise', async () => {
  const file = fileOf(
    lineOf('Ada.L', { email: 'ada@example.org' }),
    lineOf('bob', { email_verified: false }),
  )
  expect((await put(file)).result).toMatchObject({ imported: 0, invalid: 2 })
  expect((await put(file, '--mend-usernames', '--vouch')).result).toMatchObject({ imported: 2 })
  expect((await everybody()).map(({ username }) => username)).toEqual(['ada_l', 'bob'])
})

function passkeyOf(domain: string) {
  return {
    credential_id: 'AAECAwQ',
    public_key: 'A'.repeat(100),
    counter: 3,
    transports: ['internal'],
    backup_eligible: true,
    backed_up: true,
    aaguid: '00000000-0000-0000-0000-000000000000',
    domain,
    name: 'phone',
    created_at: '2025-01-01T00:00:00.000Z',
  }
}

test('passkeys come along where their domain is this one, and come out as they went in', async () => {
  const handle = 'B'.repeat(43)
  const there = { ...passkeyOf('elsewhere.example'), credential_id: 'AQIDBAU' }
  const { result } = await put(
    fileOf(
      lineOf('ada', { passkey_handle: handle, passkeys: [passkeyOf('id.example.org'), there] }),
    ),
  )
  expect(result).toMatchObject({ imported: 1, passkeys: 1, passkeys_left_out: 1 })
  const { stdout, stderr } = await idp(['users', 'export', '-'])
  const [first, line] = stdout
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text))
  expect(first).toMatchObject({ version: 1, format: 'idp.accounts', hashes: false })
  expect(line).toMatchObject({ passkeys: [passkeyOf('id.example.org')] })
  expect(Buffer.from(line.passkey_handle, 'base64url')).toEqual(Buffer.from(handle, 'base64url'))
  expect(line).not.toHaveProperty('password_hash')
  expect(stderr).toContain('Exported 1')
})

test.each([
  ['', 'nothing in it'],
  [lineOf('ada'), 'first line'],
  ['{"version":2,"format":"idp.accounts"}\n', 'version 2'],
  ['\u0000\u0001', 'first line'],
])('a file that is none is refused whole: %j', async (stdin, words) => {
  const { code, stderr } = await put(stdin)
  expect([code, stderr.includes(words)]).toEqual([2, true])
})

test('any number of accounts takes little memory, and a bar on a terminal', async () => {
  const people = rounds >= 100 ? 100_000 : 1000
  // No two of these look alike.
  const nameOf = (index: number) =>
    index.toString(16).replace(/\d/g, (digit) => 'ghijkpqstu'[Number(digit)] ?? '')
  async function* file() {
    yield `${head}\n`
    for (let index = 0; index < people; index++)
      yield `${lineOf(nameOf(index), { password_hash: bcrypt })}\n`
  }
  const held: number[] = []
  const done: number[] = []
  const options = {
    actor: { kind: 'operator' as const },
    source: 'idp',
    passkeyDomain: '',
    onConflict: 'skip' as const,
    onProblem: () => {},
    onProgress: (read: number) => {
      done.push(read)
      if (read % 1000 !== 0) return
      globalThis.gc?.()
      held.push(process.memoryUsage().heapUsed)
    },
  }
  const { imported, read } = await importAccounts(db, readEntries('idp', file()), options)
  expect([read, imported]).toEqual([people, people])
  expect(done).toEqual(done.toSorted((a, b) => a - b))
  expect((held.at(-1) ?? 0) - (held[0] ?? 0)).toBeLessThan(64 * 1024 * 1024)

  const { stderr } = await idp(['users', 'import', '-', '--on-conflict', 'skip'], {
    terminal: { typed: fileOf(lineOf('last_one')) },
  })
  expect(stderr).toMatch(/\r.*accounts/)
})
