/** Sign-out between app, engine and page: whose sid, who is told, where the browser goes, which frames it loads. */
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { sessionIdFor } from '../../src/sessions/sessions.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database

const told = await createApp(server, {
  name: 'Told',
  backchannelLogoutUri: 'https://told.example.com/logout',
})
const framed = await createApp(server, {
  name: 'Old Wiki',
  redirectUris: ['https://wiki.example.com/cb'],
  postLogoutRedirectUris: ['https://wiki.example.com/bye'],
  frontchannelLogoutUri: 'https://wiki.example.com/logout?from=us',
})
const plain = await createApp(server, {
  name: 'Plain',
  redirectUris: ['https://plain.example.com/cb'],
  postLogoutRedirectUris: ['https://plain.example.com/bye'],
  scope: 'openid profile',
})

async function signedInAt(...apps: App[]) {
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  const tokens: string[] = []
  for (const app of apps) {
    tokens.push((await authorize(visitor, app, person)).answer.body.id_token ?? '')
  }
  return { person, visitor, tokens }
}

const confirm = (visitor: Visitor) => visitor.get(`${origin}/oauth2/logout`)
const policyOf = (page: Page) => page.headers.get('content-security-policy') ?? ''
const framesOf = (page: Page) =>
  [...page.body.matchAll(/<iframe\b[^>]*\bsrc="([^"]*)"/g)].map(([, src = '']) =>
    src.replaceAll('&amp;', '&'),
  )
const deliveries = async (accountId: string) =>
  (
    await db
      .selectFrom('logoutDeliveries')
      .select('clientId')
      .where('accountId', '=', accountId)
      .execute()
  ).map(({ clientId }) => clientId)

test('OI-12: discovery promises both ways of telling apps, with the session named', async () => {
  const discovery = await (await fetch(`${origin}/.well-known/openid-configuration`)).json()
  expect(discovery).toMatchObject({
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    frontchannel_logout_supported: true,
    frontchannel_logout_session_supported: true,
  })
  // OI-13
  expect(discovery).not.toHaveProperty('check_session_iframe')
})

test('an app that will be told learns the session’s id, its own, and others learn none', async () => {
  const { person, visitor, tokens } = await signedInAt(told, framed, plain)
  const [first, second, none] = tokens.map((token) => decodeJwt(token).sid)
  expect(first).toMatch(/^[\w-]{32}$/)
  expect(second).toMatch(/^[\w-]{32}$/)
  expect(first).not.toBe(second)
  expect(none).toBeUndefined()

  const again = await authorize(visitor, told, person)
  expect(decodeJwt(again.answer.body.id_token ?? '').sid).toBe(first)
  const elsewhere = await authorize(createBrowser(server), told, person)
  expect(decodeJwt(elsewhere.answer.body.id_token ?? '').sid).not.toBe(first)
})

test('OI-05: looking at the sign-out page signs nobody out and tells nobody', async () => {
  const { person, visitor } = await signedInAt(told)
  await confirm(visitor)
  await visitor.get(told.logoutUrl({ client_id: told.id }))
  expect(await deliveries(person.id)).toEqual([])
  expect((await visitor.get(`${origin}/account`)).body).toContain(person.username)
})

test('who stays signed in here has left the app that asked, and that one alone is told', async () => {
  const { person, visitor, tokens } = await signedInAt(told, framed)
  const page = await visitor.get(told.logoutUrl({ id_token_hint: tokens[0] }))
  await visitor.press(page, 'cancel')
  expect(await deliveries(person.id)).toEqual([told.id])
  expect((await visitor.get(`${origin}/account`)).body).toContain(person.username)
  const { answer } = await authorize(visitor, framed, person)
  expect(answer.status).toBe(200)
})

test('an app that was never opened in this session is not told when it asks', async () => {
  const { person, visitor } = await signedInAt(framed)
  const page = await visitor.get(told.logoutUrl({ client_id: told.id }))
  await visitor.press(page, 'cancel')
  expect(await deliveries(person.id)).toEqual([])
})

test('an old app is loaded in a frame with issuer and session, and that page alone may load it', async () => {
  const { person, visitor, tokens } = await signedInAt(framed, plain)
  const before = await confirm(visitor)
  expect(policyOf(before)).not.toContain('frame-src')

  const page = await visitor.press(before, 'continue')
  const [frame = ''] = framesOf(page)
  expect(framesOf(page)).toHaveLength(1)
  const { sid } = decodeJwt(tokens[0] ?? '')
  expect(frame.startsWith('https://wiki.example.com/logout?from=us&')).toBe(true)
  expect(Object.fromEntries(new URL(frame).searchParams)).toEqual({ from: 'us', iss: origin, sid })
  expect(policyOf(page).split('; ')).toContain('frame-src https://wiki.example.com')
  expect(page.body).toMatch(/<li class="asked">[\s\S]*Old Wiki/)
  expect(await deliveries(person.id)).toEqual([])
  expect(policyOf(await visitor.get(`${origin}/`))).not.toContain('frame-src')
})

