/** A passkey where an app asks for a strong sign-in, after a password or in a session: whose it must be, and in what order. */
import { decodeJwt } from 'jose'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { type Authenticator, createAuthenticator, type Wrong } from '../support/authenticator.ts'
import { makePasskey, optionsOf } from '../support/passkeys.ts'
import { createBrowser, createPerson, type Person, signInAt } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const claims = JSON.stringify({ id_token: { acr: { essential: true, value: 'phr' } } })
let app: App
let person: Person
let device: Authenticator
let browser: Visitor

beforeAll(async () => {
  app = await createApp(server, { firstParty: true })
})

beforeEach(async () => {
  browser = createBrowser(server)
  ;({ person, device } = await createOwner())
})

async function createOwner() {
  const owner = await createPerson(server)
  const key = createAuthenticator(server.origin)
  const own = createBrowser(server)
  await signInAt(own, await own.get(`${server.origin}/sign-in?to=passkeys`), owner)
  await makePasskey(server, own, key)
  return { person: owner, device: key }
}

const givePassword = (page: Page) =>
  browser.press(page, 'continue', { identifier: person.username, password: person.password })

async function answerOn(page: Page, wrong: Wrong = {}, key = device): Promise<Page> {
  const answer = key.get(await optionsOf(browser, page), wrong)
  return browser.press(page, 'continue', { answer })
}

async function toldOf(request: ReturnType<App['begin']>, page: Page) {
  const { body } = await app.redeem(request, app.answerOf(request, page).code ?? '')
  return decodeJwt(body.id_token ?? '')
}

test('after the password the passkey is asked for, and the app is told of both', async () => {
  const request = app.begin({ claims })
  const page = await givePassword(await browser.get(request.url))
  expect(page.url).toMatch(/\/passkey$/)
  expect(page.body).toContain(person.username)
  const told = await toldOf(request, await answerOn(page))
  expect(told).toMatchObject({ acr: 'phr', amr: ['pwd', 'swk', 'user', 'mfa'] })
})

test('in a session only the passkey is asked for', async () => {
  await givePassword(await browser.get(`${server.origin}/sign-in`))
  const request = app.begin({ claims })
  const page = await browser.get(request.url)
  expect(page.url).toMatch(/\/passkey$/)
  expect((await toldOf(request, await answerOn(page))).acr).toBe('phr')
})

test('WA-12 the passkey of somebody else is no second factor, nor is one that is not verified', async () => {
  const page = await givePassword(await browser.get(app.begin({ claims }).url))
  const other = await createOwner()
  for (const [wrong, key] of [
    [{}, other.device],
    [{ userVerified: false }, device],
    [{ counter: 0, signature: Buffer.alloc(70) }, device],
  ] as const) {
    const refused = await answerOn(page, wrong, key)
    expect(refused.status).toBe(422)
    expect(refused.error).toContain('was not accepted')
  }
  expect((await browser.get(`${server.origin}/account`)).url).toContain('/sign-in/')
})

test('AC-20 without the first proof there is no second step: not its page, its options or its answer', async () => {
  const page = await browser.get(app.begin({ claims }).url)
  const path = page.url
  expect((await browser.get(`${path}/passkey`)).url).toBe(path)
  const form = (action: string) => {
    const [, csrf = ''] = /name="csrf" value="([^"]*)"/.exec(page.body) ?? []
    const body = `<form action="${action}"><input name="csrf" value="${csrf}"><button id="go"></button></form>`
    return browser.press({ ...page, body }, 'go', { answer: '{}' })
  }
  expect((await form(`${path}/passkey/options`)).url).toBe(path)
  expect((await form(`${path}/passkey`)).url).toBe(path)
  // The challenge of the first step is of no use in the second.
  const first = await optionsOf(browser, page)
  const second = await givePassword(page)
  const answer = device.get(first)
  const refused = await browser.press(second, 'continue', { answer })
  expect(refused.error).toContain('longer than five minutes')
})

test('whoever has no passkey is not let in, and the app is told', async () => {
  person = await createPerson(server)
  const request = app.begin({ claims })
  const page = await givePassword(await browser.get(request.url))
  expect(app.answerOf(request, page).error).toBe('unmet_authentication_requirements')
})
