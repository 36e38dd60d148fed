/** Exports of Keycloak, Logto and Authelia as their documentation shows them, with hashes of a password that we know. */
import { pbkdf2Sync } from 'node:crypto'
import { hashRawSync, hashSync } from '@node-rs/argon2'
import { beforeEach, describe, expect, test } from 'vitest'
import { createPasswordHasher } from '../../src/credentials/password-hasher.ts'
import { readItems } from '../../src/moving/json-items.ts'
import { createIdp } from '../cli/support.ts'
import { createDatabase } from '../support/database.ts'

const { pool, url } = await createDatabase()
const idp = createIdp(url, { ISSUER: 'https://id.example.org' })
const hasher = createPasswordHasher({ slots: 1, maxWaitMs: 60_000 })
const password = 'a long and quiet river'
const salt = Buffer.from('RaXjs4RiUKgJGkX6kp277w==', 'base64')

beforeEach(async () => {
  await pool.query('truncate accounts, audit_events cascade')
})

const put = async (stdin: string, ...flags: string[]) => {
  const { stdout, ...ran } = await idp(['users', 'import', '-', '--json', ...flags], { stdin })
  return { ...ran, result: stdout ? JSON.parse(stdout).import : undefined }
}
const everybody = async () => (await pool.query('select * from accounts order by username')).rows
const opens = (hash: string) => hasher.verify(hash, password)

describe('Keycloak', () => {
  const argon = { memoryCost: 7168, timeCost: 5, parallelism: 1, outputLen: 32 }
  const credential = (secret: object, data: object) => ({
    id: 'c3f3759e-9d8a-4628-aad9-09e66f28a4e2',
    type: 'password',
    userLabel: 'My password',
    createdDate: 1693888572700,
    secretData: JSON.stringify({ ...secret, additionalParameters: {} }),
    credentialData: JSON.stringify(data),
  })
  const pbkdf2 = (algorithm: string, digest: string, length: number) =>
    credential(
      {
        value: pbkdf2Sync(password, salt, 2750, length, digest).toString('base64'),
        salt: salt.toString('base64'),
      },
      { hashIterations: 2750, algorithm, additionalParameters: {} },
    )
  const user = (username: string, credentials: object[], more: object = {}) => ({
    id: `826731b2-bf17-4bd9-b45c-6a26c76dda${String(username.length).padStart(2, '0')}`,
    createdTimestamp: 1693887631918,
    username,
    enabled: true,
    totp: false,
    emailVerified: true,
    firstName: 'John',
    lastName: 'Doe',
    email: `${username}@mail.com`,
    credentials,
    disableableCredentialTypes: [],
    requiredActions: [],
    realmRoles: ['admin', 'default-roles-my-realm'],
    notBefore: 0,
    groups: ['/staff'],
    ...more,
  })
  const realm = (...users: object[]) =>
    JSON.stringify(
      {
        id: 'my-realm',
        roles: { realm: [{ name: 'admin', users: [{ username: 'nobody' }] }] },
        users,
        clients: [{ clientId: 'account', users: [{ username: 'neither' }] }],
      },
      null,
      2,
    )

  test('each of its hashes opens the account; ids and dates stay, its roles do not', async () => {
    const argon2 = credential(
      {
        value: hashRawSync(password, { ...argon, salt }).toString('base64'),
        salt: salt.toString('base64'),
      },
      {
        hashIterations: 5,
        algorithm: 'argon2',
        additionalParameters: {
          hashLength: ['32'],
          memory: ['7168'],
          type: ['id'],
          version: ['1.3'],
          parallelism: ['1'],
        },
      },
    )
    const file = realm(
      user('a', [
        { type: 'otp', secretData: '{}', credentialData: '{}' },
        pbkdf2('pbkdf2-sha256', 'sha256', 64),
      ]),
      user('bb', [pbkdf2('pbkdf2-sha512', 'sha512', 64)], {
        enabled: false,
        attributes: { locale: ['de'] },
      }),
      user('ccc', [pbkdf2('pbkdf2', 'sha1', 64)]),
      user('dddd', [argon2]),
      user('service-account-x', [], { serviceAccountClientId: 'x', email: undefined }),
      user('eeeee', []),
    )
    const { code, stderr, result } = await put(file, '--from', 'keycloak')
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 have no password')])
    expect(result).toMatchObject({ read: 5, imported: 5 })
    const people = await everybody()
    for (const { username, password_hash: hash } of people.slice(0, 4))
      expect([username, await opens(hash)]).toEqual([username, true])
    expect(people[0]).toMatchObject({
      id: '826731b2-bf17-4bd9-b45c-6a26c76dda01',
      name: 'John Doe',
      given_name: 'John',
      created_at: new Date(1693887631918),
    })
    expect(people[1]).toMatchObject({ status: 'disabled', locale: 'de' })
    expect((await pool.query('select role from account_roles')).rows).toEqual([])
    expect((await put(file, '--from', 'keycloak')).result).toMatchObject({
      imported: 0,
      already_here: 5,
    })
  })

  test('an unproven address, a strange name and a strange hash are told by the line they begin on', async () => {
    const file = realm(
      user('a', [], { emailVerified: false }),
      user('Bb@mail.com', [], { email: 'bb@mail.com' }),
      user('ccc', [
        credential({ value: 'x', salt: 'y' }, { hashIterations: 1, algorithm: 'md5-crypt' }),
      ]),
      user('dddd', [pbkdf2('pbkdf2-sha256', 'sha256', 64), {}]),
    )
    const { code, result } = await put(file, '--from', 'keycloak')
    const lines = file.split('\n')
    expect([code, result.imported]).toEqual([5, 1])
    expect(result.problems.map(({ field }: { field: string }) => field)).toEqual([
      'email_verified',
      'username',
      'password_hash',
    ])
    for (const { line } of result.problems) expect(lines[line - 1]).toBe('    {')
    const again = await put(file, '--from', 'keycloak', '--vouch', '--mend-usernames')
    expect(again.result).toMatchObject({ imported: 2, invalid: 1 })
    expect((await everybody()).map(({ username }) => username)).toEqual(['a', 'bb', 'dddd'])
  })
})

