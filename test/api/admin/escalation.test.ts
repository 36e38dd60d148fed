/** Nobody makes themselves more than they are by the admin API (AD-03), and what is secret is told once (AD-04, AD-06). */
import { describe, expect, test } from 'vitest'
import { addMember } from '../../../src/roles/groups.ts'
import { grantRole } from '../../../src/roles/holders.ts'
import { createRole } from '../../../src/roles/roles.ts'
import { auditOf } from '../../support/audit.ts'
import { giveAuthenticator } from '../../support/factors.ts'
import { createApp } from '../../support/relying-party.ts'
import { createWorld, makeGroup, makeRole, operator, type Told } from './world.ts'

const world = await createWorld()
const { db, call, asAdmin, admin, somebody, fresh } = world
const helper = await world.holder(
  ...['accounts', 'clients', 'roles', 'groups', 'apis', 'invites', 'sessions'].flatMap((type) => [
    `read:${type}`,
    `write:${type}`,
  ]),
)
const outcome = ({ status, body }: Told) => [status, body?.code]
const tooMuch = [403, 'grants_more_than_held']
const tryAll = async (path: string, method = 'patch', body?: unknown) => {
  const headers = { 'if-match': '*' }
  return outcome(await call(method, path, { token: helper.token, body, headers }))
}

describe('somebody with some permissions', () => {
  test('gives themselves and others no role that allows more, directly or by a group', async () => {
    const friend = await somebody()
    const group = await makeGroup(world)
    await addMember(db, group, helper.id, operator)
    for (const { id } of [helper, friend]) {
      expect(await tryAll(`/accounts/${id}/roles/admin`, 'put')).toEqual(tooMuch)
    }
    expect(await tryAll(`/groups/${group}`, 'patch', { roles: ['admin'] })).toEqual(tooMuch)
    expect(await tryAll('/groups', 'post', { name: fresh('G'), roles: ['admin'] })).toEqual(tooMuch)
    const made = { username: fresh('u'), email: 'u@example.org', email_verified: true }
    expect(await tryAll('/accounts', 'post', { ...made, roles: ['admin'] })).toEqual(tooMuch)
    expect((await asAdmin('get', `/accounts?username=${made.username}`)).body.items).toEqual([])
    const admins = await makeGroup(world)
    await asAdmin('patch', `/groups/${admins}`, {
      body: { roles: ['admin'] },
      headers: { 'if-match': '*' },
    })
    expect(await tryAll(`/groups/${admins}/members/${helper.id}`, 'put')).toEqual(tooMuch)
    expect(await tryAll(`/accounts/${helper.id}/groups/${admins}`, 'put')).toEqual(tooMuch)
  })

  test('makes no role of it either, and their own no wider', async () => {
    for (const permissions of [['*:*'], ['read:keys'], ['*:accounts'], ['write:settings:own']]) {
      expect(await tryAll(`/roles/${helper.role}`, 'patch', { permissions })).toEqual(tooMuch)
      expect(await tryAll('/roles', 'post', { name: fresh('r'), permissions })).toEqual(tooMuch)
    }
    expect(await tryAll('/roles/user', 'patch', { permissions: ['*:*'] })).toEqual(tooMuch)
    const given = { name: fresh('r'), permissions: ['read:accounts'] }
    expect((await tryAll('/roles', 'post', given))[0]).toBe(201)
  })

  test('touches nobody who holds more: no name, no factor, no link, no end', async () => {
    const off = await somebody(['admin'])
    await asAdmin('patch', `/accounts/${off.id}`, {
      body: { status: 'disabled' },
      headers: { 'if-match': '*' },
    })
    for (const { id } of [admin, off]) {
      expect(await tryAll(`/accounts/${id}`, 'patch', { name: 'X' })).toEqual(tooMuch)
      expect(await tryAll(`/accounts/${id}`, 'patch', { status: 'active' })).toEqual(tooMuch)
      expect(await tryAll(`/accounts/${id}?at_once=true`, 'delete')).toEqual(tooMuch)
      for (const act of ['factors-reset', 'password-reset']) {
        expect(await tryAll(`/accounts/${id}/${act}`, 'post')).toEqual(tooMuch)
      }
      expect(await tryAll(`/accounts/${id}/recovery-link`, 'post', {})).toEqual(tooMuch)
    }
    const plain = await somebody()
    expect((await tryAll(`/accounts/${plain.id}/factors-reset`, 'post'))[0]).toBe(200)
    await addMember(db, await makeGroup(world), plain.id, operator)
    // What apps know by the name of a group would be the helper's as well.
    expect(await tryAll(`/accounts/${plain.id}/recovery-link`, 'post', {})).toEqual(tooMuch)
  })

  test('takes over no app that holds more, or by which admins act', async () => {
    const service = await createApp(world.server, { preset: 'service', scope: 'access:evaluate' })
    const held = await createApp(world.server)
    await grantRole(db, 'admin', { kind: 'client', id: held.id }, operator)
    for (const { id } of [service, held, world.app]) {
      expect(await tryAll(`/clients/${id}/secret`, 'post', {})).toEqual(tooMuch)
      const uris = { redirect_uris: ['https://thief.example/cb'] }
      expect(await tryAll(`/clients/${id}`, 'patch', uris)).toEqual(tooMuch)
      expect(await tryAll(`/clients/${id}`, 'delete')).toEqual(tooMuch)
    }
    const named = await createApp(world.server)
    const nothing = { kind: 'client', id: named.id } as const
    await grantRole(db, await makeRole(world, []), nothing, operator)
    expect(await tryAll(`/clients/${named.id}/secret`, 'post', {})).toEqual(tooMuch)
    const plain = await createApp(world.server)
    for (const scope of ['openid admin:write', 'openid account', 'access:evaluate']) {
      expect(await tryAll(`/clients/${plain.id}`, 'patch', { scope })).toEqual(tooMuch)
      const made = { client_name: fresh('Thief '), preset: 'generic', scope }
      const body = { ...made, redirect_uris: ['https://thief.example/cb'] }
      expect(await tryAll('/clients', 'post', body)).toEqual(tooMuch)
    }
    expect(await tryAll(`/clients/${plain.id}/roles/admin`, 'put')).toEqual(tooMuch)
    const { body } = await asAdmin('get', `/clients/${plain.id}`)
    expect(body).toMatchObject({ roles: [], apis: [] })
    expect(body.scope).not.toContain('admin')
    expect((await tryAll(`/clients/${plain.id}/secret`, 'post', {}))[0]).toBe(200)
  })
})

