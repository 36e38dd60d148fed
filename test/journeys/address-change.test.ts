/** Another address for an account: proven first, told to both, taken back by the old one; and what is tried against it. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { ageSessions, isSignedIn, jobsDone, mailsTo, mailTo, signedIn } from '../support/account.ts'
import { createBrowser, createPerson, type Person } from '../support/person.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let count = 0
const codeIn = /^ {4}(\d{6})$/m
const linkIn = /(\/confirm-address\?token=[\w-]+)/
const undoIn = /(\/undo-address\?token=[\w-]+)/

beforeAll(async () => {
  server = await startTestServer()
})

const fresh = () => `new${++count}@example.net`

async function ask(browser: Visitor, email: string): Promise<Page> {
  const form = await browser.get(`${server.origin}/account/address`)
  return browser.press(form, 'continue', { email })
}

async function change(browser: Visitor, email: string): Promise<Page> {
  const page = await ask(browser, email)
  return browser.press(page, 'continue', { code: await mailTo(server, email, codeIn) })
}

async function addressOf({ id }: Person): Promise<string> {
  const { rows } = await server.database.pool.query('select email from accounts where id = $1', [
    id,
  ])
  return rows[0]?.email
}

test('by the code: the new address counts once it is proven, and both are told', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  const email = fresh()
  const page = await ask(browser, email)
  expect(await addressOf(person)).toBe(person.email)
  const code = await mailTo(server, email, codeIn)
  const done = await browser.press(page, 'continue', { code })
  expect(done.url).toBe(`${server.origin}/account/security`)
  expect(done.body).toContain(email)
  expect(await addressOf(person)).toBe(email)
  await mailTo(server, email, /has this address from now on/)
  await mailTo(server, person.email, /has another address now/)
})

test('by the link, in any browser, by a press alone (AC-06, AC-07)', async () => {
  const person = await createPerson(server)
  const email = fresh()
  await ask(await signedIn(server, person), email)
  const link = server.origin + (await mailTo(server, email, linkIn))
  const phone = createBrowser(server)
  const page = await phone.get(link)
  await phone.get(link)
  expect(await addressOf(person)).toBe(person.email)
  expect((await phone.press(page, 'continue')).status).toBe(200)
  expect(await addressOf(person)).toBe(email)
  expect(await isSignedIn(server, phone)).toBe(false)
  expect((await phone.press(page, 'continue')).status).toBe(410)
})

test('the old address takes it back for a week, and every session ends (AC-14)', async () => {
  const person = await createPerson(server)
  const thief = await signedIn(server, person)
  const [first, second] = [fresh(), fresh()]
  await change(thief, first)
  const link = server.origin + (await mailTo(server, person.email, undoIn))
  await change(thief, second)
  const later = server.origin + (await mailTo(server, first, undoIn))
  const owner = createBrowser(server)
  const page = await owner.get(link)
  expect(await addressOf(person)).toBe(second)
  expect((await owner.press(page, 'continue')).status).toBe(200)
  expect(await addressOf(person)).toBe(person.email)
  expect(await isSignedIn(server, thief)).toBe(false)
  // Nobody can undo the undo.
  expect((await createBrowser(server).get(later)).status).toBe(410)
  expect((await owner.press(page, 'continue')).status).toBe(410)
})

test('after a week the old address has no say', async () => {
  const person = await createPerson(server)
  await change(await signedIn(server, person), fresh())
  const link = server.origin + (await mailTo(server, person.email, undoIn))
  await server.database.pool.query(
    `update address_undos set expires_at = expires_at - interval '7 days'`,
  )
  expect((await createBrowser(server).get(link)).status).toBe(410)
})

describe('an attacker', () => {
  test('sees nothing of who has an address, and its owner is told (EN-06)', async () => {
    const [person, owner] = [await createPerson(server), await createPerson(server)]
    const browser = await signedIn(server, person)
    const taken = await ask(browser, owner.email)
    const plain = ({ body }: Page) =>
      body.replace(/(value|nonce)="[^"]*"/g, '').replace(/.•••@[\w.]+/g, '')
    const other = await signedIn(server, await createPerson(server))
    expect(plain(taken)).toBe(plain(await ask(other, fresh())))
    await mailTo(server, owner.email, /wanted to use this address/)
    expect((await mailsTo(server, owner.email)).some((text) => codeIn.test(text))).toBe(false)
  })

  test('needs a recent sign-in and the proof of our page', async () => {
    const person = await createPerson(server)
    const browser = await signedIn(server, person)
    const form = await browser.get(`${server.origin}/account/address`)
    expect((await browser.press(form, 'continue', { email: fresh(), csrf: 'x' })).status).toBe(403)
    await ageSessions(server, 40)
    const late = await browser.press(form, 'continue', { email: fresh() })
    expect(late.url).toContain('/sign-in/')
    const { rows } = await server.database.pool.query(
      'select 1 from mail_proofs where account_id = $1',
      [person.id],
    )
    expect(rows).toEqual([])
  })

  test('loses a pending change when the owner sets a new password (AC-18)', async () => {
    const person = await createPerson(server)
    const email = fresh()
    await ask(await signedIn(server, person), email)
    const link = server.origin + (await mailTo(server, email, linkIn))
    const owner = await signedIn(server, person)
    const form = await owner.get(`${server.origin}/account/password`)
    await owner.press(form, 'continue', { new_password: 'a quiet harbour in the north' })
    expect((await createBrowser(server).get(link)).status).toBe(410)
    expect(await addressOf(person)).toBe(person.email)
  })

  test("cannot use a code of another's change", async () => {
    const [person, other] = [await createPerson(server), await createPerson(server)]
    const [mine, theirs] = [fresh(), fresh()]
    const page = await ask(await signedIn(server, person), mine)
    await ask(await signedIn(server, other), theirs)
    const code = await mailTo(server, theirs, codeIn)
    const own = await mailTo(server, mine, codeIn)
    const browser = await signedIn(server, person)
    if (code !== own) {
      expect((await browser.press(await browser.get(page.url), 'continue', { code })).status).toBe(
        422,
      )
    }
    expect(await addressOf(person)).toBe(person.email)
  })
})

test('of two changes that cross the newer one counts, and the older link is dead', async () => {
  const person = await createPerson(server)
  const [first, second] = [fresh(), fresh()]
  const browser = await signedIn(server, person)
  await ask(browser, first)
  const old = server.origin + (await mailTo(server, first, linkIn))
  const tab = await browser.get(`${server.origin}/account/address`)
  const form = await browser.press(tab, 'cancel')
  expect(form.url).toBe(`${server.origin}/account/security`)
  await change(browser, second)
  expect((await createBrowser(server).get(old)).status).toBe(410)
  expect(await addressOf(person)).toBe(second)
})

test('two people who prove one address at once: one of them has it', async () => {
  const email = fresh()
  const people = [await createPerson(server), await createPerson(server)]
  const links: string[] = []
  for (const person of people) {
    await ask(await signedIn(server, person), email)
    await jobsDone(server)
    const found = (await mailsTo(server, email)).map((text) => linkIn.exec(text)?.[1] ?? '')
    links.push(...found.filter((link) => link && !links.includes(link)))
  }
  expect(links).toHaveLength(2)
  const pages = await Promise.all(
    links.map(async (link) => {
      const browser = createBrowser(server)
      const page = await browser.get(server.origin + link)
      return () => browser.press(page, 'continue')
    }),
  )
  const done = await Promise.all(pages.map((press) => press()))
  expect(done.map(({ status }) => status).toSorted()).toEqual([200, 410])
  const { rows } = await server.database.pool.query('select id from accounts where email = $1', [
    email,
  ])
  expect(rows).toHaveLength(1)
})
