/** RFC 7591: apps register themselves with a token that an admin made, within what it allows, and never beyond. */
import { beforeAll, describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { deleteApi } from '../../src/clients/change-api.ts'
import { createClient } from '../../src/clients/create-client.ts'
import {
  findRegistrationToken,
  listRegistrationTokens,
  revokeRegistrationToken,
} from '../../src/clients/registration-tokens.ts'
import { listenAt } from '../outgoing/listener.ts'
import { createKey } from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { makeToken, type Registered, register } from '../support/registration.ts'
import { playApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin, database } = server
const { db } = database
const redirectUri = 'https://agent.example.com/cb'
const good = { client_name: 'Agent', redirect_uris: [redirectUri] }
const operator = { actor: { kind: 'operator' as const } }
let token: string

beforeAll(async () => {
  await createApi(
    db,
    { identifier: 'https://notes.example.org', scopes: ['notes:read', 'notes:write'] },
    operator,
  )
  token = await makeToken(server)
})

const discovery = async (at = origin) =>
  (await (await fetch(`${at}/.well-known/openid-configuration`)).json()) as Record<string, unknown>

async function played(body: Registered, method = 'client_secret_basic') {
  return playApp({
    origin,
    id: body.client_id,
    secret: body.client_secret,
    method,
    scope: String(body.scope),
    redirectUri,
  })
}

/** The row, as nobody outside sees it. */
const stored = (id: string) =>
  db.selectFrom('clients').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

test('an app registers with its token, signs a person in, and lives by what it was told', async () => {
  const { status, headers, body } = await register(server, token, {
    ...good,
    grant_types: ['authorization_code', 'refresh_token'],
  })
  expect([status, body.error_description]).toEqual([201, undefined])
  expect(headers.get('cache-control')).toBe('no-store')
  expect(body).toMatchObject({
    client_id: expect.stringMatching(/^dyn-[0-9a-f]{20}$/),
    client_secret: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    client_secret_expires_at: 0,
    client_name: 'Agent',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    application_type: 'web',
    scope: 'openid profile email offline_access',
    registration_client_uri: `${origin}/oauth2/register/${body.client_id}`,
    registration_access_token: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
  })
  expect(Math.abs(Number(body.client_id_issued_at) - Date.now() / 1000)).toBeLessThan(60)
  const person = await createPerson(server)
  const { answer } = await authorize(createBrowser(server), await played(body), person)
  expect(answer.status).toBe(200)
  expect(answer.body.refresh_token).toEqual(expect.any(String))
})

test('defaults are those of RFC 7591: a code, Basic, and no refreshing that was not asked for', async () => {
  const { body } = await register(server, token, { redirect_uris: [redirectUri] })
  expect(body).toMatchObject({
    client_name: 'agent.example.com',
    grant_types: ['authorization_code'],
    scope: 'openid profile email',
  })
})

test('an app without a secret gets none, and is told of none', async () => {
  const { status, body } = await register(server, token, {
    ...good,
    token_endpoint_auth_method: 'none',
  })
  expect(status).toBe(201)
  expect(body).not.toHaveProperty('client_secret')
  expect(body).not.toHaveProperty('client_secret_expires_at')
})

test('PKCE is everybody’s who registers alone', async () => {
  const { body } = await register(server, token, good)
  const app = await played(body)
  const url = app.begin({ code_challenge: undefined, code_challenge_method: undefined }).url
  const response = await fetch(url, { redirect: 'manual' })
  expect(new URL(response.headers.get('location') ?? '').searchParams.get('error')).toBe(
    'invalid_request',
  )
})

test('neither secret, token nor registration access token is stored in clear', async () => {
  const { body } = await register(server, token, good)
  const { rows } = await database.pool.query(
    `select (select json_agg(c) from clients c)::text || (select json_agg(t) from registration_tokens t)::text
       || (select json_agg(s) from client_secrets s)::text || (select json_agg(a) from audit_events a)::text as all`,
  )
  for (const secret of [token, body.client_secret, body.registration_access_token]) {
    expect(rows[0].all).not.toContain(String(secret))
    expect(server.log.join('\n')).not.toContain(String(secret))
  }
})

describe('the guard', () => {
  const refused = async (presented: string | undefined) => {
    const { status, headers, body } = await register(server, presented, good)
    expect([status, body.error]).toEqual([401, 'invalid_token'])
    expect(headers.get('www-authenticate')).toMatch(/^Bearer/)
  }

  test('no token, a wrong one, or one of another kind', async () => {
    const { body } = await register(server, token, good)
    await refused(undefined)
    await refused('A'.repeat(43))
    await refused(body.registration_access_token)
    await refused(body.client_secret)
    const basic = await fetch(`${origin}/oauth2/register`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`x:${token}`)}`, 'content-type': 'application/json' },
      body: JSON.stringify(good),
    })
    expect(basic.status).toBe(401)
    const inQuery = await fetch(`${origin}/oauth2/register?access_token=${token}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(good),
    })
    expect(inQuery.status).toBe(401)
  })

  test('one that has ended, and one that was revoked', async () => {
    const [ended, revoked] = [await makeToken(server), await makeToken(server, { name: 'Revoked' })]
    await database.pool.query(
      `update registration_tokens set expires_at = now() - interval '1 second'
       where id = (select id from registration_tokens where name <> 'Revoked' order by created_at desc limit 1)`,
    )
    await refused(ended)
    expect((await register(server, revoked, good)).status).toBe(201)
    const { id = '' } = (await findRegistrationToken(db, 'Revoked')) ?? {}
    await revokeRegistrationToken(db, id, operator)
    await refused(revoked)
  })

  test('twenty at once with one use make exactly one app', async () => {
    const once = await makeToken(server, { name: 'Once', uses: 1 })
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => register(server, once, { ...good, client_name: 'Race' })),
    )
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(replies.filter(({ status }) => status === 401)).toHaveLength(19)
    const made = await db.selectFrom('clients').select('id').where('name', '=', 'Race').execute()
    expect(made).toHaveLength(1)
    expect(await findRegistrationToken(db, 'Once')).toMatchObject({
      usesLeft: 0,
      used: 1,
      clients: 1,
    })
  })

  test('a refused body uses nothing up', async () => {
    const once = await makeToken(server, { uses: 1 })
    expect(
      (await register(server, once, { redirect_uris: ['http://evil.example/cb'] })).status,
    ).toBe(400)
    expect((await register(server, once, good)).status).toBe(201)
    await refused(once)
  })

  test('other verbs and other addresses are not there', async () => {
    const got = await fetch(`${origin}/oauth2/register`)
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await fetch(`${origin}/oauth2/Register`, { method: 'POST' })).status).toBe(404)
    expect((await fetch(`${origin}/oauth2/register/a/b`)).status).toBe(404)
  })
})

