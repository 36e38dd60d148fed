/**
 * RL-01: the process or its database dies in the middle of a step. Before the commit nothing has happened and the same
 * step can be repeated; after it everything has, and whoever lost the answer can repeat it or begin again.
 */
import { expect, test } from 'vitest'
import type { Page } from '../../src/demo/visitor.ts'
import { cutOff } from '../support/hold.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  isConsent,
  obtainCode,
  password,
  stepwise,
} from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db, pool } = server.database
const app = await createApp(server)
const house = await createApp(server, { firstParty: true })
const person = await createPerson(server)
const login = { identifier: person.username, password }

const cut = <T>(table: string, act: () => Promise<T>) => cutOff(pool, table, act)

function expectAway(answer: { status: number; headers: Headers }): void {
  expect(answer.status).toBe(503)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(answer.headers.get('location')).toBeNull()
  expect(answer.headers.getSetCookie()).toEqual([])
}

async function signedIn() {
  const visitor = createBrowser(server)
  const { answer } = await authorize(visitor, app, person)
  return { visitor, tokens: answer.body }
}

test('what only reads, cut: everybody is told to come again, in their own form', async () => {
  const { visitor, tokens } = await signedIn()
  const read = <T>(table: string, act: () => Promise<T>) =>
    cutOff(pool, table, act, { readers: true })
  for (const page of [
    await read('sessions', () => visitor.get(app.begin().url)),
    await read('sessions', () => visitor.get(app.logoutUrl())),
  ]) {
    expectAway(page)
    expect(page.body).toContain('id="continue"')
  }
  for (const answer of [
    await read('access_tokens', () => app.userinfo(tokens.access_token)),
    await read('access_tokens', () => app.introspect(tokens.access_token)),
    await read('refresh_tokens', () => app.refresh(tokens.refresh_token)),
  ]) {
    expectAway(answer)
    expect(answer.body.error).toBe('temporarily_unavailable')
  }
  expect((await app.userinfo(tokens.access_token)).status).toBe(200)
})

test('authorize, cut: nothing was issued, and the same address works', async () => {
  const { visitor } = await signedIn()
  const request = app.begin()
  const page = await cut('authorization_codes', () => visitor.get(request.url))
  expectAway(page)
  expect(page.body).toContain('id="continue"')
  const again = await visitor.follow(page, 'continue')
  expect((await app.redeem(request, app.answerOf(request, again).code)).status).toBe(200)
})

test('authorize without a session, cut: no flow was begun, and the same address works', async () => {
  const visitor = createBrowser(server)
  const page = await cut('interactions', () => visitor.get(app.begin().url))
  expectAway(page)
  expect((await visitor.follow(page, 'continue')).body).toContain('id="password"')
})

test('the password, cut: nobody is signed in, and the same form works', async () => {
  const visitor = createBrowser(server)
  const request = house.begin()
  const page = await visitor.get(request.url)
  const away = await cut('interactions', () => visitor.press(page, 'continue', login))
  expect(away.status).toBe(503)
  const back = await visitor.press(page, 'continue', login)
  expect(house.answerOf(request, back).code).toBeTruthy()
})

test('the way back to the app, cut: neither session nor code, and it can be gone again', async () => {
  const visitor = createBrowser(server)
  const request = house.begin()
  const page = await visitor.get(request.url)
  const resume = await stepwise(visitor).press(page, 'continue', login)
  const away = await cut('authorization_codes', () => visitor.get(resume.url))
  expectAway(away)
  expect([...visitor.cookies.values()].some(({ name }) => name === 'session')).toBe(false)
  const back = await visitor.follow(away, 'continue')
  const { code } = house.answerOf(request, back)
  expect((await house.redeem(request, code)).status).toBe(200)
})

test('the way back in a session, cut: the person is still signed in', async () => {
  const { visitor } = await signedIn()
  const request = app.begin({ prompt: 'login' })
  const resume = await stepwise(visitor).press(await visitor.get(request.url), 'continue', login)
  expectAway(await cut('authorization_codes', () => visitor.get(resume.url)))
  const silent = app.begin({ prompt: 'none' })
  expect(app.answerOf(silent, await visitor.get(silent.url)).code).toBeTruthy()
})

