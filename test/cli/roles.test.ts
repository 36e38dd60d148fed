/** `idp roles`, `idp groups`, `idp access`: what people may do, and why. */
import { beforeEach, describe, expect, test } from 'vitest'
import { createAccount } from '../../src/accounts/accounts.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { url, pool, db } = await createDatabase()
const idp = createIdp(url, { SUDO_USER: 'night-admin' })

beforeEach(async () => {
  await pool.query(`begin; delete from admin_guard; delete from accounts; delete from clients;
    delete from groups; delete from roles where not built_in; commit`)
  for (const username of ['ada', 'bob']) {
    const email = `${username}@example.org`
    const address = { email, canonical: email }
    await createAccount(db, { username, passwordHash: 'hash', address }, { kind: 'operator' })
  }
})

async function done(argv: string[], surroundings = {}) {
  const ran = await idp(argv, surroundings)
  expect(ran, ran.stderr).toMatchObject({ code: 0 })
  return ran
}
const json = async (argv: string[]) => JSON.parse((await done([...argv, '--json'])).stdout)

test('a role is made, shown, changed, given, taken and ended', async () => {
  const made = await json([
    ...['roles', 'create', 'editor', '--description', 'Writes'],
    ...['--permission', 'read:notes', '--permission', 'write:notes:own  if  acr=2fa'],
  ])
  expect(made).toMatchObject({
    version: 1,
    created: true,
    role: {
      id: 'editor',
      client_id: null,
      description: 'Writes',
      permissions: ['read:notes', 'write:notes:own if acr=2fa'],
      built_in: false,
    },
  })
  expect((await idp(['roles', 'create', 'editor'])).code).toBe(4)
  expect(await json(['roles', 'create', 'editor', '--if-not-exists'])).toMatchObject({
    created: false,
  })
  const changes = ['--add-permission', 'read:files', '--remove-permission', 'read:notes']
  expect(await json(['roles', 'update', 'editor', ...changes])).toMatchObject({
    changed: ['permissions'],
    role: { permissions: ['write:notes:own if acr=2fa', 'read:files'] },
  })
  expect(await json(['roles', 'grant', 'editor', 'ada', 'bob'])).toMatchObject({
    granted: ['ada', 'bob'],
  })
  expect(await json(['roles', 'revoke', 'editor', 'bob'])).toMatchObject({ revoked: ['bob'] })
  expect(await json(['roles', 'get', 'editor'])).toMatchObject({ role: { accounts: ['ada'] } })
  expect((await json(['users', 'get', 'ada'])).user).toMatchObject({
    roles: ['editor'],
    groups: [],
  })
  expect((await idp(['roles', 'delete', 'editor'])).code).toBe(2)
  const asked = await done(['roles', 'delete', 'editor'], { terminal: { typed: 'y\n' } })
  expect(asked.stderr).toContain('1 people, 0 groups and 0 apps lose it')
  expect((await json(['users', 'get', 'ada'])).user.roles).toEqual([])
})

test('a role of an app’s own is named by both, and held by apps as well', async () => {
  await done([...['clients', 'create', 'Robot', '--preset', 'service', '--client-id', 'robot']])
  await done(['roles', 'create', 'boss', '--client', 'Robot'])
  await done(['roles', 'grant', 'boss', 'ada', '--client', 'Robot'])
  await done(['roles', 'grant', 'Robot/boss', '--to-client', 'Robot'])
  expect((await json(['roles', 'get', 'robot/boss'])).role).toMatchObject({
    client_id: 'robot',
    accounts: ['ada'],
    clients: ['robot'],
  })
  expect((await json(['roles', 'list', '--client', 'Robot'])).roles).toHaveLength(1)
  await done(['roles', 'revoke', 'robot/boss', '--from-client', 'Robot'])
  expect((await json(['roles', 'get', 'boss', '--client', 'Robot'])).role.clients).toEqual([])
})

test('a group holds people and roles', async () => {
  await done(['roles', 'create', 'editor'])
  await done(['groups', 'create', 'Finance', '--role', 'editor'])
  expect(await json(['groups', 'add', 'finance', 'ada', 'bob'])).toMatchObject({
    group: 'Finance',
    added: ['ada', 'bob'],
  })
  expect(await json(['groups', 'remove', 'Finance', 'bob'])).toMatchObject({ removed: ['bob'] })
  expect((await json(['groups', 'get', 'Finance'])).group).toMatchObject({
    roles: ['editor'],
    accounts: ['ada'],
    members: 1,
  })
  expect((await done(['users', 'get', 'ada'])).stdout).toContain('editor (by Finance)')
  expect(
    await json([
      'groups',
      'update',
      'Finance',
      '--remove-role',
      'editor',
      '--description',
      'Money',
    ]),
  ).toMatchObject({ changed: ['description', 'roles'] })
  expect((await json(['groups', 'list'])).groups).toMatchObject([{ name: 'Finance', roles: [] }])
  await done(['groups', 'delete', 'Finance', '--yes'])
  expect((await idp(['groups', 'get', 'Finance'])).code).toBe(3)
})

