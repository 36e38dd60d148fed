/** Tokens for APIs (RFC 8707, RFC 9068): who gets them, for whom they are, and who may ask what they are worth. */
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { beforeAll, expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { createApi } from '../../src/clients/apis.ts'
import { updateApi } from '../../src/clients/change-api.ts'
import { disableClient } from '../../src/clients/client-life.ts'
import { authorize, createBrowser, createPerson, isConsent, obtainCode } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const operator = { kind: 'operator' } as const
const person = await createPerson(server)
const visitor = createBrowser(server)
const api = 'https://api.example.com'
const other = 'https://other.example.com'

let app: App
let service: App
let keySet: ReturnType<typeof createLocalJWKSet>

beforeAll(async () => {
  await createApi(db, { identifier: api, scopes: ['read', 'write'] }, { actor: operator })
  await createApi(db, { identifier: other, scopes: ['see'] }, { actor: operator })
  app = await createApp(server, { apis: [api] })
  service = await createApp(server, { preset: 'service', apis: [api] })
  keySet = createLocalJWKSet((await (await fetch(`${origin}/oauth2/jwks`)).json()) as JSONWebKeySet)
})

const forApi = { resource: api, scope: 'openid profile email offline_access read write' }

/** A token of the person for the API, asked for while redeeming. */
async function tokenFor(by: App, parameters = forApi) {
  const request = by.begin(parameters)
  let page = await visitor.get(request.url)
  if (page.url.includes('/sign-in/') && !isConsent(page)) {
    page = await visitor.press(page, 'continue', {
      identifier: person.username,
      password: person.password,
    })
  }
  if (isConsent(page)) page = await visitor.press(page, 'continue')
  return by.redeem(request, by.answerOf(request, page).code, { resource: api })
}

test('a token for an API is an ES256 at+jwt of ten minutes for that API and the person', async () => {
  const { body } = await tokenFor(app)
  const token = body.access_token ?? ''
  expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' })
  const { payload } = await jwtVerify(token, keySet, { issuer: origin, audience: api })
  expect(payload).toMatchObject({
    sub: person.id,
    client_id: app.id,
    scope: 'read write',
    jti: expect.any(String),
  })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(600)
  expect(payload.nbf).toBeUndefined()
  expect(payload.email).toBeUndefined()
  expect(body.expires_in).toBeLessThanOrEqual(600)
  expect(body.scope).toBe('read write')
})

test('without a resource at redemption the token is the one that userinfo takes', async () => {
  const { answer } = await authorize(visitor, app, person, forApi)
  expect((await app.userinfo(answer.body.access_token)).body).toMatchObject({ sub: person.id })
  const refreshed = await app.refresh(answer.body.refresh_token, { resource: api })
  const { payload } = await jwtVerify(refreshed.body.access_token ?? '', keySet)
  expect(payload.aud).toBe(api)
  const plain = await app.refresh(refreshed.body.refresh_token)
  expect((await app.userinfo(plain.body.access_token)).status).toBe(200)
})

test('consent names the API and what may be done there', async () => {
  const asking = await createApp(server, { apis: [api] })
  await authorize(visitor, app, person)
  const page = await visitor.get(asking.begin({ resource: api, scope: 'openid write' }).url)
  expect(isConsent(page)).toBe(true)
  expect(page.body).toContain('https://api.example.com')
  expect(page.body).toContain('write')
  expect(page.body).not.toContain('>read<')
})

test('consent does not speak of an API that nothing is asked of', async () => {
  const asking = await createApp(server, { apis: [api] })
  await authorize(visitor, app, person)
  const page = await visitor.get(asking.begin({ resource: api, scope: 'openid' }).url)
  expect(isConsent(page)).toBe(true)
  expect(page.body).not.toContain(`>${api}<`)
})

test('OA-17: an API that does not exist, or is not the app\u2019s, is an invalid target', async () => {
  await authorize(visitor, app, person)
  for (const resource of ['https://nowhere.example.com', other, `${api}/`, 'not-a-uri']) {
    const request = app.begin({ resource })
    const answer = app.answerOf(request, await visitor.get(request.url))
    expect(answer.error).toBe('invalid_target')
    expect(answer.code).toBeUndefined()
  }
  const { answer } = await authorize(visitor, app, person)
  const wrong = await app.refresh(answer.body.refresh_token, { resource: other })
  expect(wrong.body.error).toBe('invalid_target')
})

test('TK-05: a refresh cannot move to an API that was not consented to', async () => {
  const both = await createApp(server, { apis: [api, other] })
  const { answer } = await authorize(visitor, both, person, forApi)
  const moved = await both.refresh(answer.body.refresh_token, { resource: other })
  expect(moved.body.error).toBe('invalid_target')
  expect(moved.body.access_token).toBeUndefined()
})

test('scopes that are not the API\u2019s or not the app\u2019s are left out', async () => {
  const reader = await createApp(server, { scope: 'openid read' })
  const { body } = await tokenFor(reader, { resource: api, scope: 'openid read write fly' })
  expect(body.scope).toBe('read')
})

test('TK-18: userinfo does not take a token of an API', async () => {
  const { body } = await tokenFor(app)
  expect((await app.userinfo(body.access_token)).status).toBe(401)
})

test('its own app and the services of the API learn that it is active, nobody else', async () => {
  const { body } = await tokenFor(app)
  const active = { active: true, client_id: app.id, sub: person.id, aud: api, scope: 'read write' }
  expect((await app.introspect(body.access_token)).body).toMatchObject(active)
  expect((await service.introspect(body.access_token)).body).toMatchObject(active)

  const stranger = await createApp(server, { preset: 'service', apis: [other] })
  const fellow = await createApp(server, { apis: [api] })
  for (const asking of [stranger, fellow]) {
    expect((await asking.introspect(body.access_token)).body).toEqual({ active: false })
  }
})

test('JW-01: a token that was altered, or signed by nobody, is not active', async () => {
  const { body } = await tokenFor(app)
  const [header = '', payload = '', signature = ''] = (body.access_token ?? '').split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const altered = Buffer.from(JSON.stringify({ ...claims, scope: 'write all' })).toString(
    'base64url',
  )
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url')
  for (const token of [
    `${header}.${altered}.${signature}`,
    `${header}.${payload}.`,
    `${none}.${payload}.`,
    body.id_token,
  ]) {
    expect((await service.introspect(token)).body).toEqual({ active: false })
  }
})

test('JW-02: an ID token is no access token for a service', async () => {
  const { body } = await tokenFor(app)
  expect((await app.introspect(body.id_token)).body).toEqual({ active: false })
})

test('after its refresh token was revoked the token is inactive before its end', async () => {
  const separate = await createApp(server, { apis: [api] })
  const { body } = await tokenFor(separate)
  await separate.revoke(body.refresh_token)
  expect((await service.introspect(body.access_token)).body).toEqual({ active: false })
})

test('OI-11: after the account was disabled it is inactive, and after the app was', async () => {
  const gone = await createApp(server, { apis: [api] })
  const { body } = await tokenFor(gone)
  await disableClient(db, gone.id, { actor: operator })
  expect((await service.introspect(body.access_token)).body).toEqual({ active: false })

  const { body: last } = await tokenFor(app)
  expect((await service.introspect(last.access_token)).body.active).toBe(true)
  await disableAccount(db, person.id, 'left', operator)
  expect((await service.introspect(last.access_token)).body).toEqual({ active: false })
})

test('a service gets tokens of its own: a JWT for its API, an opaque one without', async () => {
  const { body } = await service.post('token', { grant_type: 'client_credentials', resource: api })
  const { payload } = await jwtVerify(body.access_token ?? '', keySet, { audience: api })
  expect(payload).toMatchObject({ sub: service.id, client_id: service.id })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(600)
  expect(body.refresh_token).toBeUndefined()
  expect((await service.introspect(body.access_token)).body.active).toBe(true)

  const opaque = await service.post('token', { grant_type: 'client_credentials' })
  expect(opaque.status).toBe(200)
  expect((await service.introspect(opaque.body.access_token)).body).toMatchObject({
    active: true,
    client_id: service.id,
  })
  expect((await service.userinfo(opaque.body.access_token)).status).toBe(401)
})

test('the scopes of a service are those of its API that it asked for and may have', async () => {
  const reader = await createApp(server, { preset: 'service', scope: 'read' })
  const ask = (scope: string) =>
    reader.post('token', { grant_type: 'client_credentials', resource: api, scope })
  expect((await ask('read')).body.scope).toBe('read')
  const wider = await ask('read write')
  expect(String(wider.body.scope ?? '')).not.toContain('write')
})

test('TK-17: a service cannot ask for openid or offline_access', async () => {
  for (const scope of ['openid', 'offline_access', 'profile', 'openid email']) {
    const answer = await service.post('token', { grant_type: 'client_credentials', scope })
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
    const forIt = { grant_type: 'client_credentials', resource: api, scope: `read ${scope}` }
    expect((await service.post('token', forIt)).body.error).toBe('invalid_scope')
  }
})

test.each(['RS256', 'EdDSA'] as const)(
  'an API may have its tokens signed with %s',
  async (tokenAlg) => {
    const identifier = `https://${tokenAlg.toLowerCase()}.example.com`
    await createApi(db, { identifier, scopes: ['read'], tokenAlg }, { actor: operator })
    const by = await createApp(server, { preset: 'service', apis: [identifier] })
    const { body } = await by.post('token', {
      grant_type: 'client_credentials',
      resource: identifier,
      scope: 'read',
    })
    expect(decodeProtectedHeader(body.access_token ?? '')).toMatchObject({
      typ: 'at+jwt',
      alg: tokenAlg,
    })
    await jwtVerify(body.access_token ?? '', keySet, { issuer: origin, audience: identifier })
    expect((await by.introspect(body.access_token)).body).toMatchObject({
      active: true,
      aud: identifier,
    })
  },
)

test('an API that takes opaque tokens asks us about them, and a scope it loses ends them', async () => {
  const identifier = 'https://opaque.example.com'
  const input = { identifier, scopes: ['read', 'write'], tokenFormat: 'opaque' as const }
  await createApi(db, { ...input, tokenLifetimeSeconds: 300 }, { actor: operator })
  const own = await createApp(server, { apis: [identifier] })
  const itself = await createApp(server, { preset: 'service', apis: [identifier] })
  const resource = identifier
  const somebody = await createPerson(server)
  const { request, code } = await obtainCode(createBrowser(server), own, somebody, {
    resource,
    scope: 'openid offline_access read write',
  })
  const { body } = await own.redeem(request, code, { resource })
  expect(body.access_token).not.toContain('.')
  expect(body.expires_in).toBe(300)
  const asked = await itself.introspect(body.access_token)
  expect(asked.body).toMatchObject({
    active: true,
    aud: identifier,
    scope: 'read write',
    sub: somebody.id,
    client_id: own.id,
  })
  expect(asked.body).not.toHaveProperty('gid')
  // Neither a service of another API nor an app learns anything, and userinfo does not take it.
  expect((await service.introspect(body.access_token)).body).toEqual({ active: false })
  expect((await app.introspect(body.access_token)).body).toEqual({ active: false })
  expect((await own.userinfo(body.access_token)).status).toBe(403)

  await updateApi(db, identifier, { removeScopes: ['write'] }, { actor: operator })
  await expect
    .poll(async () => (await itself.introspect(body.access_token)).body.active)
    .toBe(false)
  const next = await own.refresh(body.refresh_token, { resource })
  expect(next.body.scope).toBe('read')
})

test('what is changed about an API reaches a running server within two seconds', async () => {
  const ask = () =>
    service.post('token', { grant_type: 'client_credentials', resource: api, scope: 'read' })
  expect((await ask()).body.expires_in).toBe(600)
  await updateApi(db, api, { tokenLifetimeSeconds: 60 }, { actor: operator })
  await expect
    .poll(async () => (await ask()).body.expires_in, { timeout: 2000, interval: 100 })
    .toBe(60)
})
