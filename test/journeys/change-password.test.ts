/** A new password by its owner who is signed in, and what must not come with it. */
import { beforeAll, expect, test } from 'vitest'
import { ageSessions, isSignedIn, mailTo, signedIn } from '../support/account.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
const next = 'a quiet harbour in the north'

beforeAll(async () => {
  server = await startTestServer()
})

test('keeps this device, signs out all others with their tokens, and tells the person (PW-10)', async () => {
  const person = await createPerson(server)
  const app = await createApp(server)
  const other = createBrowser(server)
  const { answer } = await authorize(other, app, person, { scope: 'openid offline_access' })
  const browser = await signedIn(server, person)
  const form = await browser.get(`${server.origin}/account/password`)
  const done = await browser.press(form, 'continue', { new_password: next })
  expect(done.url).toBe(`${server.origin}/account/security`)
  expect(done.body).toContain('Your password is changed')
  expect((await browser.get(done.url)).body).not.toContain('Your password is changed')
  expect(await isSignedIn(server, browser)).toBe(true)
  expect(await isSignedIn(server, other)).toBe(false)
  expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
  expect(await isSignedIn(server, await signedIn(server, { ...person, password: next }))).toBe(true)
  expect(await isSignedIn(server, await signedIn(server, person))).toBe(false)
  await mailTo(server, person.email, /password of your account .+ was changed/)
})

test('an old session cannot: the form asks for a sign-in first, and a late post as well (PW-09)', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  const form = await browser.get(`${server.origin}/account/password`)
  await ageSessions(server, 15)
  expect((await browser.get(`${server.origin}/account/password`)).url).toContain('/sign-in/')
  // Within half an hour of the sign-in what was typed still counts.
  await ageSessions(server, 20)
  const late = await browser.press(form, 'continue', { new_password: next })
  expect(late.url).toContain('/sign-in/')
  expect(await isSignedIn(server, await signedIn(server, person))).toBe(true)
})

test('needs the proof of our page, and keeps the rules for passwords', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  const form = await browser.get(`${server.origin}/account/password`)
  const forged = await browser.press(form, 'continue', { new_password: next, csrf: 'x' })
  expect(forged.status).toBe(403)
  for (const bad of ['', 'short', 'password123', person.username.repeat(2)]) {
    expect((await browser.press(form, 'continue', { new_password: bad })).status).toBe(422)
  }
  expect(await isSignedIn(server, await signedIn(server, person))).toBe(true)
})