describe('Logto', () => {
  const row = (id: string, hash: string | null, method: string | null, more: object = {}) => ({
    tenant_id: 'default',
    id,
    username: id,
    primary_email: `${id}@example.org`,
    primary_phone: '447700900123',
    password_encrypted: hash,
    password_encryption_method: method,
    name: 'Ada Lovelace',
    profile: {},
    custom_data: {},
    is_suspended: false,
    created_at: '2024-05-06T07:08:09.123+00:00',
    ...more,
  })
  const legacy = JSON.stringify([
    'pbkdf2',
    ['salt', '1000', '20', 'sha512', '@'],
    pbkdf2Sync(password, 'salt', 1000, 20, 'sha512').toString('hex'),
  ])
  const rows = [
    row('first', hashSync(password, { algorithm: 0, memoryCost: 4096, timeCost: 3 }), 'Argon2i'),
    row('second', legacy, 'Legacy', { is_suspended: true }),
    row('third', null, null, { profile: { givenName: 'Ada', familyName: 'King' } }),
    row('fourth', '5f4dcc3b5aa765d61d8327deb882cf99', 'MD5'),
  ]

  test.each([
    ['an object on each line', rows.map((one) => JSON.stringify(one)).join('\n')],
    ['an array', JSON.stringify(rows, null, 1)],
    [
      'its own spelling',
      JSON.stringify(
        rows.map((one) =>
          Object.fromEntries(
            Object.entries(one).map(([name, value]) => [
              name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()),
              value,
            ]),
          ),
        ),
      ),
    ],
  ])('rows of its table come in as %s; a plain digest is told', async (_, file) => {
    const { code, result } = await put(file, '--from', 'logto')
    expect([code, result.imported]).toEqual([5, 3])
    expect(result.problems).toMatchObject([{ field: 'password_hash' }])
    const [first, second, third] = await everybody()
    expect(first).toMatchObject({
      username: 'first',
      phone_number: '+447700900123',
      status: 'active',
    })
    expect(second.status).toBe('disabled')
    expect([await opens(first.password_hash), await opens(second.password_hash)]).toEqual([
      true,
      true,
    ])
    expect(third).toMatchObject({ given_name: 'Ada', family_name: 'King', password_hash: null })
    expect((await put(file, '--from', 'logto')).result).toMatchObject({
      imported: 0,
      already_here: 3,
    })
  })
})

