/** RFC 7592: an app reads, replaces and deletes its own registration, and nobody else's. */
import { beforeAll, describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { disableClient } from '../../src/clients/client-life.ts'
import {
  findRegistrationToken,
  revokeRegistrationToken,
} from '../../src/clients/registration-tokens.ts'
import { updateClient } from '../../src/clients/update-client.ts'
import { createKey } from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { call, makeToken, type Registered, register, sendable } from '../support/registration.ts'
import { createApp, playApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const other = await startTestServer({ database: server.database, dataDir: server.config.dataDir })
const { origin, database } = server
const { db } = database
const operator = { actor: { kind: 'operator' as const } }
const redirectUri = 'https://agent.example.com/cb'
const refreshing = ['authorization_code', 'refresh_token']
const good = { client_name: 'Agent', redirect_uris: [redirectUri], grant_types: refreshing }
let token: string

beforeAll(async () => {
  await createApi(db, { identifier: 'https://notes.example.org', scopes: ['notes:read'] }, operator)
  token = await makeToken(server, {
    name: 'Agents',
    scopes: ['openid', 'profile', 'email', 'offline_access', 'notes:read'],
  })
})

const made = async (more = {}) => (await register(server, token, { ...good, ...more })).body
const read = (client: Registered) =>
  call('GET', client.registration_client_uri, client.registration_access_token)
const replace = (client: Registered, body: unknown) =>
  call('PUT', client.registration_client_uri, client.registration_access_token, body)
const remove = (client: Registered) =>
  call('DELETE', client.registration_client_uri, client.registration_access_token)
const played = (client: Registered, at = origin) =>
  playApp({
    origin: at,
    id: client.client_id,
    secret: client.client_secret,
    method: 'client_secret_basic',
    scope: 'openid offline_access',
    redirectUri,
  })

test('an app reads what it registered, without the secret that we do not know', async () => {
  const client = await made()
  const { client_secret: _, ...rest } = client
  const { status, headers, body } = await read(client)
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(body).toEqual(rest)
})

test('TK-20: what was read and is written back loses nothing', async () => {
  const { publicJwk } = await createKey()
  const client = await made({
    client_uri: 'https://agent.example.com',
    logo_uri: 'https://agent.example.com/logo.png',
    policy_uri: 'https://agent.example.com/policy',
    tos_uri: 'https://agent.example.com/tos',
    post_logout_redirect_uris: ['https://agent.example.com/'],
    backchannel_logout_uri: 'https://agent.example.com/logout',
    backchannel_logout_session_required: true,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [publicJwk] },
    id_token_signed_response_alg: 'EdDSA',
    require_pushed_authorization_requests: true,
    dpop_bound_access_tokens: true,
    subject_type: 'pairwise',
    response_modes: ['query', 'form_post'],
    scope: 'openid notes:read',
    contacts: ['ops@example.com'],
  })
  expect(client.error_description).toBeUndefined()
  const before = await read(client)
  const written = await replace(client, sendable(before.body))
  expect([written.status, written.body]).toEqual([200, before.body])
  expect((await read(client)).body).toEqual(before.body)
})

test('what an admin set on it stays when it replaces its own', async () => {
  const client = await made()
  const changed = await updateClient(
    db,
    client.client_id,
    {
      accessTokenSeconds: 120,
      firstParty: true,
      scope: 'openid groups',
      refreshTotalSeconds: 9000,
    },
    operator,
  )
  expect(changed).toMatchObject({ ok: true })
  const { body } = await read(client)
  expect(body.scope).toBe('openid groups')
  // It may keep what it was given, though its token would not give it.
  expect((await replace(client, sendable(body))).status).toBe(200)
  const row = await db
    .selectFrom('clients')
    .selectAll()
    .where('id', '=', client.client_id)
    .executeTakeFirstOrThrow()
  expect(row).toMatchObject({
    accessTokenSeconds: 120,
    firstParty: true,
    refreshTotalSeconds: 9000,
  })
})

test('a replacement replaces: what it leaves out is gone', async () => {
  const client = await made({
    client_uri: 'https://agent.example.com',
    post_logout_redirect_uris: ['https://agent.example.com/'],
  })
  const { status, body } = await replace(client, {
    client_id: client.client_id,
    client_name: 'Agent Two',
    redirect_uris: ['https://agent.example.com/two'],
    client_uri: null,
  })
  expect(status).toBe(200)
  expect(body).not.toHaveProperty('client_uri')
  expect(body).toMatchObject({
    client_name: 'Agent Two',
    redirect_uris: ['https://agent.example.com/two'],
    post_logout_redirect_uris: [],
    grant_types: ['authorization_code'],
    client_id_issued_at: client.client_id_issued_at,
    registration_access_token: client.registration_access_token,
  })
})

test('every process follows within two seconds', async () => {
  const client = await made()
  const two = 'https://agent.example.com/two'
  const statusAt = async (at: string) =>
    (await fetch(played(client, at).begin({ redirect_uri: two }).url, { redirect: 'manual' }))
      .status
  expect([await statusAt(origin), await statusAt(other.origin)]).toEqual([400, 400])
  await replace(client, { ...good, client_id: client.client_id, redirect_uris: [two] })
  expect(await statusAt(origin)).toBe(303)
  await expect.poll(() => statusAt(other.origin), { timeout: 2000 }).toBe(303)
})

test('becoming public forgets the secret, becoming confidential gives a new one', async () => {
  const client = await made()
  const open = await replace(client, {
    ...sendable(client),
    client_secret: undefined,
    token_endpoint_auth_method: 'none',
  })
  expect([open.status, open.body.token_endpoint_auth_method]).toEqual([200, 'none'])
  expect(open.body).not.toHaveProperty('client_secret_expires_at')
  const closed = await replace(client, {
    ...sendable(open.body),
    token_endpoint_auth_method: 'client_secret_basic',
  })
  expect(closed.body).toMatchObject({
    client_secret: expect.stringMatching(/^[\w-]{43}$/),
    client_secret_expires_at: 0,
  })
  expect(closed.body.client_secret).not.toBe(client.client_secret)
})

test('narrower scopes end the tokens that had more', async () => {
  const client = await made()
  const app = played(client)
  const { answer } = await authorize(createBrowser(server), app, await createPerson(server))
  const kept = await replace(client, sendable(client))
  expect(kept.status).toBe(200)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
  const { body } = await replace(client, { ...sendable(client), scope: 'openid offline_access' })
  expect(body.scope).toBe('openid offline_access')
  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
})

test('a deleted app is gone with its tokens, its secret, its consents, at once and in every process', async () => {
  const client = await made()
  const app = played(client)
  const { answer } = await authorize(createBrowser(server), app, await createPerson(server))
  expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
  const { status, body } = await remove(client)
  expect([status, body]).toEqual([204, {}])
  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
  expect((await app.refresh(answer.body.refresh_token)).status).toBe(401)
  expect((await read(client)).status).toBe(401)
  await expect
    .poll(async () => (await played(client, other.origin).post('par', {})).status, {
      timeout: 2000,
    })
    .toBe(401)
  for (const table of ['grants', 'consents', 'client_secrets']) {
    const { rows } = await database.pool.query(`select 1 from ${table} where client_id = $1`, [
      client.client_id,
    ])
    expect([table, rows]).toEqual([table, []])
  }
})

test('of twenty deletions at once one deletes', async () => {
  const client = await made()
  const replies = await Promise.all(Array.from({ length: 20 }, () => remove(client)))
  expect(replies.filter(({ status }) => status === 204)).toHaveLength(1)
  expect(replies.filter(({ status }) => status === 401)).toHaveLength(19)
})

test('its token still manages it when nobody may register any more', async () => {
  const short = await makeToken(server, { name: 'Short' })
  const { body: client } = await register(server, short, good)
  const { id = '' } = (await findRegistrationToken(db, 'Short')) ?? {}
  await revokeRegistrationToken(db, id, operator)
  expect((await replace(client, sendable(client))).status).toBe(200)
  expect((await remove(client)).status).toBe(204)
})

test('what a revoked token would have allowed is not gained afterwards, and what the app had stays', async () => {
  const leaked = await makeToken(server, {
    name: 'Leaked',
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  })
  const uris = ['https://agent.example.com/cb']
  const { body: client } = await register(server, leaked, { redirect_uris: uris, scope: 'openid' })
  const own = sendable(client)
  const wider = [
    { ...own, scope: 'openid email' },
    { ...own, grant_types: ['authorization_code', 'client_credentials'] },
    { ...own, redirect_uris: [...uris, 'https://evil.example/cb'] },
    { ...own, post_logout_redirect_uris: ['https://evil.example/'] },
  ]
  expect((await replace(client, { ...own, scope: 'openid email' })).status).toBe(200)
  expect((await replace(client, own)).status).toBe(200)
  const { id = '' } = (await findRegistrationToken(db, 'Leaked')) ?? {}
  await revokeRegistrationToken(db, id, operator)
  for (const body of wider) expect((await replace(client, body)).status).toBe(400)
  const moved = { ...own, redirect_uris: ['https://agent.example.com/other'], client_name: 'New' }
  expect((await replace(client, moved)).status).toBe(200)
})

describe('nobody else', () => {
  test('no token, another app’s, the initial one, a secret: 401, and the app stays as it is', async () => {
    const [mine, theirs] = [await made(), await made({ client_name: 'Theirs' })]
    const wrong = [
      undefined,
      '',
      'A'.repeat(43),
      token,
      theirs.registration_access_token,
      mine.client_secret,
      `${mine.registration_access_token}x`,
    ]
    for (const presented of wrong) {
      for (const [method, body] of [
        ['GET', undefined],
        ['PUT', { ...good, client_id: mine.client_id, client_name: 'Taken' }],
        ['DELETE', undefined],
      ] as const) {
        const reply = await call(method, mine.registration_client_uri, presented, body)
        expect([method, reply.status, reply.body.error]).toEqual([method, 401, 'invalid_token'])
        expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer/)
      }
    }
    expect((await read(mine)).body.client_name).toBe('Agent')
  })

  test('an admin’s app cannot be managed, and looks like one that is not there', async () => {
    const app = await createApp(server)
    const at = (id: string) => call('GET', `${origin}/oauth2/register/${id}`, token)
    const [real, none] = [await at(app.id), await at('nobody')]
    expect([real.status, real.body]).toEqual([none.status, none.body])
    expect(real.status).toBe(401)
    expect((await at('a.b')).status).toBe(404)
  })

  test('an app that was disabled may not go on managing itself', async () => {
    const client = await made()
    await disableClient(db, client.client_id, operator)
    expect((await read(client)).status).toBe(403)
    expect((await replace(client, sendable(client))).status).toBe(403)
  })
})