describe('TK-20: what is ours to set cannot be set from outside', () => {
  test('first party, profile, authorities, APIs, lifetimes, PKCE and ids are neither taken nor given back', async () => {
    const planted = {
      client_id: 'account-pages',
      client_secret: 'mine',
      client_secret_expires_at: 4102444800,
      client_id_issued_at: 1,
      registration_access_token: 'mine',
      registration_client_uri: 'https://evil.example',
      first_party: true,
      firstParty: true,
      profile: 'fapi2',
      pkce: 'optional',
      pkce_required: false,
      certificate_authorities: '-----BEGIN CERTIFICATE-----',
      apis: ['https://notes.example.org'],
      access_token_seconds: 86_400,
      access_token_lifetime: 86_400,
      refresh_idle_seconds: 31_536_000,
      refresh_total_seconds: 31_536_000,
      refresh_rotation: false,
      ignores_unknown_resource: true,
      userinfo_acr: '2fa',
      userinfo_max_age_seconds: 1,
      authorization_challenge: true,
      policy_grants: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      preset: 'generic',
      disabled: false,
      registered_with: null,
      software_statement: 'e30.e30.e30',
    }
    const { status, body } = await register(server, token, { ...good, ...planted })
    expect(status).toBe(201)
    for (const [name, value] of Object.entries(planted)) expect(body[name]).not.toEqual(value)
    const own = Object.keys(planted).filter(
      (name) => !/^(client_|registration_(acc|cli))/.test(name),
    )
    for (const name of own) expect(body).not.toHaveProperty(name)
    expect(await stored(body.client_id)).toMatchObject({
      firstParty: false,
      profile: null,
      pkceRequired: true,
      certificateAuthorities: null,
      accessTokenSeconds: null,
      refreshIdleSeconds: null,
      refreshTotalSeconds: null,
      refreshRotation: true,
      ignoresUnknownResource: false,
      userinfoAcr: null,
      userinfoMaxAgeSeconds: null,
      authorizationChallenge: false,
      preset: 'registered',
    })
    const row = await stored(body.client_id)
    expect(Object.keys(row.metadata).filter((name) => own.includes(name))).toEqual([])
    const { rows } = await database.pool.query('select 1 from client_apis where client_id = $1', [
      body.client_id,
    ])
    expect(rows).toEqual([])
  })

  test.each([
    [{ grant_types: ['password'] }, 'grant_types'],
    [{ grant_types: ['implicit'], response_types: ['token'] }, 'grant_types'],
    [{ grant_types: ['client_credentials'] }, 'grant_types'],
    [{ grant_types: [] }, 'grant_types'],
    [{ response_types: ['code id_token'] }, 'response_types'],
    [{ scope: 'openid account' }, 'scope'],
    [{ scope: 'openid Admin.Write' }, 'scope'],
    [{ scope: 'openid groups' }, 'scope'],
    [{ scope: 'openid notes:read' }, 'scope'],
    [{ token_endpoint_auth_method: 'client_secret_jwt' }, 'token_endpoint_auth_method'],
    [
      { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: 'CN=a' },
      'token_endpoint_auth_method',
    ],
    [{ token_endpoint_auth_method: 'private_key_jwt' }, 'jwks'],
    [{ id_token_signed_response_alg: 'none' }, 'id_token_signed_response_alg'],
    [{ id_token_signed_response_alg: 'HS256' }, 'id_token_signed_response_alg'],
    [{ userinfo_signed_response_alg: 'HS256' }, 'userinfo_signed_response_alg'],
    [
      { subject_type: 'pairwise', sector_identifier_uri: 'https://127.0.0.1:9/s' },
      'sector_identifier_uri',
    ],
    [{ logo_uri: 'javascript:alert(1)' }, 'logo_uri'],
    [{ client_uri: 'ftp://a.example' }, 'client_uri'],
    [{ jwks_uri: 'http://evil.example/keys' }, 'jwks_uri'],
    [{ jwks_uri: 'file:///etc/passwd' }, 'jwks_uri'],
    [{ client_name: '<script>' }, 'client_name'],
    [{ client_name: 'B‮ank' }, 'client_name'],
    [{ client_name: 7 }, 'client_name'],
    [{ jwks: 'keys' }, 'jwks'],
    [{ redirect_uris: [] }, 'redirect_uris'],
    [{ post_logout_redirect_uris: ['https://a.example/*'] }, 'post_logout_redirect_uris'],
    [{ frontchannel_logout_uri: 'https://elsewhere.example/out' }, 'frontchannel_logout_uri'],
  ])('%j is refused by name', async (change, field) => {
    const { status, body } = await register(server, token, { ...good, ...change })
    expect([status, body.error_description]).toEqual([400, expect.stringContaining(field)])
    expect(body.error).toBe(
      field === 'redirect_uris' ? 'invalid_redirect_uri' : 'invalid_client_metadata',
    )
    expect(body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
  })

  test.each([
    'http://app.example.com/cb',
    'https://app.example.com/cb#here',
    'https://*.example.com/cb',
    'https://user@app.example.com/cb',
    'javascript:alert(1)',
    'data:text/html,x',
    'com.example.app:/cb',
    '/cb',
    'https://app.example.com/a/../cb',
  ])('the redirect URI %s is refused', async (uri) => {
    const { status, body } = await register(server, token, { redirect_uris: [redirectUri, uri] })
    expect([status, body.error]).toEqual([400, 'invalid_redirect_uri'])
  })

  test('one of 3000 characters is refused as well', async () => {
    const long = `https://app.example.com/${'a'.repeat(3000)}`
    const { status, body } = await register(server, token, { redirect_uris: [long] })
    expect([status, body.error]).toEqual([400, 'invalid_redirect_uri'])
  })

  test('500 redirect URIs are too many', async () => {
    const uris = Array.from({ length: 500 }, (_, n) => `https://agent.example.com/${n}`)
    const { status, body } = await register(server, token, { redirect_uris: uris })
    expect([status, body.error]).toEqual([400, 'invalid_redirect_uri'])
  })

  test('a private key is refused, and not repeated', async () => {
    const { publicJwk } = await createKey()
    const { status, body } = await register(server, token, {
      ...good,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...publicJwk, d: 'c2VjcmV0LXBhcnQ' }] },
    })
    expect([status, body.error]).toEqual([400, 'invalid_client_metadata'])
    expect(JSON.stringify(body)).not.toContain('c2VjcmV0LXBhcnQ')
  })

  test.each([
    ['is a list', '[]', 400],
    ['is a text', '"text"', 400],
    ['is broken', '{', 400],
    ['reaches for the prototype', '{"__proto__": {"first_party": true}}', 400],
    ['is too large', `{"client_name": "${'a'.repeat(60_000)}"}`, 413],
    ['is too deep', `${'['.repeat(40)}${']'.repeat(40)}`, 400],
    ['holds a NUL', '{"client_name": "a\\u0000b"}', 400],
  ])('a body that %s is refused', async (_, text, expected) => {
    expect((await register(server, token, text)).status).toBe(expected)
  })
})