test('without an old app the browser goes straight back to the app that asked', async () => {
  const { visitor, tokens } = await signedInAt(plain, told)
  const parameters = {
    id_token_hint: tokens[0],
    post_logout_redirect_uri: 'https://plain.example.com/bye',
    state: 'as it was',
  }
  const back = await visitor.press(await visitor.get(plain.logoutUrl(parameters)), 'continue')
  expect(back.url).toBe('https://plain.example.com/bye?state=as+it+was')
})

test('with an old app the page comes between, and leads on to the app that asked', async () => {
  const { visitor, tokens } = await signedInAt(plain, framed)
  const parameters = {
    id_token_hint: tokens[0],
    post_logout_redirect_uri: 'https://plain.example.com/bye',
    state: 'as it was',
  }
  const page = await visitor.press(await visitor.get(plain.logoutUrl(parameters)), 'continue')
  expect(page.url).toBe(`${origin}/oauth2/logout/success`)
  expect(framesOf(page)).toHaveLength(1)
  expect(page.body).toMatch(
    /<a [^>]*id="continue" data-onward href="https:\/\/plain.example.com\/bye\?state=as\+it\+was">Back to Plain</,
  )
})

test('OI-06: an address that is not registered is an error page, with the hint long expired too', async () => {
  const { visitor, tokens } = await signedInAt(plain)
  const page = await visitor.get(
    plain.logoutUrl({
      id_token_hint: tokens[0],
      post_logout_redirect_uri: 'https://evil.example.com/',
    }),
  )
  expect([page.status, page.url.startsWith(origin)]).toEqual([400, true])
})

test('signing out ends what hung on the session, and leaves what was given to outlive it', async () => {
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  const bound = (await authorize(visitor, plain, person)).answer.body
  const offline = (await authorize(visitor, told, person)).answer.body
  expect((await plain.userinfo(bound.access_token)).status).toBe(200)

  const page = await visitor.press(await confirm(visitor), 'continue')

  expect((await plain.userinfo(bound.access_token)).status).toBe(401)
  expect((await told.refresh(offline.refresh_token)).status).toBe(200)
  // The truth about an app that cannot be told and was allowed to go on: for how long at most.
  expect(page.body).toMatch(/<li class="(pending|untold|told)">[\s\S]*Told/)
  expect(page.body).toMatch(
    /<li class="keeps">[\s\S]*Plain[\s\S]*Stays open until you sign out there/,
  )
})

test('an app that may go on without the person says for how long', async () => {
  const lasting = await createApp(server, { name: 'Lasting' })
  const { visitor } = await signedInAt(lasting)
  const page = await visitor.press(await confirm(visitor), 'continue')
  expect(page.body).toMatch(
    /<li class="keeps">[\s\S]*Lasting[\s\S]*Stays open until [^<]+ at the latest/,
  )
})

test('two tabs that sign out at once tell each app once, and neither shows a fault', async () => {
  const { person, visitor } = await signedInAt(told)
  const pages = await Promise.all([confirm(visitor), confirm(visitor)])
  const ends = await Promise.all(pages.map((page) => visitor.press(page, 'continue')))
  for (const page of ends) expect(page.status).toBeLessThan(500)
  expect(await deliveries(person.id)).toEqual([told.id])
  expect((await visitor.get(`${origin}/account`)).url).toContain('/sign-in')
})

test('what is remembered for the page is sealed: a cookie of somebody’s making shows nothing', async () => {
  const visitor = createBrowser(server)
  for (const value of ['e30', Buffer.from('{"uid":"x","ids":[]}').toString('base64url'), '']) {
    visitor.cookies.set('ended', { name: 'ended', value, path: '/', host: new URL(origin).host })
    const page = await visitor.get(`${origin}/oauth2/logout/success`)
    expect([page.status, framesOf(page)]).toEqual([200, []])
    expect(page.body).not.toContain('<ul')
  }
})

test('a session id says nothing of the session: another app’s cannot be made from one’s own', () => {
  const [one, two] = [sessionIdFor('uid', 'a'), sessionIdFor('uid', 'b')]
  expect(one).not.toBe(two)
  expect(sessionIdFor('uid', 'a')).toBe(one)
  expect(sessionIdFor('uid2', 'a')).not.toBe(one)
})