describe('a replacement is judged as a registration is', () => {
  test.each([
    [{ registration_access_token: 'x' }, 'invalid_request'],
    [{ registration_client_uri: 'https://evil.example' }, 'invalid_request'],
    [{ client_secret_expires_at: 0 }, 'invalid_request'],
    [{ client_id_issued_at: 1 }, 'invalid_request'],
    [{ client_id: 'another' }, 'invalid_request'],
    [{ client_id: undefined }, 'invalid_request'],
    [{ client_secret: 'chosen by myself' }, 'invalid_request'],
    [{ client_secret: { not: 'text' } }, 'invalid_request'],
    [{ redirect_uris: ['http://evil.example/cb'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: [] }, 'invalid_redirect_uri'],
    [{ scope: 'openid groups' }, 'invalid_client_metadata'],
    [{ grant_types: ['client_credentials'] }, 'invalid_client_metadata'],
    [{ token_endpoint_auth_method: 'tls_client_auth' }, 'invalid_client_metadata'],
  ])('%j is refused and changes nothing', async (change, error) => {
    const client = await made()
    const before = (await read(client)).body
    const { status, body } = await replace(client, { ...sendable(before), ...change })
    expect([status, body.error]).toEqual([400, error])
    expect((await read(client)).body).toEqual(before)
  })

  test('its own secret may be repeated', async () => {
    const client = await made()
    const { status } = await replace(client, sendable(client))
    expect(status).toBe(200)
    const answer = await played(client).introspect('none')
    expect(answer.status).toBe(200)
  })

  test('what is ours stays ours', async () => {
    const client = await made()
    const { status, body } = await replace(client, {
      ...sendable(client),
      first_party: true,
      pkce_required: false,
      profile: 'fapi2',
      apis: ['https://notes.example.org'],
    })
    expect(status).toBe(200)
    for (const name of ['first_party', 'pkce_required', 'profile', 'apis']) {
      expect(body).not.toHaveProperty(name)
    }
    const row = await db
      .selectFrom('clients')
      .selectAll()
      .where('id', '=', client.client_id)
      .executeTakeFirstOrThrow()
    expect(row).toMatchObject({ firstParty: false, pkceRequired: true, profile: null })
  })
})

test('changes and the end are written down as the app’s own acts', async () => {
  const client = await made()
  await replace(client, { ...sendable(client), client_name: 'Renamed' })
  await remove(client)
  const events = await db
    .selectFrom('auditEvents')
    .select(['type', 'actorKind', 'actorId'])
    .where('clientId', '=', client.client_id)
    .orderBy('id')
    .execute()
  const self = { actorKind: 'client', actorId: client.client_id }
  expect(events).toEqual([
    { type: 'client.registered', ...self },
    { type: 'client.updated', ...self },
    { type: 'client.deleted', ...self },
  ])
})