test('whoever says for us who somebody is, is chosen by whoever may everything', async () => {
  const { token } = await world.holder('read:providers', 'write:providers')
  const id = fresh('p')
  const body = { id, preset: 'google', client_id: 'us', client_secret: 'secret' }
  const made = { client_id: 'us', client_secret: 's3cret-of-ours' }
  expect(outcome(await call('post', '/providers', { token, body }))).toEqual(tooMuch)
  const stored = await asAdmin('post', '/providers', { body: { ...body, ...made } })
  expect(stored.status).toBe(201)
  const headers = { 'if-match': '*' }
  for (const [method, change] of [
    ['patch', { trust_email: true }],
    ['delete', undefined],
  ] as const) {
    const answer = await call(method, `/providers/${id}`, { token, headers, body: change })
    expect(outcome(answer)).toEqual(tooMuch)
  }
  const seen = [
    stored,
    await asAdmin('get', `/providers/${id}`),
    await asAdmin('get', '/providers'),
  ]
  const trail = await auditOf(db)
  expect(JSON.stringify([seen.map((one) => one.body), trail])).not.toContain('s3cret-of-ours')
  // Another issuer does not get the secret that was for this one.
  const moved = { token: admin.token, headers, body: { issuer: 'https://thief.example' } }
  expect((await call('patch', `/providers/${id}`, moved)).status).toBe(400)
})

test('neither the trail nor the tokens of our own API are changed by less than everything', async () => {
  const { token } = await world.holder('read:settings', 'write:settings', 'write:apis')
  const headers = { 'if-match': '*' }
  const patch = async (path: string, body: object) =>
    outcome(await call('patch', path, { token, headers, body }))
  expect(await patch('/settings', { audit_retention_days: 1 })).toEqual(tooMuch)
  expect((await patch('/settings', { remember_days: 3 }))[0]).toBe(200)
  const own = `/apis/${encodeURIComponent(world.own)}`
  expect(await patch(own, { access_token_lifetime: 86_400 })).toEqual(tooMuch)
  expect(outcome(await asAdmin('patch', own, { headers, body: { scopes: ['x'] } }))[0]).toBe(400)
})

describe('a permission', () => {
  test('for one id, for what is one’s own, and under conditions, is no more than that', async () => {
    const target = await somebody()
    const one = await world.holder(`read:accounts:${target.id}`)
    const own = await world.holder('read:accounts:own', 'write:accounts:own')
    const strong = await world.holder('read:accounts if acr=2fa')
    const near = await world.holder('read:accounts if address=127.0.0.0/8 and client=none')
    const read = async (id: string, { token }: { token: string }) =>
      (await call('get', `/accounts/${id}`, { token })).status
    expect([await read(target.id, one), await read(admin.id, one)]).toEqual([200, 403])
    expect([await read(own.id, own), await read(target.id, own)]).toEqual([200, 403])
    expect(await read(target.id, strong)).toBe(403)
    const proven = await world.resigned(strong.token, { amr: ['pwd', 'otp', 'mfa'], acr: '1fa' })
    expect(await read(target.id, { token: proven })).toBe(200)
    expect(await read(target.id, near)).toBe(403)
    for (const { token } of [one, own]) {
      expect((await call('get', '/accounts', { token })).status).toBe(403)
    }
  })

  test('to write alone does not tell what there is', async () => {
    const { token } = await world.holder('write:accounts', 'write:clients', 'write:roles')
    const missing = '01900000-0000-7000-8000-000000000000'
    const asked = { token, headers: { 'if-match': '*' } }
    for (const path of [`/accounts/${missing}`, '/clients/none', '/roles/none']) {
      const answer = await call('delete', path, asked)
      expect(outcome(answer)).toEqual([403, 'forbidden'])
      expect(outcome(await asAdmin('delete', path))[0]).toBe(404)
    }
  })

  test('that was taken is gone with the next request, and the last admin stays', async () => {
    const role = fresh('reader')
    await createRole(db, { name: role, permissions: ['read:accounts'] }, operator)
    const service = await world.service(role)
    const read = async () => (await call('get', '/accounts', { token: service.token })).status
    expect(await read()).toBe(200)
    await asAdmin('delete', `/clients/${service.app.id}/roles/${role}`)
    expect(await read()).toBe(403)
    const last = await asAdmin('delete', `/accounts/${admin.id}/roles/admin`)
    expect(outcome(last)).toEqual([422, 'last_admin'])
  })
})