describe('what a token allows', () => {
  test('scopes of an API, grants and hosts, and nothing beyond', async () => {
    const narrow = await makeToken(server, {
      scopes: ['openid', 'notes:read'],
      grantTypes: ['authorization_code'],
      redirectHosts: ['localhost', 'app.example.org'],
    })
    const at = (uri: string, more = {}) =>
      register(server, narrow, { redirect_uris: [uri], ...more })
    const { status, body } = await at('http://localhost:4711/cb')
    expect([status, body.scope]).toEqual([201, 'openid notes:read'])
    expect((await at('https://app.example.org/cb', { scope: 'notes:read' })).status).toBe(201)
    for (const uri of [
      'http://127.0.0.1/cb',
      'https://evil.example/cb',
      'https://app.example.org.evil.example/cb',
      'https://appXexample.org/cb',
      'https://app.example.org:8443/cb',
      'https://x.app.example.org/cb',
    ]) {
      expect([uri, (await at(uri)).body.error]).toEqual([uri, 'invalid_redirect_uri'])
    }
    const refused = [
      await at('http://localhost/cb', { scope: 'notes:write' }),
      await at('http://localhost/cb', { scope: 'openid email' }),
      await at('http://localhost/cb', { grant_types: ['authorization_code', 'refresh_token'] }),
      await at('http://localhost/cb', { post_logout_redirect_uris: ['https://evil.example/'] }),
      await at('http://localhost/cb', { initiate_login_uri: 'https://evil.example/login' }),
    ]
    expect(refused.map(({ body: { error } }) => error)).toEqual(
      Array(refused.length).fill('invalid_client_metadata'),
    )
  })

  test('the API’s tokens can be had by the app that may', async () => {
    const agents = await makeToken(server, { scopes: ['openid', 'notes:read'] })
    const { body } = await register(server, agents, good)
    const person = await createPerson(server)
    const app = await played(body)
    const resource = 'https://notes.example.org'
    const scope = 'openid notes:read'
    const visitor = createBrowser(server)
    for (const wider of [scope, `${scope} notes:write`]) {
      const asked = await obtainCode(visitor, app, person, { scope: wider, resource })
      const answer = await app.redeem(asked.request, asked.code, { resource })
      expect([answer.status, answer.body.scope]).toEqual([200, 'notes:read'])
    }
  })

  test('the API that was meant, and none that comes later with a scope of the same name', async () => {
    const files = { identifier: 'https://files.example.org', scopes: ['files:read'] }
    await createApi(db, files, operator)
    const reading = await makeToken(server, { scopes: ['openid', 'files:read'] })
    await createApi(db, { ...files, identifier: 'https://later.example.org' }, operator)
    const { status, body } = await register(server, reading, good)
    expect([status, body.scope]).toEqual([201, 'openid files:read'])
    const { rows } = await database.pool.query(
      'select api_identifier from client_apis where client_id = $1',
      [body.client_id],
    )
    expect(rows).toEqual([{ api_identifier: files.identifier }])
    await deleteApi(db, files.identifier, operator)
    const after = await register(server, reading, good)
    expect([after.status, after.body.scope]).toEqual([201, 'openid'])
    const asked = await register(server, reading, { ...good, scope: 'openid files:read' })
    expect([asked.status, asked.body.error]).toEqual([400, 'invalid_client_metadata'])
  })

  test('a program may act for itself only where the token says so', async () => {
    const programs = await makeToken(server, {
      scopes: ['notes:read'],
      grantTypes: ['client_credentials'],
    })
    const { status, body } = await register(server, programs, {
      client_name: 'Robot',
      grant_types: ['client_credentials'],
    })
    expect([status, body.response_types, body.scope]).toEqual([201, [], 'notes:read'])
    const app = await played(body)
    const answer = await app.post('token', {
      grant_type: 'client_credentials',
      resource: 'https://notes.example.org',
      scope: 'notes:read',
    })
    expect([answer.status, answer.body.scope]).toEqual([200, 'notes:read'])
  })
})

