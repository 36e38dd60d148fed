/** What an app can ask of the moment of signing in: prompts, age, language, claims, and how the answer travels. */
import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import {
  authorize,
  createBrowser,
  createPerson,
  isConsent,
  password,
  stepwise,
} from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
const person = await createPerson(server)
const login = { identifier: person.username, password }
const app = await createApp(server)
const house = await createApp(server, { firstParty: true })

/** A browser in which the person is signed in and has consented to the app. */
async function signedIn() {
  const visitor = createBrowser(server)
  const { answer } = await authorize(visitor, app, person)
  return { visitor, claims: decodeJwt(answer.body.id_token ?? '') }
}

/** As if the person had signed in that much earlier. */
async function age(seconds: number): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ signedInAt: sql<Date>`signed_in_at - make_interval(secs => ${seconds})` })
    .where('accountId', '=', person.id)
    .execute()
}

test('OI-01: prompt=login and max_age=0 ask for the password again and tell a new auth_time', async () => {
  for (const parameters of [{ prompt: 'login' }, { max_age: '0' }]) {
    const { visitor } = await signedIn()
    await age(100)
    const { answer: before } = await authorize(visitor, app, person)
    const request = app.begin(parameters)
    const page = await visitor.get(request.url)
    expect(page.body).toContain('id="password"')
    const back = await visitor.press(page, 'continue', login)
    const answer = await app.redeem(request, app.answerOf(request, back).code)
    const was = Number(decodeJwt(before.body.id_token ?? '').auth_time ?? 0)
    const is = Number(decodeJwt(answer.body.id_token ?? '').auth_time)
    expect(is).toBeGreaterThan(was)
    expect(Math.abs(is - Date.now() / 1000)).toBeLessThan(30)
  }
})

test('max_age asks when the sign-in is older, and only then', async () => {
  const { visitor } = await signedIn()
  await age(500)
  const young = app.begin({ max_age: '3600' })
  const back = await visitor.get(young.url)
  const { body } = await app.redeem(young, app.answerOf(young, back).code)
  expect(decodeJwt(body.id_token ?? '').auth_time).toBeTypeOf('number')
  expect((await visitor.get(app.begin({ max_age: '300' }).url)).url).toContain('/sign-in/')
})

test('OI-01: prompt=none with another prompt is refused', async () => {
  const { visitor } = await signedIn()
  for (const prompt of ['none login', 'none consent', 'none select_account']) {
    const request = app.begin({ prompt })
    expect(app.answerOf(request, await visitor.get(request.url)).error).toBe('invalid_request')
  }
})

test('prompt=none answers without a page: a code, consent_required or login_required', async () => {
  const { visitor } = await signedIn()
  const silent = async (to: typeof app, browser = visitor, parameters = {}) => {
    const request = to.begin({ prompt: 'none', ...parameters })
    return to.answerOf(request, await browser.get(request.url))
  }
  expect((await silent(app)).code).toBeTruthy()
  expect((await silent(house)).code).toBeTruthy()
  expect((await silent(await createApp(server))).error).toBe('consent_required')
  expect((await silent(app, createBrowser(server))).error).toBe('login_required')
  await age(1000)
  expect((await silent(app, visitor, { max_age: '10' })).error).toBe('login_required')
})

test('prompt=consent always asks, our own apps too, and only once', async () => {
  const { visitor } = await signedIn()
  for (const to of [app, house]) {
    const request = to.begin({ prompt: 'consent' })
    const page = await visitor.get(request.url)
    expect(isConsent(page)).toBe(true)
    const back = await visitor.press(page, 'continue')
    const { body } = await to.redeem(request, to.answerOf(request, back).code)
    expect(body.refresh_token).toBeTruthy()
  }
})

test('prompt=select_account offers the account that is signed in', async () => {
  const { visitor, claims } = await signedIn()
  const request = app.begin({ prompt: 'select_account' })
  const page = await visitor.get(request.url)
  expect(page.url).toContain('/select-account')
  expect(page.body).toContain(person.username)
  const back = await visitor.press(page, 'continue')
  const { body } = await app.redeem(request, app.answerOf(request, back).code)
  expect(decodeJwt(body.id_token ?? '').sub).toBe(claims.sub)
})

test('prompt=select_account and another account: the password is asked for once, the account not again', async () => {
  const { visitor } = await signedIn()
  const other = await createPerson(server)
  const request = app.begin({ prompt: 'select_account' })
  const page = await visitor.press(await visitor.get(request.url), 'switch')
  expect(page.body).toContain('id="password"')
  const consent = await visitor.press(page, 'continue', { identifier: other.username, password })
  expect(isConsent(consent), consent.url).toBe(true)
  const back = await visitor.press(consent, 'continue')
  const { body } = await app.redeem(request, app.answerOf(request, back).code)
  expect(decodeJwt(body.id_token ?? '').sub).toBe(other.id)
})

test('prompt=select_account without a session is a sign-in and nothing more', async () => {
  const visitor = createBrowser(server)
  const request = house.begin({ prompt: 'select_account' })
  const page = await visitor.get(request.url)
  expect(page.body).toContain('id="password"')
  const back = await visitor.press(page, 'continue', login)
  expect(house.answerOf(request, back).code).toBeTruthy()
})

test('OI-02: who begins prompt=login and goes away keeps the session as it was', async () => {
  const { visitor, claims } = await signedIn()
  await visitor.get(app.begin({ prompt: 'login' }).url)
  const { answer } = await authorize(visitor, app, person)
  expect(decodeJwt(answer.body.id_token ?? '').auth_time).toBe(claims.auth_time)
})

