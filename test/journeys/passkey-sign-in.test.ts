/** Signing in with a passkey on the way to an app: who it is, what the app is told, and everything that is no proof. */
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { listPasskeys, removePasskeysOf } from '../../src/credentials/passkeys.ts'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { auditOf } from '../support/audit.ts'
import { type Authenticator, createAuthenticator, type Wrong } from '../support/authenticator.ts'
import { makePasskey, optionsOf } from '../support/passkeys.ts'
import { createBrowser, createPerson, isConsent, type Person, signInAt } from '../support/person.ts'
import { type App, createApp, type Parameters } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
let app: App
let person: Person
let device: Authenticator
let browser: Visitor

beforeAll(async () => {
  app = await createApp(server)
})

beforeEach(async () => {
  person = await createPerson(server)
  device = createAuthenticator(server.origin)
  const own = createBrowser(server)
  await signInAt(own, await own.get(`${server.origin}/sign-in?to=passkeys`), person)
  await makePasskey(server, own, device)
  browser = createBrowser(server)
})

const open = (parameters: Parameters = {}, visitor = browser) =>
  visitor.get(app.begin(parameters).url)

async function answerOn(page: Page, wrong?: Wrong, visitor = browser): Promise<Page> {
  const answer = device.get(await optionsOf(visitor, page), wrong)
  return visitor.press(page, 'with-passkey', { answer })
}

test('nobody types who they are, and the app learns who it is and how it was proven', async () => {
  const request = app.begin({ scope: 'openid profile' })
  let page = await browser.get(request.url)
  expect(page.body).toContain('autocomplete="username webauthn"')
  const options = await optionsOf(browser, page)
  expect(options.allowCredentials ?? []).toEqual([])
  page = await answerOn(page)
  expect(isConsent(page)).toBe(true)
  page = await browser.press(page, 'continue')
  const { body } = await app.redeem(request, String(new URL(page.url).searchParams.get('code')))
  const [, payload = ''] = String(body.id_token).split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  expect(claims).toMatchObject({ preferred_username: person.username, acr: 'phr' })
  expect(claims.amr).toEqual(expect.arrayContaining(['swk', 'user', 'mfa']))
  expect(claims.amr).not.toContain('pwd')
  const events = await auditOf(db, 'sign_in.succeeded')
  expect(events.at(-1)).toMatchObject({ accountId: person.id, detail: { amr: claims.amr } })
  expect((await listPasskeys(db, person.id))[0]?.lastUsedAt).toBeInstanceOf(Date)
})

test('a key that is bound to its device is told so', async () => {
  device = createAuthenticator(server.origin, { synced: false })
  const own = createBrowser(server)
  await signInAt(own, await own.get(`${server.origin}/sign-in?to=passkeys`), person)
  await makePasskey(server, own, device)
  await answerOn(await open())
  const events = await auditOf(db, 'sign_in.succeeded')
  expect(events.at(-1)?.detail.amr).toEqual(['hwk', 'user', 'mfa'])
})

const wrongs: [string, Wrong][] = [
  ['WA-03 another origin', { origin: 'http://localhost:1' }],
  ['WA-04 a frame', { crossOrigin: true }],
  ['WA-06 no verification', { userVerified: false }],
  ['WA-10 an empty signature', { signature: Buffer.alloc(0) }],
  ["another's handle", { userHandle: Buffer.alloc(32).toString('base64url') }],
]
test.each(wrongs)('%s signs nobody in, and the page says what to do', async (_, wrong) => {
  const page = await answerOn(await open(), wrong)
  expect(page.status).toBe(422)
  expect(page.error).toContain('was not accepted')
  expect(page.body).not.toContain('aria-invalid')
  expect((await browser.get(`${server.origin}/account`)).url).toContain('/sign-in/')
})

test('WA-02 an answer is good once, in its own flow; another browser and another flow get nothing', async () => {
  const page = await open()
  const second = await open()
  const answer = device.get(await optionsOf(browser, page))
  const elsewhere = await browser.press(second, 'with-passkey', { answer })
  expect(elsewhere.error).toContain('longer than five minutes')
  const stranger = createBrowser(server)
  const theirs = await stranger.press(await open({}, stranger), 'with-passkey', { answer })
  expect(theirs.error).toContain('longer than five minutes')
  expect(isConsent(await browser.press(page, 'with-passkey', { answer }))).toBe(true)
  const replayed = await browser.press(second, 'with-passkey', { answer })
  expect(replayed.status).toBe(422)
})

test('RC-07 of twenty presses of one answer one is taken', async () => {
  const page = await open()
  const answer = device.get(await optionsOf(browser, page))
  const presses = Array.from({ length: 20 }, () => browser.press(page, 'with-passkey', { answer }))
  await Promise.all(presses)
  const events = await auditOf(db, 'sign_in.succeeded')
  const mine = events.filter(
    ({ accountId, detail }) => accountId === person.id && String(detail.amr).includes('swk'),
  )
  expect(mine).toHaveLength(1)
})

test('OI-11 an account that is switched off stays out', async () => {
  await disableAccount(db, person.id, 'test', { kind: 'operator' })
  const page = await answerOn(await open())
  expect(page.status).toBe(403)
  expect(page.error).toContain('switched off')
})

test('a passkey that was removed is refused, and the browser is told to forget it', async () => {
  await removePasskeysOf(db, person.id, { kind: 'operator' })
  const page = await answerOn(await open())
  expect(page.status).toBe(422)
  expect(page.body.replaceAll('&quot;', '"')).toContain(
    `{"unknown":{"rpId":"localhost","credentialId":"${device.credentialId.toString('base64url')}"}}`,
  )
})

test('WB-05 options and answers want a page of ours', async () => {
  const page = await open()
  const forged = await browser.press(page, 'with-passkey', { csrf: 'x', answer: '{}' })
  expect(forged.status).toBe(403)
})

test('OI-10 whoever signs in with a passkey ends the session of the one before', async () => {
  const other = await createPerson(server)
  await signInAt(browser, await browser.get(`${server.origin}/sign-in`), other)
  const page = await open({ prompt: 'login', scope: 'openid profile' })
  const consent = await answerOn(page)
  expect(consent.body).toContain(person.username)
  expect(consent.body).not.toContain(other.username)
})

test('PW-15 somebody whose name was used up by a guesser comes in', async () => {
  const strict = await startTestServer({
    env: { LIMIT_FACTOR: '1' },
    database: server.database,
    dataDir: server.config.dataDir,
  })
  const theirs = await createApp(strict)
  const owner = await createPerson(strict)
  const own = createBrowser(strict)
  device = createAuthenticator(strict.origin)
  await signInAt(own, await own.get(`${strict.origin}/sign-in?to=passkeys`), owner)
  await makePasskey(strict, own, device)

  const visitor = createBrowser(strict)
  let page = await visitor.get(theirs.begin().url)
  for (let count = 0; count < 11; count++) {
    page = await visitor.press(page, 'continue', { identifier: owner.username, password: 'wrong' })
  }
  expect(page.status).toBe(429)
  expect(isConsent(await answerOn(page, {}, visitor))).toBe(true)
})
