/** Wherever somebody comes in, late, twice, or without cookies, there is a way on to the same app. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createVisitor, type Page, type Visitor } from '../../src/demo/visitor.ts'
import { createKey, signRequest } from '../support/client-keys.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  isConsent,
  password,
  signInAt,
  stepwise,
} from '../support/person.ts'
import { createApp, push, type Request } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const app = await createApp(server)
const person = await createPerson(server)
const login = { identifier: person.username, password }

/** The page says what is wrong in words and offers the app again; and that works, to a code. */
async function expectWayOn(visitor: Visitor, page: Page, request: Request): Promise<void> {
  expect(page.url.startsWith(origin)).toBe(true)
  expect(page.body).toContain('id="continue"')
  expect(page.body).toContain('App 1')
  const next = await visitor.follow(page, 'continue')
  const back = next.url.startsWith(app.redirectUri) ? next : await onward(visitor, next)
  const { code } = app.answerOf(request, back)
  expect((await app.redeem(request, code)).status).toBe(200)
}

function onward(visitor: Visitor, page: Page): Promise<Page> {
  return isConsent(page) ? visitor.press(page, 'continue') : signInAt(visitor, page, person)
}

async function expire(): Promise<void> {
  await db
    .updateTable('interactions')
    .set({ expiresAt: sql<Date>`now() - interval '1 second'` })
    .execute()
}

test('a flow that expired while the page stood open goes on', async () => {
  const visitor = createBrowser(server)
  const request = app.begin()
  const page = await visitor.get(request.url)
  await expire()
  const late = await visitor.press(page, 'continue', login)
  expect(late.status).toBe(410)
  await expectWayOn(visitor, late, request)
})

test('a flow that expired on the consent page goes on, and nothing was remembered', async () => {
  const visitor = createBrowser(server)
  const separate = await createPerson(server)
  const request = app.begin()
  const consent = await visitor.press(await visitor.get(request.url), 'continue', {
    identifier: separate.username,
    password,
  })
  await expire()
  const late = await visitor.press(consent, 'continue')
  const again = await visitor.follow(late, 'continue')
  expect(isConsent(again)).toBe(true)
  expect(app.answerOf(request, await visitor.press(again, 'continue')).code).toBeTruthy()
})

test('a bookmarked page of a flow that is over goes on', async () => {
  const visitor = createBrowser(server)
  const request = app.begin()
  const page = await visitor.get(request.url)
  await onward(visitor, page)
  const bookmark = await visitor.get(page.url)
  expect(bookmark.status).toBe(409)
  await expectWayOn(visitor, bookmark, request)
})

test('a bookmarked page of long ago, or of nowhere, still leads to the sign-in here', async () => {
  const visitor = createBrowser(server)
  for (const path of [
    '/sign-in/unknown-flow',
    '/sign-in/unknown-flow/consent',
    '/sign-in/x/register',
  ]) {
    const page = await visitor.get(origin + path)
    expect(page.status).toBe(410)
    const next = await visitor.follow(page, 'continue')
    expect(next.body).toContain('id="password"')
  }
})

test('the password sent twice: the second click gets to the app as well', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, app, person)
  const request = app.begin({ prompt: 'login' })
  const page = await visitor.get(request.url)
  const first = await visitor.press(page, 'continue', login)
  expect(app.answerOf(request, first).code).toBeTruthy()
  await expectWayOn(visitor, await visitor.press(page, 'continue', login), request)
})

test('the password sent twice at once signs in once, and both clicks lead on', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, app, person)
  const request = app.begin({ prompt: 'login' })
  const page = await visitor.get(request.url)
  const clicks = await Promise.all([
    visitor.press(page, 'continue', login),
    visitor.press(page, 'continue', login),
  ])
  const codes = clicks.filter(({ url }) => url.includes('code='))
  expect(codes).toHaveLength(1)
  const [other] = clicks.filter(({ url }) => !url.includes('code='))
  await expectWayOn(visitor, other as Page, request)
})

