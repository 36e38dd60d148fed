/**
 * AD-12, IN-08: after whole journeys, mistakes included, no secret that travelled stands in the database, the log or
 * the metrics: neither as it is, nor as its bytes.
 */
import { decodeJwt } from 'jose'
import { beforeAll, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { getClient } from '../../src/clients/clients.ts'
import { allowExchange } from '../../src/clients/exchanges.ts'
import { createIssuer } from '../../src/clients/issuers.ts'
import { ask, decide, pollFor } from '../support/asking-app.ts'
import { createCanaries } from '../support/canaries.ts'
import { createKey, now } from '../support/client-keys.ts'
import { askForCode, connect, poll, typeCode } from '../support/device.ts'
import { authorize, createBrowser, isConsent } from '../support/person.ts'
import { call, makeToken, register as registerApp } from '../support/registration.ts'
import { createApp } from '../support/relying-party.ts'
import { freePort, startTestServer } from '../support/server.ts'

const metricsPort = await freePort()
const server = await startTestServer({
  env: { LOG_LEVEL: 'trace', METRICS_PORT: String(metricsPort) },
})
const { origin } = server
const { db, pool } = server.database
const api = 'https://api.example.com'
const password = 'correct horse of mine'
const wrongPassword = 'incorrect horse of mine'
const operator = { actor: { kind: 'operator' } } as const
const { keep, keepCookies, expectNone, expectNoneStored } = createCanaries()

beforeAll(async () => {
  await createApi(db, { identifier: api, scopes: ['read'] }, { actor: { kind: 'operator' } })
  const app = await createApp(server, { apis: [api] })
  const service = await createApp(server, { preset: 'service', apis: [api] })
  keep('client secret', app.secret)
  keep('client secret', service.secret)
  keep('password', password)
  keep('wrong password', wrongPassword)

  // Registration at the door, by link.
  const door = createBrowser(server)
  const form = await door.get(`${origin}/register`)
  const fields = { username: 'dora', email: 'dora@example.org', password }
  await door.press(form, 'continue', fields)
  keepCookies(door)
  const link = await server.mailedLink(fields.email)
  keep('link token', new URL(link, origin).searchParams.get('token') ?? undefined)
  await door.press(await door.get(origin + link), 'continue')
  await door.press(await door.get(`${origin}/register`), 'continue', {
    ...fields,
    email: 'dora2@example.org',
  })

  // Registration in a flow, by code, with a wrong one before it.
  const visitor = createBrowser(server)
  const request = app.begin()
  const register = await visitor.follow(await visitor.get(request.url), 'register')
  const person = { username: 'vera', email: 'vera@example.org', password }
  const proof = await visitor.press(register, 'continue', person)
  const code = await server.mailedCode(person.email)
  keep('mailed code', code)
  await visitor.press(proof, 'continue', { code: code === '918273' ? '918274' : '918273' })
  keepCookies(visitor)
  const consent = await visitor.press(proof, 'continue', { code })
  expect(isConsent(consent)).toBe(true)
  const back = await visitor.press(consent, 'continue')
  keepCookies(visitor)
  const answer = app.answerOf(request, back)
  keep('code', answer.code)
  keep('verifier', request.verifier)
  const { body } = await app.redeem(request, answer.code)
  keep('access token', body.access_token)
  keep('refresh token', body.refresh_token)

  // Signing in with a wrong and a right password; refresh, a token for the API, sign-in again.
  const other = createBrowser(server)
  const page = await other.get(app.begin().url)
  await other.press(page, 'continue', { identifier: 'vera', password: wrongPassword })
  const granted = await authorize(other, app, person)
  keepCookies(other)
  const refreshed = await app.refresh(granted.answer.body.refresh_token)
  keep('refresh token', refreshed.body.refresh_token)
  const forApi = await authorize(other, app, person, {
    resource: api,
    scope: 'openid offline_access read',
  })
  const jwt = (await app.refresh(forApi.answer.body.refresh_token, { resource: api })).body
  keep('JWT', jwt.access_token)
  expect(decodeJwt(jwt.access_token ?? '').aud).toBe(api)
  await service.introspect(jwt.access_token)
  await service.introspect(refreshed.body.access_token)
  await authorize(other, app, person, { prompt: 'login' })
  keepCookies(other)

  // A device, and a question by the backchannel, both answered.
  const device = await createApp(server, { preset: 'device' })
  const shown = await askForCode(device)
  keep('device code', shown.deviceCode)
  keep('user code', shown.userCode)
  keep('user code', shown.userCode.replace('-', ''))
  await poll(device, shown)
  await connect(createBrowser(server), shown, person)
  keep('access token', (await poll(device, shown)).body.access_token)
  const lost = await askForCode(device)
  keep('device code', lost.deviceCode)
  await other.press(await typeCode(other, lost), 'continue')
  const asking = await createApp(server, { preset: 'ciba' })
  const question = await ask(asking, { login_hint: 'vera', client_notification_token: 'unasked' })
  keep('auth_req_id', question.id)
  await decide(other, origin, 'continue')
  keep('access token', (await pollFor(asking, question)).body.access_token)

  // An app that came by itself, a native sign-in with its ways, an exchange, an assertion of somebody else's.
  const initial = await makeToken(server)
  keep('initial access token', initial)
  const { body: came } = await registerApp(server, initial, {
    redirect_uris: ['https://agent.example.com/cb'],
  })
  keep('client secret', came.client_secret)
  keep('registration access token', came.registration_access_token)
  await call('GET', came.registration_client_uri, came.registration_access_token)
  await call('PUT', came.registration_client_uri, came.registration_access_token, { client_id: 1 })
  const own = { preset: 'native', firstParty: true, authorizationChallenge: true }
  const native = await createApp(server, own)
  const challenge = { ...Object.fromEntries(native.begin().parameters), redirect_uri: undefined }
  const wrong = { ...challenge, username: 'vera', password: wrongPassword }
  const first = await native.post('authorize-challenge', wrong)
  keep('auth_session', String(first.body.auth_session))
  const right = { auth_session: String(first.body.auth_session), username: 'vera', password }
  const native2 = await native.post('authorize-challenge', { client_id: native.id, ...right })
  keep('code', String(native2.body.authorization_code))
  const client = await getClient(db, service.id)
  const source = await getClient(db, app.id)
  for (const audience of [api, service.id]) {
    await allowExchange(db, { client, source, audience, mode: 'delegation' }, operator)
  }
  const key = await createKey()
  const jwks = { keys: [key.publicJwk] }
  const partner = { issuer: 'https://partner.example.com', algorithms: ['ES256'], jwks }
  const rules = { subject: 'username' as const, scopes: ['read'], maxLifetimeSeconds: 300 }
  await createIssuer(db, { ...partner, ...rules, clients: [client] }, operator)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const assertion = await key.sign({
    iss: partner.issuer,
    sub: 'vera',
    aud: origin,
    jti: 'once',
    iat: now(),
    exp: now() + 60,
  })
  keep('assertion', assertion)
  const urn = 'urn:ietf:params:oauth:'
  const bring = { grant_type: `${urn}grant-type:jwt-bearer`, assertion, resource: api }
  keep('access token', (await service.post('token', bring)).body.access_token)
  await service.post('token', bring)
  const exchanged = await service.post('token', {
    grant_type: `${urn}grant-type:token-exchange`,
    subject_token: refreshed.body.access_token,
    subject_token_type: `${urn}token-type:access_token`,
    audience: service.id,
  })
  keep('exchanged token', exchanged.body.access_token)

  // Replays and mistakes, which are logged and audited.
  await app.redeem(request, answer.code)
  await app.refresh(granted.answer.body.refresh_token)
  await app.refresh(granted.answer.body.refresh_token, { client_secret: 'wrong' })
  await app.userinfo(body.access_token)
  await app.revoke(refreshed.body.access_token)
  const posted = await fetch(`${origin}/oauth2/authorize`, {
    method: 'POST',
    redirect: 'manual',
    body: app.begin().parameters,
  })
  const reference = new URL(posted.headers.get('location') ?? '', origin).searchParams.get('posted')
  keep('posted reference', reference ?? undefined)
  await other.get(`${origin}/oauth2/authorize?posted=${reference}`)
  const forItself = await service.post('token', { grant_type: 'client_credentials' })
  keep('service token', forItself.body.access_token)
  await fetch(`${origin}/oauth2/userinfo?access_token=${granted.answer.body.access_token}`)
  keep('access token', granted.answer.body.access_token)
  await other.press(await other.get(app.logoutUrl()), 'continue')
})

test('AD-12: no secret stands in the database', async () => {
  await expectNoneStored(pool)
})

test('IN-08: no secret stands in the log, at its most talkative', () => {
  expect(server.log.length).toBeGreaterThan(50)
  expectNone('the log', server.log.join('\n'))
})

test('IN-08: no secret stands in the metrics', async () => {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
  const text = await response.text()
  expect(text).toContain('idp_')
  expectNone('the metrics', text)
})
