/** Signing out: who is asked, what ends, where the person goes, and that nothing brings the session back. */
import { decodeJwt, importJWK, SignJWT } from 'jose'
import { beforeEach, expect, test } from 'vitest'
import { createKeyring } from '../../src/crypto.ts'
import type { Visitor } from '../../src/demo/visitor.ts'
import { loadSigningKeys } from '../../src/oidc/signing-keys.ts'
import { auditOf } from '../support/audit.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  type Granted,
  isConsent,
  type Person,
  stepwise,
} from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db, pool } = server.database
const farewell = 'https://bye.example.com/done'
const app = await createApp(server, { postLogoutRedirectUris: [farewell] })
const second = await createApp(server)

let person: Person
let visitor: Visitor
let granted: Granted

beforeEach(async () => {
  person = await createPerson(server)
  visitor = createBrowser(server)
  granted = await authorize(visitor, app, person)
})

const hint = () => granted.answer.body.id_token
const cookieOf = (browser: Visitor) =>
  [...browser.cookies.values()].find(({ name }) => name === 'session')?.value ?? ''
const isSignedIn = async (browser = visitor) => {
  const request = app.begin({ prompt: 'none' })
  return app.answerOf(request, await browser.get(request.url)).code !== undefined
}

test('OI-05: a GET signs nobody out, with or without a hint; it asks', async () => {
  for (const parameters of [{}, { client_id: app.id }, { id_token_hint: hint() }]) {
    const page = await visitor.get(app.logoutUrl(parameters))
    expect(page.status).toBe(200)
    expect(page.body).toContain(person.username)
    expect(await isSignedIn()).toBe(true)
  }
})

test('after confirmation the person is signed out everywhere here, and is told of what', async () => {
  await authorize(visitor, second, person)
  const page = await visitor.get(app.logoutUrl({ client_id: app.id }))
  expect(page.body).toContain('App 1')
  const done = await visitor.press(page, 'continue')
  expect(done.url).toBe(`${origin}/oauth2/logout/success`)
  expect(done.body).toContain('App 1')
  expect(done.body).toContain('App 2')
  expect(await isSignedIn()).toBe(false)
  expect((await visitor.get(app.begin().url)).body).toContain('id="password"')
  const events = await auditOf(db, 'session.ended')
  expect(events.filter(({ accountId }) => accountId === person.id)).toMatchObject([
    { actorKind: 'person', actorId: person.id },
  ])
})

test('with a registered address and a state the person goes back to the app', async () => {
  const parameters = {
    id_token_hint: hint(),
    post_logout_redirect_uri: farewell,
    state: 'x y&z=<b>',
  }
  const done = await visitor.press(await visitor.get(app.logoutUrl(parameters)), 'continue')
  const url = new URL(done.url)
  expect(url.origin + url.pathname).toBe(farewell)
  expect(url.searchParams.get('state')).toBe('x y&z=<b>')
})

test('OI-06: an expired hint still names the app, one that was altered is refused', async () => {
  const old = await resigned({ exp: Math.floor(Date.now() / 1000) - 86_400 })
  const page = await visitor.get(
    app.logoutUrl({ id_token_hint: old, post_logout_redirect_uri: farewell }),
  )
  expect(page.body).toContain('App 1')
  expect((await visitor.press(page, 'cancel')).url).toContain(farewell)
  const [header, payload] = (hint() ?? '').split('.')
  for (const bad of [`${header}.${payload}.AAAA`, `${header}.${payload}.`, 'junk']) {
    const refused = await visitor.get(app.logoutUrl({ id_token_hint: bad }))
    expect([refused.status, refused.headers.get('location')]).toEqual([400, null])
  }
  expect(await isSignedIn()).toBe(true)
})

test('OI-06: an address that is not registered is answered on a page, and nobody is signed out', async () => {
  for (const uri of ['https://evil.example', `${farewell}/`, app.redirectUri]) {
    const page = await visitor.get(
      app.logoutUrl({ id_token_hint: hint(), post_logout_redirect_uri: uri }),
    )
    expect([page.status, page.headers.get('location')]).toEqual([400, null])
    expect(page.body).toMatch(/id="reference">/)
  }
  expect(await isSignedIn()).toBe(true)
})

test('OI-06: without a known app no address is followed', async () => {
  const page = await visitor.get(
    app.logoutUrl({ post_logout_redirect_uri: 'https://evil.example' }),
  )
  const done = await visitor.press(page, 'continue')
  expect(done.url.startsWith(origin)).toBe(true)
})

test('who stays is signed in as before', async () => {
  const page = await visitor.get(app.logoutUrl())
  const stayed = await visitor.press(page, 'cancel')
  expect(stayed.url.startsWith(origin)).toBe(true)
  expect(await isSignedIn()).toBe(true)
  expect((await app.userinfo(granted.answer.body.access_token)).status).toBe(200)
})