test('consent sent twice: the second click gets to the app as well', async () => {
  const visitor = createBrowser(server)
  const separate = await createPerson(server)
  const request = app.begin()
  const consent = await visitor.press(await visitor.get(request.url), 'continue', {
    identifier: separate.username,
    password,
  })
  expect(app.answerOf(request, await visitor.press(consent, 'continue')).code).toBeTruthy()
  const twice = await visitor.press(consent, 'continue')
  const next = await visitor.follow(twice, 'continue')
  expect(app.answerOf(request, next).code).toBeTruthy()
})

test('the back button after the sign-in leads on', async () => {
  const visitor = createBrowser(server)
  const request = app.begin()
  const page = await visitor.get(request.url)
  await visitor.press(page, 'continue', login)
  await expectWayOn(visitor, await visitor.get(page.url), request)
})

test('OA-22: a flow that another browser began is refused, and that browser gets one of its own', async () => {
  const attacker = createBrowser(server)
  const request = app.begin()
  const page = await attacker.get(request.url)
  const victim = createBrowser(server)
  const opened = await victim.get(page.url)
  expect(opened.status).toBe(409)
  expect(opened.body).not.toContain('id="password"')
  expect((await victim.press(page, 'continue', login).catch(() => undefined))?.url).not.toContain(
    'code=',
  )
  const next = await victim.follow(opened, 'continue')
  expect(next.url).not.toBe(page.url)
  expect(next.body).toContain('id="password"')
  expect((await attacker.get(page.url)).body).toContain('id="password"')
})

test('OA-22: the way back to the engine is the beginner\u2019s as well', async () => {
  const attacker = createBrowser(server)
  const page = await attacker.get(app.begin().url)
  const resume = await stepwise(attacker).press(page, 'continue', login)
  expect(resume.url).toContain('/oauth2/authorize/')
  const victim = createBrowser(server)
  const stolen = await victim.get(resume.url)
  expect(stolen.url).not.toContain('code=')
  expect(stolen.body).toContain('id="continue"')
  const begun = await victim.follow(stolen, 'continue')
  expect(begun.body).toContain('id="password"')
})

test('a browser that keeps no cookies is told so, and is not sent in circles', async () => {
  const page = await createBrowser(server).get(app.begin().url)
  const forgetful = createBrowser(server)
  const shown = await forgetful.get(page.url)
  expect(shown.status).toBe(409)
  expect(shown.body).toMatch(/cookie/i)
  const response = await fetch(page.url, {
    method: 'POST',
    body: new URLSearchParams(login),
    headers: { origin },
  })
  expect(response.status).toBe(409)
  expect(await response.text()).toMatch(/cookie/i)
})

test('an app that is not there any more leaves the sign-in here', async () => {
  const visitor = createBrowser(server)
  const short = await createApp(server)
  const page = await visitor.get(short.begin().url)
  await db.deleteFrom('interactions').where('clientId', '=', short.id).execute()
  const late = await visitor.press(page, 'continue', login)
  expect(late.status).toBe(410)
  expect((await visitor.follow(late, 'continue')).body).toContain('id="password"')
})

test('AC-20: no step can be opened before its turn', async () => {
  const visitor = createBrowser(server)
  const page = await visitor.get(app.begin().url)
  for (const step of ['consent', 'verify-email', 'select-account']) {
    expect((await visitor.get(`${page.url}/${step}`)).url).toBe(page.url)
  }
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
  const cookie = [...visitor.cookies.values()]
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
  for (const step of ['consent', 'select-account', 'verify-email']) {
    const response = await fetch(`${page.url}/${step}`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie, origin },
      body: new URLSearchParams({ csrf, decision: 'allow', choice: 'continue', code: '123456' }),
    })
    expect(new URL(response.headers.get('location') ?? '', origin).href).toBe(page.url)
  }
  // Nor the way back to the engine: it asks again.
  const resume = page.url.replace('/sign-in/', '/oauth2/authorize/')
  expect((await visitor.get(resume)).body).toContain('id="password"')
})

