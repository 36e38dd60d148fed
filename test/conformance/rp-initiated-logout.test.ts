/**
 * oidcc-rp-initiated-logout-certification-test-plan (RP-Initiated Logout 1.0): an app sends the person to sign out. The
 * person confirms on a page that works without JavaScript.
 */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { expect, test } from 'vitest'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { createKey } from '../support/client-keys.ts'
import { authorize, createBrowser } from '../support/person.ts'
import type { Parameters } from '../support/relying-party.ts'
import { createApp, createPerson } from './cast.ts'
import { startProvider } from './support.ts'

const provider = await startProvider()
const { origin, metadata } = provider
const farewell = 'https://app.example.com/post_logout_redirect'
const [person, app] = await Promise.all([
  createPerson(provider, 'ada'),
  createApp(provider, [
    ...['--preset', 'generic', '--pkce', 'optional', '--scope', 'openid'],
    ...['--post-logout-redirect-uri', farewell],
  ]),
])

async function signedIn(): Promise<{ visitor: Visitor; hint: string }> {
  const visitor = createBrowser(provider)
  const { answer } = await authorize(visitor, app, person)
  return { visitor, hint: answer.body.id_token ?? '' }
}

/** The parameters of the suite, with changes; undefined leaves one out. */
function logOut(visitor: Visitor, hint: string, changes: Parameters = {}): Promise<Page> {
  const all = {
    id_token_hint: hint,
    post_logout_redirect_uri: farewell,
    state: 'x1 y2',
    ...changes,
  }
  return visitor.get(app.logoutUrl(all))
}

/** Is answered without a page: a code, or login_required. */
async function stateOf(visitor: Visitor) {
  const request = app.begin({ prompt: 'none' })
  const { code, error } = app.answerOf(request, await visitor.get(request.url))
  return code ? 'signed in' : error
}

async function expectRefused(visitor: Visitor, page: Page): Promise<void> {
  expect([page.status, page.url.startsWith(origin)]).toEqual([400, true])
  expect(page.body).toMatch(/id="reference">/)
  expect(await stateOf(visitor)).toBe('signed in')
}

async function expectSignedOutHere(visitor: Visitor, question: Page): Promise<void> {
  expect(question.status).toBe(200)
  const done = await visitor.press(question, 'continue')
  expect([done.status, done.url]).toEqual([200, `${origin}/oauth2/logout/success`])
  expect(await stateOf(visitor)).toBe('login_required')
}

test('oidcc-rp-initiated-logout-discovery-endpoint-verification: the endpoint is there, and https', () => {
  expect(metadata.end_session_endpoint).toBe(`${origin}/oauth2/logout`)
})

test('oidcc-rp-initiated-logout: back to the app with its state, and signed out', async () => {
  const { visitor, hint } = await signedIn()
  expect(await stateOf(visitor)).toBe('signed in')
  const back = new URL((await visitor.press(await logOut(visitor, hint), 'continue')).url)
  expect(`${back.origin}${back.pathname}`).toBe(farewell)
  expect(Object.fromEntries(back.searchParams)).toEqual({ state: 'x1 y2' })
  expect(await stateOf(visitor)).toBe('login_required')
})

test('oidcc-rp-initiated-logout-no-state: and nothing is added to the address', async () => {
  const { visitor, hint } = await signedIn()
  const question = await logOut(visitor, hint, { state: undefined })
  expect((await visitor.press(question, 'continue')).url).toBe(farewell)
  expect(await stateOf(visitor)).toBe('login_required')
})

test.each<[string, string]>([
  ['oidcc-rp-initiated-logout-bad-post-logout-redirect-uri', 'https://app.example.com/other'],
  ['oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri', `${farewell}?foo=bar`],
])('%s: a page says so, and nobody is sent to %s', async (_, uri) => {
  const { visitor, hint } = await signedIn()
  await expectRefused(visitor, await logOut(visitor, hint, { post_logout_redirect_uri: uri }))
})

test('oidcc-rp-initiated-logout-modified-id-token-hint: one that was changed to alg none is refused', async () => {
  const { visitor, hint } = await signedIn()
  const header = { ...decodeProtectedHeader(hint), alg: 'none' }
  const none = Buffer.from(JSON.stringify(header)).toString('base64url')
  await expectRefused(visitor, await logOut(visitor, `${none}.${hint.split('.')[1]}.`))
})

test('oidcc-rp-initiated-logout-bad-id-token-hint: one that somebody else has signed is refused', async () => {
  const { visitor, hint } = await signedIn()
  const foreign = await (await createKey('RS256')).sign(decodeJwt(hint))
  await expectRefused(visitor, await logOut(visitor, foreign))
})

test('oidcc-rp-initiated-logout-no-id-token-hint: the person is asked, and not sent to an address that nobody vouches for', async () => {
  const { visitor, hint } = await signedIn()
  const question = await logOut(visitor, hint, { id_token_hint: undefined })
  expect(question.url.startsWith(origin)).toBe(true)
  await expectSignedOutHere(visitor, question)
})

test.each<[string, Parameters]>([
  ['oidcc-rp-initiated-logout-no-params', { id_token_hint: undefined, state: undefined }],
  ['oidcc-rp-initiated-logout-no-post-logout-redirect-uri', {}],
  ['oidcc-rp-initiated-logout-only-state', { id_token_hint: undefined }],
])('%s: signed out, on a page that says so', async (_, changes) => {
  const { visitor, hint } = await signedIn()
  const without = { post_logout_redirect_uri: undefined, ...changes }
  await expectSignedOutHere(visitor, await logOut(visitor, hint, without))
})
