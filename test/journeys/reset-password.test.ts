/** A forgotten password: the ways through, and what an attacker tries on them. */
import { beforeAll, describe, expect, test } from 'vitest'
import { listRememberedDevices } from '../../src/credentials/remembered-devices.ts'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { isSignedIn, jobsDone, mailsTo, mailTo, signedIn } from '../support/account.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { giveIdentity } from '../support/identities.ts'
import { makePasskey } from '../support/passkeys.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  type Person,
  password,
  signInAt,
  stepwise,
} from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
const next = 'a quiet harbour in the north'
const codeIn = /^ {4}(\d{6})$/m
/** Not the one of a registration that went to the same mailbox. */
const resetCodeIn = /wants a new password[\s\S]*?^ {4}(\d{6})$/m
const linkIn = /(\/reset-password\?token=[\w-]+)/

beforeAll(async () => {
  server = await startTestServer()
})

async function ask(browser: Visitor, email: string, from = '/reset-password'): Promise<Page> {
  const form = await browser.get(server.origin + from)
  return browser.press(form, 'continue', { email })
}

async function reset(browser: Visitor, person: Person): Promise<Page> {
  const page = await ask(browser, person.email)
  const code = await mailTo(server, person.email, resetCodeIn)
  const proven = await browser.press(page, 'continue', { code })
  return browser.press(proven, 'continue', { new_password: next })
}

async function canSignIn(person: Person, password: string): Promise<boolean> {
  const browser = await signedIn(server, { ...person, password })
  return isSignedIn(server, browser)
}

test('by the code: the new password counts, the old one does not, and nobody is signed in by it (AC-12)', async () => {
  const person = await createPerson(server)
  const browser = createBrowser(server)
  const done = await reset(browser, person)
  expect(done.body).toContain('Your password is changed')
  expect(done.body).not.toContain('These open your account as well')
  expect(await isSignedIn(server, browser)).toBe(false)
  expect(await canSignIn(person, next)).toBe(true)
  expect(await canSignIn(person, person.password)).toBe(false)
  await mailTo(server, person.email, /has set a new password/)
})

test('inside a request of an app, which goes on afterwards', async () => {
  const person = await createPerson(server)
  const app = await createApp(server)
  const browser = createBrowser(server)
  const request = app.begin()
  const page = await browser.follow(await browser.get(request.url), 'forgot')
  expect(page.url).toMatch(/\/sign-in\/[^/]+\/reset-password$/)
  const asked = await browser.press(page, 'continue', { email: person.email })
  const code = await mailTo(server, person.email, codeIn)
  const both = await browser.press(asked, 'continue', { code, new_password: next })
  const back = await browser.follow(both, 'continue')
  const there = await signInAt(browser, back, { ...person, password: next })
  expect(app.answerOf(request, there).code).toBeTruthy()
})

test('by the link, from any browser, once; looking at it changes nothing (AC-06)', async () => {
  const person = await createPerson(server)
  await ask(createBrowser(server), person.email)
  const link = server.origin + (await mailTo(server, person.email, linkIn))
  const phone = createBrowser(server)
  for (let look = 0; look < 3; look++) await createBrowser(server).get(link)
  const form = await phone.get(link)
  expect(form.headers.get('referrer-policy')).toBe('strict-origin')
  const done = await phone.press(form, 'continue', { new_password: next })
  expect(done.body).toContain('Your password is changed')
  expect(
    (await phone.press(form, 'continue', { new_password: 'another one of these' })).status,
  ).toBe(410)
  expect((await phone.get(link)).status).toBe(410)
  expect(await canSignIn(person, next)).toBe(true)
})

test('a reset ends every session and token, at all devices (AC-16)', async () => {
  const person = await createPerson(server)
  const app = await createApp(server)
  const thief = createBrowser(server)
  const { answer } = await authorize(thief, app, person, { scope: 'openid offline_access' })
  await reset(createBrowser(server), person)
  expect(await isSignedIn(server, thief)).toBe(false)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
  expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
})

test('AC-16, AC-17: who had me press the link of a registration with my address is shown the door, and what they left behind', async () => {
  const email = 'ann@example.org'
  const mallory = createBrowser(server)
  const form = await mallory.get(`${server.origin}/register`)
  const waiting = await mallory.press(form, 'continue', { username: 'mallory', email, password })
  const me = createBrowser(server)
  const link = await me.get(server.origin + (await server.mailedLink(email)))
  expect(link.body).toContain('mallory')
  await me.press(link, 'continue')
  expect(await isSignedIn(server, me)).toBe(false)
  await mallory.get(waiting.url)
  await signInAt(mallory, await mallory.get(`${server.origin}/sign-in`), {
    username: 'mallory',
    password,
  })
  const device = createAuthenticator(server.origin)
  await makePasskey(server, mallory, device)
  const { db, pool } = server.database
  const { rows } = await pool.query(`select id from accounts where username = 'mallory'`)
  const { id } = rows[0]
  await giveIdentity(server, { id })
  await pool.query(
    `insert into remembered_devices (token_hash, account_id, factor, expires_at)
      values ('\\x00', $1, 'totp', now() + interval '1 day')`,
    [id],
  )
  expect(await listRememberedDevices(db, id)).toHaveLength(1)

  const done = await reset(me, { id, username: 'mallory', email, password })
  expect(done.body).toContain('These open your account as well')
  for (const other of ['Passkey', 'Elsewhere']) expect(done.body).toContain(other)
  expect(done.body).toContain('/sign-in?to=security')
  expect(await isSignedIn(server, mallory)).toBe(false)
  expect(await canSignIn({ id, username: 'mallory', email, password }, password)).toBe(false)
  expect(await listRememberedDevices(db, id)).toEqual([])
})

