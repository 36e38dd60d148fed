/** Devices and activity: what a person sees of the own sign-ins, and ends. */
import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { eventWords } from '../../src/accounts/activity.ts'
import { findRemembered, rememberDevice } from '../../src/credentials/remembered-devices.ts'
import { sha256 } from '../../src/crypto.ts'
import { createVisitor } from '../../src/demo/visitor.ts'
import { isSignedIn, jobsDone, mailsTo, mailTo, signedIn } from '../support/account.ts'
import { authorize, createBrowser, createPerson, signInAt } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const englishEvents = JSON.parse(readFileSync('views/locales/en.json', 'utf8')).account.event

let server: TestServer
const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1'

beforeAll(async () => {
  server = await startTestServer()
})

test('each device is named by browser and system, and this device is marked', async () => {
  const person = await createPerson(server)
  const phone = createVisitor({ at: [server.origin], headers: { 'user-agent': iphone } })
  await signInAt(phone, await phone.get(`${server.origin}/sign-in`), person)
  const browser = await signedIn(server, person)
  const { body } = await browser.get(`${server.origin}/account/devices`)
  expect(body).toContain('Safari on iPhone')
  expect(body).toContain('On the same network as you now')
  expect(body.match(/this device/g)).toHaveLength(1)
  expect(body.match(/id="end-(?!others)/g)).toHaveLength(1)
})

test('ending one device ends it with its tokens, and no other (WB-04)', async () => {
  const person = await createPerson(server)
  const app = await createApp(server)
  const lost = createBrowser(server)
  const { answer } = await authorize(lost, app, person, { scope: 'openid offline_access' })
  const browser = await signedIn(server, person)
  const page = await browser.get(`${server.origin}/account/devices`)
  const button = /id="(end-[\w-]+)" name="end"/.exec(page.body)?.[1] ?? ''
  const after = await browser.press(page, button)
  expect(after.body).toContain('That device is signed out')
  expect(await isSignedIn(server, lost)).toBe(false)
  expect(await isSignedIn(server, browser)).toBe(true)
  expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
})

test('all others end together, and this device stays', async () => {
  const person = await createPerson(server)
  const others = [await signedIn(server, person), await signedIn(server, person)]
  const browser = await signedIn(server, person)
  await browser.press(await browser.get(`${server.origin}/account/devices`), 'end-others')
  for (const other of others) expect(await isSignedIn(server, other)).toBe(false)
  expect(await isSignedIn(server, browser)).toBe(true)
})

test("another person's device does not end, and a forged post ends nothing", async () => {
  const [person, other] = [await createPerson(server), await createPerson(server)]
  const theirs = await signedIn(server, other)
  await signedIn(server, person)
  const browser = await signedIn(server, person)
  const { rows } = await server.database.pool.query(
    'select uid from sessions where account_id = $1',
    [other.id],
  )
  const page = await browser.get(`${server.origin}/account/devices`)
  const button = /id="(end-[\w-]+)" name="end"/.exec(page.body)?.[1] ?? ''
  await browser.press(page, button, { end: rows[0].uid })
  expect(await isSignedIn(server, theirs)).toBe(true)
  expect((await browser.press(page, 'end-others', { csrf: 'x' })).status).toBe(403)
})

test('a remembered browser is shown and forgotten by its owner alone, and with all others (MF-09)', async () => {
  const [person, other] = [await createPerson(server), await createPerson(server)]
  const { db } = server.database
  const remember = (accountId: string) =>
    rememberDevice(db, { accountId, factor: 'totp', days: 30 }, { userAgent: iphone })
  const [first, second] = [await remember(person.id), await remember(person.id)]
  const theirs = await remember(other.id)
  const kept = async (accountId: string, value: string) =>
    (await findRemembered(db, accountId, [value])) !== undefined
  const browser = await signedIn(server, person)
  const page = await browser.get(`${server.origin}/account/devices`)
  expect(page.body.match(/id="forget-/g)).toHaveLength(2)
  const buttonOf = (value: string) => `forget-${sha256(value).toString('base64url')}`
  const after = await browser.press(page, buttonOf(first))
  expect(after.body).toContain('asked for a second step again')
  expect(await kept(person.id, first)).toBe(false)
  await browser.press(after, buttonOf(second), { forget: sha256(theirs).toString('base64url') })
  expect(await kept(other.id, theirs)).toBe(true)
  expect(await kept(person.id, second)).toBe(true)
  await signedIn(server, person)
  await browser.press(await browser.get(`${server.origin}/account/devices`), 'end-others')
  expect(await kept(person.id, second)).toBe(false)
})

test("activity is told in words, a page at a time, and never another person's", async () => {
  const person = await createPerson(server)
  const other = await createPerson(server)
  const theirs = await signedIn(server, other)
  await signedIn(server, { ...person, password: 'wrong' })
  for (let count = 0; count < 3; count++) await signedIn(server, person)
  const browser = await signedIn(server, person)
  const { body } = await browser.get(`${server.origin}/account/activity`)
  expect(body.match(/Signed in/g)).toHaveLength(4)
  expect(body).toContain('Wrong password at sign-in')
  for (const word of Object.values(eventWords)) {
    expect(englishEvents, `account.event.${word}`).toHaveProperty(word)
  }
  expect(body).toContain('Account created')
  await server.database.pool.query(
    `insert into audit_events (id, type, actor_kind, account_id)
      select gen_random_uuid(), 'password.changed', 'person', $1 from generate_series(1, 60)`,
    [person.id],
  )
  let page = await browser.get(`${server.origin}/account/activity`)
  let shown = 0
  for (let pages = 1; ; pages++) {
    shown += page.body.match(/<li>/g)?.length ?? 0
    if (!page.body.includes('id="older"')) {
      expect(pages).toBe(3)
      break
    }
    page = await browser.follow(page, 'older')
  }
  expect(shown).toBe(66)
  for (const before of ["'", '0', 'x'.repeat(500)]) {
    const odd = await browser.get(`${server.origin}/account/activity?before=${before}`)
    expect(odd.status).toBe(200)
  }
  expect((await theirs.get(`${server.origin}/account/activity`)).body).not.toContain(
    'Wrong password',
  )
})

test('a sign-in with a browser that was not seen is told by mail; the first one ever is not', async () => {
  const person = await createPerson(server)
  const first = await signedIn(server, person)
  await jobsDone(server)
  expect(await mailsTo(server, person.email)).toEqual([])
  const phone = createVisitor({ at: [server.origin], headers: { 'user-agent': iphone } })
  await signInAt(phone, await phone.get(`${server.origin}/sign-in`), person)
  await mailTo(server, person.email, /With: Safari, iPhone/)
  await first.press(await first.get(`${server.origin}/account`), 'sign-out')
  await signInAt(first, await first.get(`${server.origin}/sign-in`), person)
  await jobsDone(server)
  expect(await mailsTo(server, person.email)).toHaveLength(1)
})