test('WB-05: the confirmation cannot be sent from elsewhere', async () => {
  const page = await visitor.get(app.logoutUrl())
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
  const send = (fields: Record<string, string>, cookie: string) =>
    fetch(`${origin}/oauth2/logout/confirm`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie },
      body: new URLSearchParams(fields),
    })
  const cookie = `session=${cookieOf(visitor)}`
  for (const [fields, from] of [
    [{ logout: 'yes' }, cookie],
    [{ logout: 'yes', xsrf: 'guess' }, cookie],
    [{ logout: 'yes', xsrf }, ''],
  ] as const) {
    const answer = await send(fields, from)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
  }
  expect(await isSignedIn()).toBe(true)
})

test('OI-07: the cookie of before is worth nothing, in this browser or another', async () => {
  const thief = createBrowser(server)
  for (const [key, cookie] of visitor.cookies) thief.cookies.set(key, cookie)
  await signOut()
  expect(await isSignedIn(thief)).toBe(false)
  expect((await thief.get(`${origin}/account`)).url).toContain('/sign-in/')
  const { rows } = await pool.query('select 1 from sessions where account_id = $1', [person.id])
  expect(rows).toEqual([])
})

test('OI-07: a flow that was under way is over, and offers to begin again', async () => {
  const request = second.begin()
  const consent = await visitor.get(request.url)
  expect(isConsent(consent)).toBe(true)
  await signOut()
  const late = await visitor.press(consent, 'continue')
  expect(late.url).not.toContain('code=')
  const again = await visitor.follow(late, 'continue')
  expect(again.body).toContain('id="password"')
  expect(await auditOf(db, 'consent.given', second.id)).not.toContainEqual(
    expect.objectContaining({ accountId: person.id }),
  )
})

test('tokens that end with the session are dead after it, offline ones live on', async () => {
  const online = await authorize(visitor, second, person, { scope: 'openid email' })
  expect(online.answer.body.refresh_token).toBeUndefined()
  await signOut()
  expect((await second.userinfo(online.answer.body.access_token)).status).toBe(401)
  expect((await second.introspect(online.answer.body.access_token)).body).toEqual({ active: false })
  const kept = await app.refresh(granted.answer.body.refresh_token)
  expect((await app.userinfo(kept.body.access_token)).body.sub).toBe(person.id)
})

test('a code that was not redeemed before the sign-out is worth nothing after it', async () => {
  const request = second.begin({ scope: 'openid email' })
  const back = await visitor.press(await visitor.get(request.url), 'continue')
  await signOut()
  const late = await second.redeem(request, second.answerOf(request, back).code)
  expect(late).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
})

test('RC-14: a request that ends after the sign-out does not bring the session back', async () => {
  // Both were read with the session alive; whichever is written last, it stays ended.
  const browsers = Array.from({ length: 6 }, () => copyOf(visitor))
  const confirm = await visitor.get(app.logoutUrl())
  const late = browsers.map((browser) => stepwise(browser).get(app.begin().url))
  const [, ...answers] = await Promise.all([visitor.press(confirm, 'continue'), ...late])
  expect(answers.every(({ status }) => status === 303)).toBe(true)
  for (const browser of [visitor, ...browsers]) expect(await isSignedIn(browser)).toBe(false)
  const { rows } = await pool.query('select 1 from sessions where account_id = $1', [person.id])
  expect(rows).toEqual([])
})

test('who signs out on the account page is signed out for every app', async () => {
  const page = await visitor.get(`${origin}/account`)
  const button = /<button[^>]*id="([^"]*sign-out[^"]*|continue)"/.exec(page.body)?.[1] ?? ''
  await visitor.press(page, button)
  expect(await isSignedIn()).toBe(false)
})

test('signing out twice, or without ever having signed in, ends on the same page', async () => {
  const page = await visitor.get(app.logoutUrl())
  await visitor.press(page, 'continue')
  const twice = await visitor.press(page, 'continue')
  expect(twice.status).toBeLessThan(500)
  const stranger = createBrowser(server)
  const asked = await stranger.get(app.logoutUrl({ client_id: app.id }))
  expect(asked.status).toBe(200)
})

/** The person's ID token with other claims, signed by the house as of then. */
async function resigned(claims: Record<string, unknown>): Promise<string> {
  const { keys } = await loadSigningKeys(db, createKeyring(server.config.secretKeys))
  const [key] = keys.filter(({ alg }) => alg === 'RS256')
  if (!key) throw new Error('no key')
  return new SignJWT({ ...decodeJwt(hint() ?? ''), ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid })
    .sign(await importJWK(key, 'RS256'))
}

async function signOut(): Promise<void> {
  await visitor.press(await visitor.get(app.logoutUrl()), 'continue')
}

function copyOf(browser: Visitor): Visitor {
  const copy = createBrowser(server)
  for (const [key, cookie] of browser.cookies) copy.cookies.set(key, cookie)
  return copy
}