describe('a check says why', () => {
  beforeEach(async () => {
    await done([
      ...['roles', 'create', 'editor', '--permission', 'write:notes:own'],
      ...['--permission', 'delete:notes if acr=2fa and address=10.0.0.0/8'],
    ])
    await done(['groups', 'create', 'Desk', '--role', 'editor'])
    await done(['groups', 'add', 'Desk', 'ada'])
  })

  test.each([
    [['write', 'notes:7', '--owner', 'ada'], 0, 'editor (by Desk): write:notes:own'],
    [['write', 'notes:7', '--owner', 'bob'], 5, 'not met: own'],
    [['delete', 'notes:7', '--acr', '2fa'], 5, 'not met: address'],
    [['delete', 'notes:7', '--acr', 'phr', '--address', '10.1.1.1'], 0, 'editor'],
    [['read', 'files'], 5, 'No role of theirs speaks of read on files.'],
  ])('%j', async (question, code, words) => {
    const ran = await idp(['access', 'check', 'ada', ...question])
    expect(ran.code).toBe(code)
    expect(ran.stdout).toContain(words)
  })

  test('of an account that is switched off: it holds nothing', async () => {
    await done(['users', 'disable', 'ada'])
    const ran = await idp(['access', 'check', 'ada', 'write', 'notes', '--owner', 'ada'])
    expect(ran).toMatchObject({ code: 5 })
    expect(ran.stdout).toContain('disabled')
  })

  test('to programs as JSON', async () => {
    const ran = await idp(['access', 'check', 'ada', 'delete', 'notes', '--json'])
    expect(JSON.parse(ran.stdout)).toEqual({
      version: 1,
      allowed: false,
      because: [
        {
          role: 'editor',
          permission: 'delete:notes if acr=2fa and address=10.0.0.0/8',
          lacks: ['acr', 'address'],
        },
      ],
    })
  })
})

test('what is refused says how to go on, by its exit code', async () => {
  await done(['roles', 'create', 'editor'])
  await done(['roles', 'grant', 'admin', 'ada'])
  const codes = [
    [['roles', 'get', 'editr'], 3],
    [['groups', 'get', 'nobody'], 3],
    [['roles', 'grant', 'editor', 'nobody'], 3],
    [['roles', 'grant', 'editor'], 2],
    [['roles', 'update', 'editor'], 2],
    [['roles', 'create', 'Editor!'], 5],
    [['roles', 'create', 'more', '--permission', 'everything'], 5],
    [['roles', 'delete', 'admin', '--yes'], 5],
    [['roles', 'revoke', 'admin', 'ada'], 5],
    [['users', 'disable', 'ada'], 5],
    [['roles', 'grant', 'user', 'ada'], 5],
    [['access', 'check', 'ada', 'read', 'notes', '--time', 'soon'], 2],
  ] as const
  for (const [argv, code] of codes) {
    const ran = await idp([...argv])
    expect(ran, argv.join(' ')).toMatchObject({ code })
  }
  expect((await idp(['roles', 'get', 'editr'])).stderr).toContain('Did you mean editor?')
  expect((await idp(['roles', 'revoke', 'admin', 'ada'])).stderr).toMatch(/admin/)
  expect((await json(['users', 'get', 'ada'])).user).toMatchObject({
    roles: ['admin'],
    status: 'active',
  })
})

test('an app says whom it lets in and how it calls what it is told, and takes it back', async () => {
  await done(['roles', 'create', 'staff'])
  await done(['groups', 'create', 'Finance'])
  const cloud = ['clients', 'create', 'Cloud', '--preset', 'generic', '--client-id', 'cloud']
  await done([...cloud, '--redirect-uri', 'https://cloud.example.org/cb'])
  await done(['roles', 'create', 'owner', '--client', 'Cloud'])
  const access = ['--allow-role', 'staff', '--allow-role', 'owner', '--allow-group', 'finance']
  const changed = await json([
    ...['clients', 'update', 'Cloud', ...access],
    ...['--claim-name', 'roles=https://cloud.example.org/roles', '--claim-name', 'groups=teams'],
  ])
  expect(changed).toMatchObject({
    changed: ['claim_names', 'access'],
    client: {
      allowed_roles: ['cloud/owner', 'staff'],
      allowed_groups: ['Finance'],
      claim_names: { roles: 'https://cloud.example.org/roles', groups: 'teams' },
    },
  })
  expect((await done(['clients', 'get', 'Cloud'])).stdout).toContain('who is in the group Finance')
  expect((await idp(['roles', 'delete', 'staff', '--yes'])).code).toBe(4)
  for (const [argv, code] of [
    [['--claim-name', 'roles=sub'], 5],
    [['--claim-name', 'roles'], 5],
    [['--allow-role', 'nothing'], 3],
    [['--allow-group', 'nobody'], 3],
  ] as const)
    expect((await idp(['clients', 'update', 'Cloud', ...argv])).code).toBe(code)
  const open = ['--no-allow-role', '--no-allow-group', '--no-claim-name']
  const { client } = await json(['clients', 'update', 'Cloud', ...open])
  expect(client).not.toHaveProperty('allowed_roles')
  expect(client).not.toHaveProperty('claim_names')
})

test('the permissions that are known: those of the admin API, and those of roles', async () => {
  await done(['roles', 'create', 'clerk', '--permission', 'read:accounts', '--permission', 'a:b'])
  const { permissions } = await json(['permissions', 'list'])
  expect(permissions).toContainEqual({ permission: 'a:b', operations: [], roles: ['clerk'] })
  expect(permissions).toContainEqual({
    permission: 'read:accounts',
    operations: expect.arrayContaining(['accounts.list', 'accounts.get']),
    roles: ['clerk'],
  })
  expect((await done(['permissions', 'list', '--quiet'])).stdout.split('\n')).toContain('a:b')
})
