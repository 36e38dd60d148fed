/** Roles, groups and permissions as apps are told them: by scope, by names, in every place, no longer than they hold. */
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { addMember, createGroup, removeMember } from '../../src/roles/groups.ts'
import { grantRole, revokeRole } from '../../src/roles/holders.ts'
import { createRole } from '../../src/roles/roles.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
const by = { actor: { kind: 'operator' } } as const
const api = 'https://api.example.com'
const everything = 'openid groups roles permissions offline_access'

await createApi(db, { identifier: api, scopes: ['read'] }, by)
await createRole(
  db,
  {
    name: 'editor',
    permissions: ['write:notes', 'read:notes', 'write:files:own', 'delete:notes if acr=2fa'],
  },
  by,
)
await createRole(db, { name: 'reader', permissions: ['read:notes'] }, by)
await createGroup(db, { name: 'Desk', roles: ['reader'] }, by)
const ada = await createPerson(server, { roles: ['editor'] })
await addMember(db, 'Desk', ada.id, by)
const account = { kind: 'account', id: ada.id } as const
const app = await createApp(server, { scope: everything, apis: [api] })
await createRole(db, { name: 'owner', clientId: app.id, permissions: ['own:app'] }, by)
await grantRole(db, `${app.id}/owner`, account, by)
const browser = createBrowser(server)
const told = {
  groups: ['Desk', 'editor', 'reader'],
  roles: ['editor', 'owner', 'reader', 'user'],
  permissions: ['own:app', 'read:notes', 'write:files:own', 'write:notes'],
}

test('each by its scope, in the ID token and at userinfo, without what holds under conditions alone', async () => {
  const { answer } = await authorize(browser, app, ada, { scope: everything })
  expect(decodeJwt(answer.body.id_token ?? '')).toMatchObject(told)
  expect((await app.userinfo(answer.body.access_token)).body).toMatchObject(told)
  const { answer: less } = await authorize(browser, app, ada, { scope: 'openid roles' })
  const claims = decodeJwt(less.body.id_token ?? '')
  expect(claims).toMatchObject({ roles: told.roles })
  expect(Object.keys(claims)).not.toContain('groups')
  expect(Object.keys(claims)).not.toContain('permissions')
})

test('in a JWT for an API as well, as far as it was asked for and the app was let know', async () => {
  const parameters = { scope: `${everything} read`, resource: api }
  const { request, code } = await obtainCode(browser, app, ada, parameters)
  const { body } = await app.redeem(request, code, { resource: api })
  expect(decodeJwt(body.access_token ?? '')).toMatchObject({ ...told, aud: api, scope: 'read' })
  const narrow = await app.refresh(body.refresh_token, {
    resource: api,
    scope: 'openid roles read',
  })
  const claims = decodeJwt(narrow.body.access_token ?? '')
  expect(claims).toMatchObject({ roles: told.roles })
  expect(Object.keys(claims)).not.toContain('groups')
})

test('another app hears nothing of an app’s own roles, and what it did not ask for is not in its JWT', async () => {
  const other = await createApp(server, { scope: everything, apis: [api] })
  const { answer } = await authorize(browser, other, ada, { scope: everything })
  expect(decodeJwt(answer.body.id_token ?? '')).toMatchObject({
    roles: ['editor', 'reader', 'user'],
    permissions: ['read:notes', 'write:files:own', 'write:notes'],
  })
  const plain = { scope: 'openid read', resource: api }
  const { request, code } = await obtainCode(browser, other, ada, plain)
  const { body } = await other.redeem(request, code, { resource: api })
  for (const name of ['roles', 'groups', 'permissions'])
    expect(Object.keys(decodeJwt(body.access_token ?? ''))).not.toContain(name)
})

test('by the names that the app knows', async () => {
  const claimNames = { roles: 'https://apps.example.com/roles', groups: 'member_of' }
  const named = await createApp(server, { scope: everything, claimNames })
  const { answer } = await authorize(browser, named, ada, { scope: everything })
  const claims = decodeJwt(answer.body.id_token ?? '')
  expect(claims).toMatchObject({
    'https://apps.example.com/roles': ['editor', 'reader', 'user'],
    member_of: told.groups,
  })
  expect(Object.keys(claims)).not.toContain('roles')
  expect((await named.userinfo(answer.body.access_token)).body).toMatchObject({
    member_of: told.groups,
  })
})

test.each([
  { roles: 'sub' },
  { roles: 'email' },
  { roles: 'scope' },
  { groups: 'SUB' },
  { roles: 'groups' },
  { roles: 'x', groups: 'x' },
  { roles: 'with space' },
  { roles: '__proto__' },
  { roles: '' },
  { email: 'mail' },
])('no app calls its claims %j', async (claimNames) => {
  await expect(createApp(server, { claimNames: claimNames as never })).rejects.toThrow(
    'claim_name_invalid',
  )
})

test('a token stays small: what is too much for it is named there, and told by userinfo', async () => {
  const bob = await createPerson(server)
  for (let index = 0; index < 101; index++) {
    await createGroup(db, { name: `team ${index}` }, by)
    await addMember(db, `team ${index}`, bob.id, by)
  }
  const { answer } = await authorize(createBrowser(server), app, bob, { scope: everything })
  const claims = decodeJwt(answer.body.id_token ?? '')
  expect(claims).toMatchObject({ roles: ['user'], claims_left_out: ['groups'] })
  expect(Object.keys(claims)).not.toContain('groups')
  const { body } = await app.userinfo(answer.body.access_token)
  expect(body.groups).toHaveLength(101)
  expect(Object.keys(body)).not.toContain('claims_left_out')
})

test('what is taken is gone with the next refresh, however many ask at that moment (RC-15)', async () => {
  for (let round = 0; round < rounds; round++) {
    const eve = await createPerson(server, { roles: ['editor'] })
    const holder = { kind: 'account', id: eve.id } as const
    await addMember(db, 'Desk', eve.id, by)
    const { answer } = await authorize(createBrowser(server), app, eve, { scope: everything })
    const [first] = await Promise.all([
      app.refresh(answer.body.refresh_token),
      revokeRole(db, 'editor', holder, by),
      removeMember(db, 'Desk', eve.id, by),
    ])
    const next = await app.refresh(first.body.refresh_token)
    expect(decodeJwt(next.body.id_token ?? '')).toMatchObject({ roles: ['user'], groups: [] })
    expect((await app.userinfo(next.body.access_token)).body).toMatchObject({ roles: ['user'] })
  }
})