test('consent, cut: nothing is remembered, and the same form works', async () => {
  const newcomer = await createPerson(server)
  const visitor = createBrowser(server)
  const request = app.begin()
  const consent = await visitor.press(await visitor.get(request.url), 'continue', {
    identifier: newcomer.username,
    password,
  })
  const away = await cut('consents', () => visitor.press(consent, 'continue'))
  expect(away.status).toBe(503)
  const rows = await db
    .selectFrom('consents')
    .select('clientId')
    .where('accountId', '=', newcomer.id)
    .execute()
  expect(rows).toEqual([])
  const page = await visitor.get(consent.url)
  expect(isConsent(page)).toBe(true)
  expect(app.answerOf(request, await visitor.press(page, 'continue')).code).toBeTruthy()
})

test('redemption, cut: the code is unused, and the app may try again', async () => {
  const { visitor } = await signedIn()
  const { request, code } = await obtainCode(visitor, app, person)
  for (const table of ['access_tokens', 'refresh_tokens', 'authorization_codes']) {
    const answer = await cut(table, () => app.redeem(request, code))
    expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
    expect(answer.body.access_token).toBeUndefined()
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  expect((await app.redeem(request, code)).status).toBe(200)
})

test('refresh, cut: the token is unused, and the app may try again', async () => {
  const { tokens } = await signedIn()
  for (const table of ['access_tokens', 'refresh_tokens']) {
    const answer = await cut(table, () => app.refresh(tokens.refresh_token))
    expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
  }
  const next = await app.refresh(tokens.refresh_token)
  expect((await app.userinfo(next.body.access_token)).status).toBe(200)
})

test('sign-out, cut: the person is signed in, and may try again', async () => {
  const { visitor } = await signedIn()
  const page = await visitor.get(app.logoutUrl())
  const away = await cut('sessions', () => visitor.press(page, 'continue'))
  expect(away.status).toBe(503)
  const silent = () => app.begin({ prompt: 'none' })
  const before = silent()
  expect(app.answerOf(before, await visitor.get(before.url)).code).toBeTruthy()
  await visitor.press(await visitor.get(app.logoutUrl()), 'continue')
  const after = silent()
  expect(app.answerOf(after, await visitor.get(after.url)).error).toBe('login_required')
})

test('the answer to a redemption was lost: the code is dead, and the person opens the app again', async () => {
  const { visitor } = await signedIn()
  const { request, code } = await obtainCode(visitor, app, person)
  await app.redeem(request, code)
  expect((await app.redeem(request, code)).body.error).toBe('invalid_grant')
  const { answer } = await authorize(visitor, app, person)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
})

test('the answer to a refresh was lost: the app repeats it and stays signed in', async () => {
  const { tokens } = await signedIn()
  const lost = await app.refresh(tokens.refresh_token)
  const next = await app.refresh(tokens.refresh_token)
  expect(next.body.refresh_token).toBe(lost.body.refresh_token)
  expect((await app.refresh(next.body.refresh_token)).status).toBe(200)
})

test('the answers of the pages were lost: each step can be repeated from the page that is open', async () => {
  const newcomer = await createPerson(server)
  const visitor = createBrowser(server)
  const request = app.begin()
  const fields = { identifier: newcomer.username, password }
  // A copy of the browser gets the answers that this one never sees.
  const lose = async (act: (copy: ReturnType<typeof createBrowser>) => Promise<Page>) => {
    const copy = createBrowser(server)
    for (const [key, cookie] of visitor.cookies) copy.cookies.set(key, cookie)
    await act(stepwise(copy))
  }
  const signIn = await visitor.get(request.url)
  await lose((copy) => copy.press(signIn, 'continue', fields))
  const resume = await stepwise(visitor).press(signIn, 'continue', fields)
  const consent = await visitor.get(resume.url)
  expect(isConsent(consent)).toBe(true)
  await lose((copy) => copy.press(consent, 'continue'))
  const onward = await stepwise(visitor).press(consent, 'continue')
  await lose((copy) => copy.get(onward.url))
  // The code went out with the lost answer: the way back offers the app again, and no page is asked for.
  const done = await visitor.get(onward.url)
  const again = await visitor.follow(done, 'continue')
  expect(app.answerOf(request, again).code).toBeTruthy()
  expect((await visitor.get(`${origin}/account`)).body).toContain(newcomer.username)
})