test('a sign-in with the old password that is under way does not end in a session (RC-20)', async () => {
  const person = await createPerson(server)
  const thief = createBrowser(server)
  const page = await thief.get(`${server.origin}/sign-in`)
  const half = await stepwise(thief).press(page, 'continue', {
    identifier: person.username,
    password: person.password,
  })
  expect(half.status).toBe(303)
  await reset(createBrowser(server), person)
  await thief.get(half.url)
  expect(await isSignedIn(server, thief)).toBe(false)
})

describe('an attacker', () => {
  test('sees the same for an address without an account, and no mail goes there (EN-04)', async () => {
    const person = await createPerson(server)
    const known = await ask(createBrowser(server), person.email)
    const unknown = await ask(createBrowser(server), 'nobody-here@example.org')
    const plain = ({ body }: Page) =>
      body
        .replace(/value="[^"]*"/g, '')
        .replace(/nonce="[^"]*"/g, '')
        .replace(/.•••@/g, '')
    expect(unknown.status).toBe(known.status)
    expect(plain(unknown)).toBe(plain(known))
    await jobsDone(server)
    expect(await mailsTo(server, 'nobody-here@example.org')).toEqual([])
    const guess = await createBrowser(server).press(unknown, 'continue', { code: '123456' })
    expect(guess.status).toBe(403)
  })

  test('has five guesses at a code, counted one by one when they come at once (AC-08)', async () => {
    const person = await createPerson(server)
    const browser = createBrowser(server)
    const page = await ask(browser, person.email)
    const code = await mailTo(server, person.email, codeIn)
    const wrong = code === '000000' ? '000001' : '000000'
    const guesses = await Promise.all(
      Array.from({ length: 20 }, () => browser.press(page, 'continue', { code: wrong })),
    )
    expect(guesses.every(({ status }) => status === 422)).toBe(true)
    const right = await browser.press(page, 'continue', { code })
    expect(right.error).toContain('Too many')
    const link = await createBrowser(server).get(
      server.origin + (await mailTo(server, person.email, linkIn)),
    )
    expect(link.status).toBe(410)
  })

  test('gains nothing by the code in another browser', async () => {
    const person = await createPerson(server)
    await ask(createBrowser(server), person.email)
    const code = await mailTo(server, person.email, codeIn)
    const other = createBrowser(server)
    const page = await ask(other, 'someone-else@example.org')
    await jobsDone(server)
    expect((await other.press(page, 'continue', { code })).status).toBe(422)
  })

  test('gets to no later step without the proof of the one before (AC-20)', async () => {
    const person = await createPerson(server)
    const browser = createBrowser(server)
    const email = await browser.get(`${server.origin}/reset-password`)
    await browser.press(email, 'continue', { email: person.email })
    // The address is asked for, the code is not given: a new password is nothing but a missing code.
    const skipped = await browser.press(email, 'continue', { new_password: next })
    expect(skipped.status).toBe(422)
    expect(await canSignIn(person, person.password)).toBe(true)
    const forged = await browser.get(`${server.origin}/reset-password?token=${'a'.repeat(43)}`)
    expect(forged.status).toBe(410)
  })

  test('cannot use the token of a registration, nor the other way round (AC-09)', async () => {
    const person = await createPerson(server)
    await ask(createBrowser(server), person.email)
    const link = await mailTo(server, person.email, linkIn)
    const token = new URL(link, server.origin).searchParams.get('token')
    for (const path of ['/verify-email', '/confirm-address', '/undo-address']) {
      expect(
        (await createBrowser(server).get(`${server.origin}${path}?token=${token}`)).status,
      ).toBe(410)
    }
  })

  test('cannot post a form without its proof (WB-05)', async () => {
    const browser = createBrowser(server)
    const form = await browser.get(`${server.origin}/reset-password`)
    const posted = await browser.press(form, 'continue', { email: 'a@example.org', csrf: 'x' })
    expect(posted.status).toBe(403)
  })
})

test('twice at once, one of the two sets the password', async () => {
  const person = await createPerson(server)
  await ask(createBrowser(server), person.email)
  const link = server.origin + (await mailTo(server, person.email, linkIn))
  const browsers = [createBrowser(server), createBrowser(server), createBrowser(server)]
  const forms = await Promise.all(browsers.map((browser) => browser.get(link)))
  const done = await Promise.all(
    browsers.map((browser, index) =>
      browser.press(forms[index] as Page, 'continue', { new_password: `${next} ${index}` }),
    ),
  )
  expect(done.filter(({ status }) => status === 200)).toHaveLength(1)
})

test('a password that breaks the rules is refused in words and costs no guess', async () => {
  const person = await createPerson(server)
  const browser = createBrowser(server)
  const page = await ask(browser, person.email)
  const code = await mailTo(server, person.email, codeIn)
  const form = await browser.press(page, 'continue', { code })
  expect((await browser.press(form, 'continue', { new_password: 'short' })).error).toContain(
    'too short',
  )
  const personal = await browser.press(form, 'continue', { new_password: `${person.username}2026` })
  expect(personal.status).toBe(422)
  expect((await browser.press(form, 'continue', { new_password: next })).body).toContain(
    'Your password is changed',
  )
})
