/** The offer of a passkey after a password: to whom, once on each device, and to nobody who is not let in. */
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { listPasskeys } from '../../src/credentials/passkeys.ts'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { type Authenticator, createAuthenticator } from '../support/authenticator.ts'
import { codeOf, giveAuthenticator } from '../support/factors.ts'
import { optionsOf } from '../support/passkeys.ts'
import { createBrowser, createPerson, type Person } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
let app: App
let person: Person
let device: Authenticator
let browser: Visitor

beforeAll(async () => {
  app = await createApp(server, { firstParty: true })
})

beforeEach(async () => {
  person = await createPerson(server)
  device = createAuthenticator(server.origin)
  browser = createBrowser(server)
})

/** `able` is what the script says of the device. */
async function signIn(visitor = browser, able = 'yes') {
  const request = app.begin({ prompt: 'login' })
  const page = await visitor.press(await visitor.get(request.url), 'continue', {
    identifier: person.username,
    password: person.password,
    passkeys: able,
  })
  return { request, page }
}

const isOffer = (page: Page) => page.url.endsWith('/add-passkey')

test('whoever has none is offered one, takes it along, and is not asked again', async () => {
  const { request, page } = await signIn()
  expect(isOffer(page)).toBe(true)
  const refused = await browser.press(page, 'add', { answer: '{}' })
  expect(refused.error).toContain('was not accepted')
  const answer = device.create(await optionsOf(browser, page))
  const done = await browser.press(page, 'add', { answer })
  expect(app.answerOf(request, done).code).toBeTruthy()
  expect(await listPasskeys(db, person.id)).toHaveLength(1)
  expect(isOffer((await signIn()).page)).toBe(false)
  expect(isOffer((await signIn(createBrowser(server))).page)).toBe(false)
})

test('"not now" is remembered for this person on this device', async () => {
  const { request, page } = await signIn()
  expect(app.answerOf(request, await browser.press(page, 'later')).code).toBeTruthy()
  expect(isOffer((await signIn()).page)).toBe(false)
  expect(isOffer((await signIn(createBrowser(server))).page)).toBe(true)
  person = await createPerson(server)
  expect(isOffer((await signIn()).page)).toBe(true)
})

test('with a code beside the password it is offered after the code, and "not now" is remembered', async () => {
  const secret = await giveAuthenticator(server, person)
  const first = await signIn()
  expect(first.page.url).toMatch(/\/code$/)
  const offer = await browser.press(first.page, 'continue', { code: codeOf(secret) })
  expect(isOffer(offer)).toBe(true)
  expect(app.answerOf(first.request, await browser.press(offer, 'later')).code).toBeTruthy()
  const again = await signIn()
  const done = await browser.press(again.page, 'continue', { code: codeOf(secret, 1) })
  expect(app.answerOf(again.request, done).code).toBeTruthy()
  // A device that cannot is offered nothing, whatever the page of the code is sent.
  await db.updateTable('authenticators').set({ lastStep: 0 }).execute()
  const other = createBrowser(server)
  const unable = await signIn(other, '')
  const code = codeOf(secret)
  const page = await other.press(unable.page, 'continue', { code })
  expect(app.answerOf(unable.request, page).code).toBeTruthy()
})

test('a device that cannot, or has no script, is offered nothing', async () => {
  const { request, page } = await signIn(browser, '')
  expect(app.answerOf(request, page).code).toBeTruthy()
})

test('AC-20 before the password nothing is offered, neither page nor options nor the act', async () => {
  const page = await browser.get(app.begin().url)
  expect((await browser.get(`${page.url}/add-passkey`)).url).toBe(page.url)
  const [, csrf = ''] = /name="csrf" value="([^"]*)"/.exec(page.body) ?? []
  for (const action of [`${page.url}/add-passkey`, `${page.url}/add-passkey/options`]) {
    const body = `<form action="${action}"><input name="csrf" value="${csrf}"><button id="go"></button></form>`
    expect((await browser.press({ ...page, body }, 'go', { answer: '{}' })).url).toBe(page.url)
  }
})

test('WA-16 what one flow was given is of no use in another, nor when the flow is over', async () => {
  const first = await signIn()
  const other = createBrowser(server)
  const second = await signIn(other)
  const answer = device.create(await optionsOf(browser, first.page))
  expect((await other.press(second.page, 'add', { answer })).error).toContain('five minutes')
  await browser.press(first.page, 'later')
  expect([409, 410]).toContain((await browser.press(first.page, 'add', { answer })).status)
  expect(await listPasskeys(db, person.id)).toEqual([])
})
