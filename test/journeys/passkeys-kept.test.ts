/** A person's passkeys at their account: made, named, removed, by the pages alone; and what others cannot do there. */
import { beforeEach, expect, test } from 'vitest'
import { listPasskeys } from '../../src/credentials/passkeys.ts'
import type { Visitor } from '../../src/demo/visitor.ts'
import { listMailbox } from '../../src/mail/mailbox.ts'
import { auditOf } from '../support/audit.ts'
import { type Authenticator, createAuthenticator } from '../support/authenticator.ts'
import { makePasskey, optionsOf } from '../support/passkeys.ts'
import { createBrowser, createPerson, type Person, signInAt } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db, pool } = server.database
const path = `${server.origin}/account/passkeys`
let person: Person
let browser: Visitor
let device: Authenticator

beforeEach(async () => {
  person = await createPerson(server)
  device = createAuthenticator(server.origin)
  browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${server.origin}/sign-in?to=passkeys`), person)
})

const listed = () => listPasskeys(db, person.id)

test('one is made, named and removed; each is said on the page, in the trail and by mail', async () => {
  const added = await makePasskey(server, browser, device)
  expect(added.url).toBe(path)
  expect(added.body).toContain('The passkey was added.')
  expect((await browser.get(path)).body).not.toContain('The passkey was added.')
  const [passkey] = await listed()
  const id = String(passkey?.id)

  const form = await browser.follow(added, `rename-${id}`)
  const named = await browser.press(form, 'save', { name: 'Laptop <1>' })
  expect(named.body).toContain('Laptop &lt;1&gt;')
  const refused = await browser.press(form, 'save', { name: ' ' })
  expect(refused.status).toBe(422)
  expect(refused.error).toBeTruthy()

  const removed = await browser.press(named, `remove-${id}`)
  expect(removed.body).toContain('The passkey was removed.')
  expect(await listed()).toEqual([])
  const again = await browser.press(named, `remove-${id}`)
  expect(again.error).toContain('removed already')
  for (const type of ['passkey.added', 'passkey.renamed', 'passkey.removed']) {
    expect((await auditOf(db, type)).filter((e) => e.accountId === person.id)).toHaveLength(1)
  }
  const subjects = ['A passkey was added', 'A passkey was remov']
  await expect
    .poll(async () => {
      const mails = (await listMailbox(server.config.dataDir)).filter((m) => m.to === person.email)
      return mails.map(({ subject }) => subject.slice(0, 19)).sort()
    })
    .toEqual(subjects.map((subject) => subject.slice(0, 19)).sort())
})

test('what an authenticator gets wrong is refused in words, and leaves nothing', async () => {
  const page = await makePasskey(server, browser, device, { userVerified: false })
  expect(page.status).toBe(422)
  expect(page.error).toContain('not accepted')
  expect(await listed()).toEqual([])
})

test('WA-16 the challenge of one session is of no use in another, of the same person or not', async () => {
  const options = await optionsOf(browser, await browser.get(path))
  const [same, other] = [createBrowser(server), createBrowser(server)]
  await signInAt(same, await same.get(`${server.origin}/sign-in?to=passkeys`), person)
  const stranger = await createPerson(server)
  await signInAt(other, await other.get(`${server.origin}/sign-in?to=passkeys`), stranger)
  for (const visitor of [same, other]) {
    const answer = device.create(options)
    const page = await visitor.press(await visitor.get(path), 'add', { answer })
    expect(page.status).toBe(422)
    expect(page.error).toContain('longer than five minutes')
  }
  expect(await listed()).toEqual([])
  expect(await listPasskeys(db, stranger.id)).toEqual([])
})

test('WA-15 another person neither renames nor removes', async () => {
  await makePasskey(server, browser, device)
  const [passkey] = await listed()
  const [other, stranger] = [createBrowser(server), await createPerson(server)]
  await signInAt(other, await other.get(`${server.origin}/sign-in?to=passkeys`), stranger)
  await makePasskey(server, other, createAuthenticator(server.origin))
  const [own] = await listPasskeys(db, stranger.id)
  const page = await other.get(path)
  for (const act of ['remove', 'rename']) {
    const answer = await other.press(page, `remove-${own?.id}`, {
      passkey: String(passkey?.id),
      act,
      name: 'Mine',
    })
    expect(answer.status).toBe(422)
  }
  expect(await listed()).toEqual([passkey])
  for (const id of ['', "'", '../x', 'ffffffff-ffff-ffff-ffff-ffffffffffff']) {
    const answer = await other.press(page, `remove-${own?.id}`, { passkey: id })
    expect(answer.status).toBe(422)
  }
})

test('WA-17 the last way to sign in is not removed, and why is said', async () => {
  const page = await makePasskey(server, browser, device)
  await pool.query('update accounts set password_hash = null where id = $1', [person.id])
  const [passkey] = await listed()
  const refused = await browser.press(page, `remove-${passkey?.id}`)
  expect(refused.status).toBe(409)
  expect(refused.error).toContain('only way to sign in')
  expect(await listed()).toHaveLength(1)
})

test('MF-10 an old sign-in shows nothing and changes nothing, nor do strangers and forged forms (WB-05)', async () => {
  const page = await makePasskey(server, browser, device)
  const [passkey] = await listed()
  await pool.query(
    `update sessions set signed_in_at = signed_in_at - interval '40 minutes' where account_id = $1`,
    [person.id],
  )
  expect((await browser.get(path)).url).toContain('/sign-in/')
  expect((await browser.press(page, `remove-${passkey?.id}`)).url).toContain('/sign-in/')
  const stranger = createBrowser(server)
  expect((await stranger.get(path)).url).toContain('/sign-in/')
  expect((await stranger.press(page, `remove-${passkey?.id}`)).status).toBe(403)
  expect((await browser.press(page, `remove-${passkey?.id}`, { csrf: 'x' })).status).toBe(403)
  expect(await listed()).toHaveLength(1)
})

test('the page tells the browser what is true, for the Signal API', async () => {
  const page = await makePasskey(server, browser, device)
  const [, signal = ''] = /data-signal="([^"]*)"/.exec(page.body) ?? []
  expect(JSON.parse(signal.replaceAll('&quot;', '"')).current).toMatchObject({
    rpId: 'localhost',
    allAcceptedCredentialIds: [device.credentialId.toString('base64url')],
    name: person.username,
  })
})