describe('Authelia', () => {
  const file = `---
users:
  john:
    disabled: false
    displayname: 'John Doe'
    password: '${hashSync(password, { memoryCost: 4096 })}'
    email: 'john.doe@example.com'
    groups:
      - 'admins'
      - 'dev'
  harry:
    disabled: true
    displayname: 'Harry Potter'
    given_name: 'Harry James'
    password: '$pbkdf2-sha512$310000$c8p78n7pUMln0jzvd4aK4Q$JNRBzwAo0ek5qKn50cFzzvE9RXV88h1wJn5KGiHrD0YKtZaR/nCb2CJPOsKaPK0hjf.9yHxzQGZziziccp6Yng'
    email: 'harry.potter@example.com'
  james:
    displayname: 'James Dean'
    password: '{CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1'
`
  test('its file comes in, and again without a change', async () => {
    const { code, result } = await put(file, '--from', 'authelia')
    expect([code, result.imported]).toEqual([5, 2])
    expect(result.problems).toMatchObject([{ line: 3, field: 'email' }])
    const [harry, john] = await everybody()
    expect(harry).toMatchObject({
      status: 'disabled',
      name: 'Harry Potter',
      given_name: 'Harry James',
    })
    expect(await opens(john.password_hash)).toBe(true)
    expect(await hasher.verify(harry.password_hash, 'insecure_secret')).toBe(true)
    expect((await put(file, '--from', 'authelia')).result.already_here).toBe(2)
  })

  test.each([
    ['users: [a, b', 'no YAML'],
    ['accounts: {}', 'no “users”'],
    ['users: 3', 'no “users”'],
    [`users: ${'['.repeat(200_000)}`, 'It '],
    [
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
        .split('')
        .map(
          (name, index) => `${name}: &${name} [${`*${'abcdefgh'[index]},`.repeat(9).slice(0, -1)}]`,
        )
        .join('\n')}\nusers: {x: *i}`,
      'refers to itself',
    ],
  ])('what is no such file is refused whole: %.30s', async (text, words) => {
    const { code, stderr } = await put(text, '--from', 'authelia')
    expect([code, stderr.includes(words)]).toEqual([2, true])
  })
})

test('elements are found however the document is cut into pieces, and too long ones are told', async () => {
  const text = `{"a":"users\\"","x":{"users":[{"n":0}]},"users" : [ {"n":1,"s":"]}\\\\"},\n{"n":{"users":[{"n":2}]}}, 7, {"long":"${'x'.repeat(270_000)}"},{"n":3}], "other":[{"n":4}]}`
  async function* cut(size: number) {
    for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size))
  }
  for (const size of [1, 7, 1_000_000]) {
    const found = []
    for await (const item of readItems(cut(size), 'users')) found.push(item)
    expect(found.map((item) => item.text)).toEqual([
      '{"n":1,"s":"]}\\\\"}',
      '{"n":{"users":[{"n":2}]}}',
      undefined,
      '{"n":3}',
    ])
    expect(found.map((item) => item.number)).toEqual([1, 2, 2, 2])
  }
})