describe('a sensitive act', () => {
  test('asks whoever has a second factor for it', async () => {
    const role = await makeRole(world)
    const { id } = await somebody()
    const path = `/accounts/${id}/roles/${role}`
    expect((await asAdmin('put', path)).status).toBe(204)
    await giveAuthenticator(world.server, admin)
    const weak = await asAdmin('delete', path)
    expect(outcome(weak)).toEqual([401, 'insufficient_user_authentication'])
    expect(weak.headers.get('www-authenticate')).toContain('acr_values="2fa"')
    const token = await world.resigned(admin.token, { amr: ['pwd', 'otp', 'mfa'], acr: '2fa' })
    expect((await call('delete', path, { token })).status).toBe(204)
    await db.deleteFrom('authenticators').where('accountId', '=', admin.id).execute()
  })
})

describe('secrets', () => {
  test('are in the answer that makes them, and in no other', async () => {
    const body = {
      client_name: fresh('App '),
      preset: 'generic',
      redirect_uris: ['https://app.example.com/cb'],
    }
    const made = await asAdmin('post', '/clients', { body })
    const { client_secret: secret, client_id: id } = made.body
    expect(secret).toMatch(/^[\w-]{43}$/)
    const turned = await asAdmin('post', `/clients/${id}/secret`, { body: {} })
    expect(turned.body.client_secret).not.toBe(secret)
    const seen = [
      await asAdmin('get', `/clients/${id}`),
      await asAdmin('get', '/clients'),
      await asAdmin('patch', `/clients/${id}`, {
        body: { client_uri: 'https://app.example.com' },
        headers: { 'if-match': '*' },
      }),
    ]
    const stored = JSON.stringify([seen.map((answer) => answer.body), await auditOf(db)])
    for (const hidden of [secret, turned.body.client_secret]) expect(stored).not.toContain(hidden)
    expect(stored).not.toMatch(/client_secret"/)
    expect(stored).not.toMatch(/password_hash|\$argon2/)
  })

  test('have no way in: nobody sets a password for anybody', () => {
    const described = JSON.stringify(
      Object.entries(world.document.paths).filter(([path]) => path.startsWith('/api/admin')),
    )
    expect(described).not.toMatch(/"(new_)?password"/)
    const { NewAdminAccount, AdminAccountChange } = world.document.components.schemas
    for (const schema of [NewAdminAccount, AdminAccountChange]) {
      expect(JSON.stringify(schema)).not.toMatch(/"password/)
    }
  })
})

test('the trail says who it was, from where, in which request', async () => {
  const { id } = await somebody()
  const patched = await asAdmin('patch', `/accounts/${id}`, {
    body: { status: 'disabled', disabled_reason: 'left' },
    headers: { 'if-match': '*', 'user-agent': 'test/1' },
  })
  const service = await world.service('admin')
  const role = await makeRole(world)
  await call('put', `/clients/${service.app.id}/roles/${role}`, { token: service.token })
  const [disabled] = (await auditOf(db, 'account.disabled')).filter((one) => one.accountId === id)
  expect(disabled).toMatchObject({
    actorKind: 'person',
    actorId: admin.id,
    address: '127.0.0.1',
    requestId: patched.headers.get('x-request-id'),
    detail: { reason: 'left' },
  })
  const added = await auditOf(db, 'client.role_added', service.app.id)
  expect(added.at(-1)).toMatchObject({ actorKind: 'client', actorId: service.app.id })
})

test('addresses that an app names are judged as ever, and lead nowhere inside', async () => {
  const made = (more: object) =>
    asAdmin('post', '/clients', {
      body: {
        client_name: fresh('App '),
        preset: 'generic',
        redirect_uris: ['https://app.example.com/cb'],
        ...more,
      },
    })
  for (const more of [
    { backchannel_logout_uri: 'http://169.254.169.254/latest' },
    { jwks_uri: 'http://10.0.0.1/jwks', token_endpoint_auth_method: 'private_key_jwt' },
    { subject_type: 'pairwise', sector_identifier_uri: 'https://127.0.0.1:1/sector' },
    { redirect_uris: ['javascript:alert(1)'] },
  ]) {
    const answer = await made(more)
    expect([answer.status, answer.body.code], JSON.stringify(more)).toEqual([
      400,
      'invalid_request',
    ])
    expect(answer.body.errors.length).toBeGreaterThan(0)
  }
})