test('the same software registers again and again under one name, an admin’s too', async () => {
  const input = { name: 'Twin', preset: 'web', appUrl: 'https://twin.example.com' }
  expect((await createClient(db, input, operator)).ok).toBe(true)
  const twins = [
    await register(server, token, { ...good, client_name: 'Twin' }),
    await register(server, token, { ...good, client_name: 'TWIN' }),
  ]
  expect(twins.map(({ status }) => status)).toEqual([201, 201])
  expect(new Set(twins.map(({ body }) => body.client_id)).size).toBe(2)
  // And it takes no name away from an admin.
  await register(server, token, { ...good, client_name: 'Mine' })
  expect((await createClient(db, { ...input, name: 'Mine' }, operator)).ok).toBe(true)
  expect(await createClient(db, { ...input, name: 'Mine' }, operator)).toMatchObject({
    ok: false,
    reason: 'taken',
  })
})

test('people are told that nobody has checked it, until an admin calls it our own', async () => {
  const { body } = await register(server, token, good)
  const visitor = createBrowser(server)
  const { username, password } = await createPerson(server)
  const app = await played(body)
  const page = await visitor.press(await visitor.get(app.begin().url), 'continue', {
    identifier: username,
    password,
  })
  expect(page.body).toContain('This app registered itself. Nobody here has checked it.')
})