test('OA-23: what a consent form adds is not granted', async () => {
  const visitor = createBrowser(server)
  const separate = await createPerson(server)
  const request = app.begin({ scope: 'openid' })
  const consent = await visitor.press(await visitor.get(request.url), 'continue', {
    identifier: separate.username,
    password,
  })
  const back = await visitor.press(consent, 'continue', {
    scope: 'openid email offline_access',
    scopes: 'email',
    account: person.id,
  })
  const { body } = await app.redeem(request, app.answerOf(request, back).code)
  expect(body.scope).toBe('openid')
})

test('WB-05: no form is taken without its proof, or from another site', async () => {
  const visitor = createBrowser(server)
  const page = await visitor.get(app.begin().url)
  const foreign = createVisitor({ at: [origin], headers: { origin: 'https://evil.example' } })
  for (const [key, cookie] of visitor.cookies) foreign.cookies.set(key, cookie)
  const attempts = [
    await visitor.press(page, 'continue', { ...login, csrf: '' }),
    await visitor.press(page, 'continue', { ...login, csrf: 'A'.repeat(43) }),
  ]
  expect(attempts.map(({ status }) => status)).toEqual([403, 403])
  const cookie = [...visitor.cookies.values()]
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
  const crossSite = await fetch(page.url, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie, origin: 'https://evil.example' },
    body: new URLSearchParams({ ...login, csrf }),
  })
  expect(crossSite.status).toBe(403)
})

test.each([
  ['pushes its requests', { requirePar: true }],
  ['signs its requests', { requireRequestObject: true }],
])('an app that %s is where it goes on: no link of ours can begin again', async (_, settings) => {
  const key = await createKey()
  const strict = await createApp(server, {
    appUrl: 'https://strict.example.com',
    redirectUris: ['https://strict.example.com/cb'],
    jwks: { keys: [key.publicJwk] },
    ...settings,
  })
  const whose = { clientId: strict.id, audience: origin }
  for (const [language, words] of [
    ['en', 'can begin this again'],
    ['zh-CN', '重新发起登录'],
  ] as const) {
    const visitor = createBrowser(server, language)
    const object = await signRequest(key, whose, strict.begin().parameters)
    const { body } = await strict.post('par', { request: object })
    const by = { client_id: strict.id, request_uri: String(body.request_uri) }
    const page = await visitor.get(`${origin}/oauth2/authorize?${new URLSearchParams(by)}`)
    await expire()
    const late = await visitor.press(page, 'continue', login)
    expect(late.status).toBe(410)
    expect(late.body).toContain(words)
    expect(late.body).toMatch(/id="continue" href="https:\/\/strict\.example\.com/)
    expect(late.body).not.toContain('/oauth2/authorize')
  }
})

test('an app that begins sign-ins for others is asked to begin anew, and told by whom (OpenID Connect Core §4)', async () => {
  const begins = await createApp(server, {
    appUrl: 'https://begins.example.com',
    redirectUris: ['https://begins.example.com/cb'],
    initiateLoginUri: 'https://begins.example.com/login?tenant=1',
  })
  const visitor = createBrowser(server)
  const page = await visitor.get(begins.begin().url)
  await expire()
  const late = await visitor.press(page, 'continue', login)
  expect(late.status).toBe(410)
  const [, href = ''] = /id="continue" href="([^"]+)"/.exec(late.body) ?? []
  expect(href.replace('&amp;', '&')).toBe(
    `https://begins.example.com/login?tenant=1&${new URLSearchParams({ iss: origin })}`,
  )
})

test('an app on a phone that pushes its requests has no address to link to, and is named', async () => {
  const native = await createApp(server, {
    preset: 'native',
    redirectUris: ['com.example.app:/cb'],
    requirePar: true,
  })
  const visitor = createBrowser(server)
  const page = await visitor.get((await push(native, native.begin())).url)
  await expire()
  const late = await visitor.press(page, 'continue', login)
  expect(late.body).toContain('can begin this again')
  expect(late.body).not.toContain('id="continue"')
})
