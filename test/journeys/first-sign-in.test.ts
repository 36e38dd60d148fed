/** The main job over HTTP: become a person here in the middle of an app's request, and open a second app. */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { authorize, createBrowser, createPerson, isConsent } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const keySet = createLocalJWKSet(
  (await (await fetch(`${origin}/oauth2/jwks`)).json()) as JSONWebKeySet,
)

test('a stranger registers in the flow of an app, proves the mailbox, consents and is signed in', async () => {
  const app = await createApp(server)
  const visitor = createBrowser(server)
  const request = app.begin()

  const signIn = await visitor.get(request.url)
  const register = await visitor.follow(signIn, 'register')
  const proof = await visitor.press(register, 'continue', {
    username: 'alice',
    email: 'Alice@Example.org',
    password: 'a long and quiet river',
    name: 'Alice Liddell',
  })
  const code = await server.mailedCode('Alice@example.org')
  const consent = await visitor.press(proof, 'continue', { code })
  expect(isConsent(consent)).toBe(true)
  const back = await visitor.press(consent, 'continue')
  const { body } = await app.redeem(request, app.answerOf(request, back).code)

  expect(body).toMatchObject({
    token_type: 'Bearer',
    expires_in: 3600,
    scope: 'openid profile email groups offline_access',
    refresh_token: expect.any(String),
  })
  const { payload } = await jwtVerify(body.id_token ?? '', keySet, {
    issuer: origin,
    audience: app.id,
    algorithms: ['RS256'],
  })
  const claims = {
    sub: expect.stringMatching(/^[0-9a-f-]{36}$/),
    name: 'Alice Liddell',
    given_name: 'Alice',
    family_name: 'Liddell',
    preferred_username: 'alice',
    email: 'alice@example.org',
    email_verified: true,
    groups: [],
  }
  expect(payload).toMatchObject({ ...claims, nonce: request.nonce, acr: '1fa', amr: ['pwd'] })
  expect((await app.userinfo(body.access_token)).body).toMatchObject(claims)
})

test('a person signs in by username or by address, however its case is written', async () => {
  const person = await createPerson(server, { roles: ['admin', 'staff'] })
  const app = await createApp(server)
  for (const identifier of [person.username, person.email, person.email.toUpperCase()]) {
    const login = { username: identifier, password: person.password }
    const { answer } = await authorize(createBrowser(server), app, login)
    const { payload } = await jwtVerify(answer.body.id_token ?? '', keySet)
    expect(payload).toMatchObject({ sub: person.id, groups: ['admin', 'staff'] })
  }
})

test('a wrong password and an unknown person get the same words, and what was typed stays', async () => {
  const person = await createPerson(server)
  const app = await createApp(server)
  const visitor = createBrowser(server)
  const page = await visitor.get(app.begin().url)
  const wrong = await visitor.press(page, 'continue', {
    identifier: person.username,
    password: 'not this one',
  })
  const unknown = await visitor.press(page, 'continue', {
    identifier: 'nobody',
    password: 'not this one',
  })
  expect(wrong.error).toBeTruthy()
  expect([wrong.status, wrong.error]).toEqual([unknown.status, unknown.error])
  expect(wrong.body).toContain(`value="${person.username}"`)
  expect(unknown.body).toContain('value="nobody"')
  expect(wrong.body.replaceAll(person.username, 'nobody').length).toBe(unknown.body.length)
})

test('a second app of the house opens without typing and without consent', async () => {
  const person = await createPerson(server)
  const first = await createApp(server)
  const second = await createApp(server, { firstParty: true })
  const visitor = createBrowser(server)
  await authorize(visitor, first, person)

  const request = second.begin()
  const page = await visitor.get(request.url)
  const answer = await second.redeem(request, second.answerOf(request, page).code)
  const { payload } = await jwtVerify(answer.body.id_token ?? '', keySet, { audience: second.id })
  expect(payload.sub).toBe(person.id)
})

test('somebody else\u2019s second app asks for consent once, in any browser', async () => {
  const person = await createPerson(server)
  const first = await createApp(server)
  const second = await createApp(server)
  const visitor = createBrowser(server)
  await authorize(visitor, first, person)

  const request = second.begin()
  const asked = await visitor.get(request.url)
  expect(isConsent(asked)).toBe(true)
  const back = await visitor.press(asked, 'continue')
  expect(second.answerOf(request, back).code).toBeTruthy()

  const again = second.begin()
  expect(second.answerOf(again, await visitor.get(again.url)).code).toBeTruthy()

  // A new session, at another machine: signing in is all.
  const elsewhere = createBrowser(server)
  const third = second.begin()
  const signIn = await elsewhere.get(third.url)
  const page = await elsewhere.press(signIn, 'continue', {
    identifier: person.username,
    password: person.password,
  })
  expect(second.answerOf(third, page).code).toBeTruthy()
})

test('an app that wants more than it was allowed asks for all of it, and keeps both', async () => {
  const person = await createPerson(server)
  const app = await createApp(server)
  const visitor = createBrowser(server)
  const little = await authorize(visitor, app, person, { scope: 'openid email' })
  expect(little.answer.body.scope).toBe('openid email')

  const request = app.begin({ scope: 'openid profile' })
  const asked = await visitor.get(request.url)
  expect(isConsent(asked)).toBe(true)
  app.answerOf(request, await visitor.press(asked, 'continue'))

  const both = app.begin({ scope: 'openid email profile' })
  const { code } = app.answerOf(both, await visitor.get(both.url))
  expect((await app.redeem(both, code)).body.scope).toBe('openid email profile')
})

test('who says no to consent goes back to the app with access_denied, and is asked again', async () => {
  const person = await createPerson(server)
  const app = await createApp(server)
  const visitor = createBrowser(server)
  const request = app.begin()
  const consent = await visitor.press(await visitor.get(request.url), 'continue', {
    identifier: person.username,
    password: person.password,
  })
  const answer = app.answerOf(request, await visitor.press(consent, 'cancel'))
  expect(answer.error).toBe('access_denied')
  expect(answer.code).toBeUndefined()
  expect(isConsent(await visitor.get(app.begin().url))).toBe(true)
})

test('a person whose account is disabled learns it after the right password only', async () => {
  const person = await createPerson(server)
  await disableAccount(server.database.db, person.id, 'left', { kind: 'operator' })
  const app = await createApp(server)
  const visitor = createBrowser(server)
  const page = await visitor.get(app.begin().url)
  const guess = (password: string) =>
    visitor.press(page, 'continue', { identifier: person.username, password })
  const [wrong, right] = [await guess('not this one'), await guess(person.password)]
  expect([wrong.status, right.status]).toEqual([422, 403])
  expect(wrong.error).not.toBe(right.error)
})