test('OI-03: an app that asks for a second factor is not told that there was one', async () => {
  const visitor = createBrowser(server)
  const claims = JSON.stringify({ id_token: { acr: { value: '2fa' } } })
  const { answer } = await authorize(visitor, app, person, { acr_values: '2fa', claims })
  expect(decodeJwt(answer.body.id_token ?? '')).toMatchObject({ acr: '1fa', amr: ['pwd'] })
})

test('ui_locales decides the language of the pages of its flow', async () => {
  const visitor = createBrowser(server, 'en')
  const page = await visitor.get(app.begin({ ui_locales: 'fr zh-CN en' }).url)
  expect(page.body).toContain('<html lang="zh-CN"')
  const refused = await visitor.press(page, 'continue', { ...login, password: 'wrong' })
  expect(refused.body).toContain('<html lang="zh-CN"')
  expect((await visitor.get(app.begin().url)).body).toContain('<html lang="en"')
})

test('without ui_locales the account\u2019s own language comes before the browser\u2019s', async () => {
  const chinese = await createPerson(server, { locale: 'zh-CN' })
  const visitor = createBrowser(server, 'en')
  const page = await visitor.get(app.begin().url)
  const consent = await visitor.press(page, 'continue', { identifier: chinese.username, password })
  expect(consent.body).toContain('<html lang="zh-CN"')
})

test('the claims parameter brings single claims, after consent, to where they were asked for', async () => {
  const visitor = createBrowser(server)
  const wanting = await createApp(server, { scope: 'openid' })
  const claims = JSON.stringify({
    id_token: { preferred_username: null },
    userinfo: { email: { essential: true } },
  })
  const { answer } = await authorize(visitor, wanting, person, { claims })
  const idToken = decodeJwt(answer.body.id_token ?? '')
  expect(idToken).toMatchObject({ sub: person.id, preferred_username: person.username })
  expect(idToken.email).toBeUndefined()
  const { body } = await wanting.userinfo(answer.body.access_token)
  expect(body).toMatchObject({ sub: person.id, email: person.email })
  expect(body.preferred_username).toBeUndefined()

  const again = wanting.begin({ claims })
  expect(wanting.answerOf(again, await visitor.get(again.url)).code).toBeTruthy()
})

test('an app that may refresh gets a refresh token without prompt=consent', async () => {
  const visitor = createBrowser(server)
  for (const to of [app, house]) {
    const { answer } = await authorize(visitor, to, person, { scope: 'openid offline_access' })
    expect(answer.body.refresh_token).toBeTruthy()
    expect(answer.body.scope).toBe('openid offline_access')
  }
})

test('an app that may not refresh gets none, and no consent speaks of it', async () => {
  const simple = await createApp(server, { scope: 'openid profile' })
  const visitor = createBrowser(server)
  const request = simple.begin({ scope: 'openid profile offline_access' })
  const page = await visitor.press(await visitor.get(request.url), 'continue', login)
  expect(isConsent(page)).toBe(true)
  expect(page.body).not.toMatch(/while you are away|stay signed in|offline/i)
  const back = await visitor.press(page, 'continue')
  const { body } = await simple.redeem(request, simple.answerOf(request, back).code)
  expect([body.refresh_token, body.scope]).toEqual([undefined, 'openid profile'])
})

test('OA-24: consent for offline_access withdrawn is asked for again', async () => {
  const visitor = createBrowser(server)
  const separate = await createApp(server)
  await authorize(visitor, separate, person)
  await db.deleteFrom('consents').where('clientId', '=', separate.id).execute()
  await db.deleteFrom('grants').where('clientId', '=', separate.id).execute()
  const silent = separate.begin({ prompt: 'none' })
  expect(separate.answerOf(silent, await visitor.get(silent.url)).error).toBe('consent_required')
})

test('form_post carries the answer in a form that our CSP lets submit itself', async () => {
  const { visitor } = await signedIn()
  const request = app.begin({ response_mode: 'form_post', state: '"><b>' })
  const page = await visitor.get(request.url)
  const script = /<script>([\s\S]*?)<\/script>/.exec(page.body)?.[1] ?? ''
  const hash = createHash('sha256').update(script).digest('base64')
  const policy = page.headers.get('content-security-policy') ?? ''
  expect(policy).toContain(`'sha256-${hash}'`)
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toContain('unsafe-inline')
  expect(page.headers.get('cache-control')).toContain('no-store')
  expect(page.body).toContain(`action="${app.redirectUri}"`)
  expect(page.body).not.toContain('"><b>')
  const code = /name="code" value="([^"]+)"/.exec(page.body)?.[1]
  expect(page.body).toContain(`name="iss" value="${server.origin}"`)
  expect((await app.redeem(request, code)).status).toBe(200)
})

test('a fragment answer is one too', async () => {
  const { visitor } = await signedIn()
  const request = app.begin({ response_mode: 'fragment' })
  const { hash } = new URL((await visitor.get(request.url)).url)
  const answer = new URLSearchParams(hash.slice(1))
  expect(answer.get('iss')).toBe(server.origin)
  expect((await app.redeem(request, answer.get('code') ?? '')).status).toBe(200)
})

test('OA-12: after the password and after consent the browser is sent on by 303', async () => {
  const visitor = createBrowser(server)
  const steps = stepwise(visitor)
  const page = await visitor.get(app.begin({ prompt: 'consent' }).url)
  const resume = await steps.press(page, 'continue', login)
  expect([resume.status, resume.url.includes('/oauth2/authorize/')]).toEqual([303, true])
  const consent = await visitor.get(resume.url)
  expect((await steps.press(consent, 'continue')).status).toBe(303)
})
