/** Authorization and sign-out by POST from another site: kept here, answered by 303, cookies stay Lax. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { authorize, createBrowser, createPerson, isConsent } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const person = await createPerson(server)
const app = await createApp(server)

/** A form of another site: no cookies come with it, its answer is followed by GET. */
async function post(endpoint: 'authorize' | 'logout', parameters: URLSearchParams) {
  const response = await fetch(`${origin}/oauth2/${endpoint}`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: 'https://app1.example.com', 'sec-fetch-site': 'cross-site' },
    body: parameters,
  })
  const location = response.headers.get('location') ?? ''
  return { response, url: new URL(location || '/', origin).href }
}

test('an authorization request by POST finds the session that its POST did not bring', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, app, person)
  const request = app.begin()
  const { response, url } = await post('authorize', request.parameters)
  expect(response.status).toBe(303)
  expect(response.headers.getSetCookie()).toEqual([])
  for (const [name, value] of request.parameters) {
    if (name.startsWith('code_challenge') || name === 'state') expect(url).not.toContain(value)
  }
  const { code } = app.answerOf(request, await visitor.get(url))
  expect((await app.redeem(request, code)).status).toBe(200)
})

test('a reload of the GET works, and a restart from its pages too', async () => {
  const visitor = createBrowser(server)
  const request = app.begin()
  const { url } = await post('authorize', request.parameters)
  const first = await visitor.get(url)
  const again = await visitor.get(url)
  expect(first.body).toContain('id="password"')
  expect(again.body).toContain('id="password"')
  expect(again.url).not.toBe(first.url)
  await db.updateTable('interactions').set({ expiresAt: sql<Date>`now()` }).execute()
  const late = await visitor.get(again.url)
  expect((await visitor.follow(late, 'continue')).body).toContain('id="password"')
})

test('an unknown or expired reference is answered in words', async () => {
  const visitor = createBrowser(server)
  const { url } = await post('authorize', app.begin().parameters)
  await db.updateTable('postedRequests').set({ expiresAt: sql<Date>`now()` }).execute()
  for (const address of [url, `${origin}/oauth2/authorize?posted=unknown`]) {
    const page = await visitor.get(address)
    expect(page.status).toBe(400)
    expect(page.error).toBeTruthy()
    expect(page.body).toMatch(/id="(continue|sign-in)"/)
  }
})

test('a reference for one address is of no use at the other', async () => {
  const { url } = await post('authorize', app.begin().parameters)
  const page = await createBrowser(server).get(url.replace('/authorize', '/logout'))
  expect(page.status).toBe(400)
})

test('sign-out by POST asks as by GET does, and ends the session', async () => {
  const visitor = createBrowser(server)
  const { answer } = await authorize(visitor, app, person)
  const parameters = new URLSearchParams({ id_token_hint: answer.body.id_token ?? '', state: 's' })
  const { response, url } = await post('logout', parameters)
  expect(response.status).toBe(303)
  expect(url).not.toContain(answer.body.id_token)
  const page = await visitor.get(url)
  expect(page.body).toContain(person.username)
  await visitor.press(page, 'continue')
  expect((await visitor.get(app.begin().url)).body).toContain('id="password"')
})

test('cookies stay Lax, HttpOnly and without a domain', async () => {
  const response = await fetch(app.begin().url, {
    redirect: 'manual',
    headers: { cookie: 'session=of-long-ago' },
  })
  const cookies = response.headers.getSetCookie()
  expect(cookies.map((cookie) => cookie.replace(/(-[\w-]{6})?=.*/, '')).sort()).toEqual([
    'csrf',
    'flow',
    'resume',
    'session',
  ])
  for (const cookie of cookies) {
    expect(cookie).toMatch(/samesite=lax/i)
    expect(cookie).toMatch(/httponly/i)
    expect(cookie).not.toMatch(/domain=/i)
  }
})

test('what a POST carries twice, or too much of, is refused', async () => {
  const doubled = new URLSearchParams(app.begin().parameters)
  doubled.append('client_id', 'other')
  expect((await post('authorize', doubled)).response.status).toBe(400)
  const large = new URLSearchParams({
    ...Object.fromEntries(app.begin().parameters),
    x: 'x'.repeat(60_000),
  })
  expect((await post('authorize', large)).response.status).toBe(413)
  const many = new URLSearchParams(Array.from({ length: 300 }, (_, n) => [`p${n}`, '1']))
  expect((await post('authorize', many)).response.status).toBe(413)
})

test('a POST that asks for consent leads to the consent page of the person who is signed in', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, app, person)
  const { url } = await post('authorize', app.begin({ prompt: 'consent' }).parameters)
  expect(isConsent(await visitor.get(url))).toBe(true)
})

test('DS-07: what is kept for a stranger is small', async () => {
  const parameters = app.begin().parameters
  parameters.set('claims', `{"userinfo":{"${'x'.repeat(21_000)}":null}}`)
  const before = await db.selectFrom('postedRequests').select('idHash').execute()
  expect((await post('authorize', parameters)).response.status).toBe(413)
  expect(await db.selectFrom('postedRequests').select('idHash').execute()).toEqual(before)
})