test('SS: neither keys nor a sector inside are called, whoever names them', async () => {
  const inside = await listenAt('127.0.0.1')
  const at = `https://127.0.0.1:${inside.port}`
  const sector = { subject_type: 'pairwise', sector_identifier_uri: `${at}/sector` }
  expect((await register(server, token, { ...good, ...sector })).status).toBe(400)
  const key = await createKey()
  const { status, body } = await register(server, token, {
    ...good,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri: `${at}/keys`,
  })
  expect(status).toBe(201)
  const app = playApp({
    origin,
    id: body.client_id,
    secret: undefined,
    method: 'private_key_jwt',
    redirectUri,
    key,
  })
  expect((await app.introspect('none')).status).toBe(401)
  expect(inside.connections()).toBe(0)
})

test('it is written down who came with which token, from where', async () => {
  const { body } = await register(server, token, good)
  const event = await db
    .selectFrom('auditEvents')
    .selectAll()
    .where('clientId', '=', body.client_id)
    .executeTakeFirstOrThrow()
  expect(event).toMatchObject({
    type: 'client.registered',
    actorKind: 'client',
    actorId: body.client_id,
    address: '127.0.0.1',
  })
  const [first] = (await listRegistrationTokens(db)).filter(({ name }) => name === 'Token 1')
  expect(event.detail).toMatchObject({ registrationToken: first?.id })
})

test('off until there is a token: discovery says so, and so it is in every process within two seconds', async () => {
  const one = await startTestServer()
  const other = await startTestServer({ database: one.database, dataDir: one.config.dataDir })
  const promised = async () =>
    (await Promise.all([one, other].map(({ origin: at }) => discovery(at)))).map(
      (document) => 'registration_endpoint' in document,
    )
  expect(await promised()).toEqual([false, false])
  expect((await register(one, 'A'.repeat(43), good)).status).toBe(401)
  const once = await makeToken(one, { uses: 1 })
  await expect.poll(promised, { timeout: 2000 }).toEqual([true, true])
  expect((await discovery(one.origin)).registration_endpoint).toBe(`${one.origin}/oauth2/register`)
  // One use, two processes.
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, n) => register(n % 2 ? one : other, once, good)),
  )
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(replies.filter(({ status }) => status === 401)).toHaveLength(19)
  await expect.poll(promised, { timeout: 2000 }).toEqual([false, false])
})
