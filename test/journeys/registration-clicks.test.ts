/** Registration in the middle of an app's request, clicked in every order in which people click. */
import { decodeJwt } from 'jose'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { listMailbox } from '../../src/mail/mailbox.ts'
import { createBrowser, isConsent } from '../support/person.ts'
import { type App, createApp, type Request } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const app = await createApp(server)
const house = await createApp(server, { firstParty: true })
const password = 'a long and quiet river'
let count = 0

type Newcomer = {
  username: string
  email: string
  visitor: Visitor
  request: Request
  signIn: Page
  form: Page
  /** The page that asks for the code. */
  proof: Page
}

async function begin(to: App = app, visitor = createBrowser(server)): Promise<Newcomer> {
  const username = `newcomer${++count}`
  const email = `${username}@example.org`
  const request = to.begin()
  const signIn = await visitor.get(request.url)
  const form = await visitor.follow(signIn, 'register')
  const proof = await visitor.press(form, 'continue', { username, email, password })
  expect(proof.url).toMatch(/\/verify-email$/)
  return { username, email, visitor, request, signIn, form, proof }
}

async function expectIn(newcomer: Newcomer, page: Page, to: App = app): Promise<void> {
  const back = isConsent(page) ? await newcomer.visitor.press(page, 'continue') : page
  const { code } = to.answerOf(newcomer.request, back)
  const { body } = await to.redeem(newcomer.request, code)
  expect(decodeJwt(body.id_token ?? '')).toMatchObject({
    preferred_username: newcomer.username,
    email: newcomer.email,
    email_verified: true,
  })
}

const codeFor = ({ email }: Newcomer) => server.mailedCode(email)
const linkFor = async ({ email }: Newcomer) => origin + (await server.mailedLink(email))

test('the code is typed in the tab where it was asked for', async () => {
  const newcomer = await begin()
  const page = await newcomer.visitor.press(newcomer.proof, 'continue', {
    code: await codeFor(newcomer),
  })
  await expectIn(newcomer, page)
})

test('a code with spaces is a code', async () => {
  const newcomer = await begin(house)
  const code = await codeFor(newcomer)
  const page = await newcomer.visitor.press(newcomer.proof, 'continue', {
    code: ` ${code.slice(0, 3)} ${code.slice(3)} `,
  })
  await expectIn(newcomer, page, house)
})

test('the link first, in the same browser, then the tab', async () => {
  const newcomer = await begin()
  const { visitor, proof } = newcomer
  const link = await visitor.get(await linkFor(newcomer))
  const done = await visitor.press(link, 'continue')
  expect(done.status).toBe(200)
  await expectIn(newcomer, await visitor.get(proof.url))
})

test('AC-07: the link in another browser proves the address and signs nobody in there', async () => {
  const newcomer = await begin()
  const phone = createBrowser(server)
  const done = await phone.press(await phone.get(await linkFor(newcomer)), 'continue')
  expect(done.status).toBe(200)
  expect((await phone.get(`${origin}/account`)).url).toContain('/sign-in/')
  expect([...phone.cookies.values()].some(({ name }) => name === 'session')).toBe(false)
  // The tab that waited goes on by itself, whatever is pressed there.
  await expectIn(newcomer, await newcomer.visitor.get(newcomer.proof.url))
})

test('the link in another browser, then the code in the tab all the same', async () => {
  const newcomer = await begin()
  const code = await codeFor(newcomer)
  const phone = createBrowser(server)
  await phone.press(await phone.get(await linkFor(newcomer)), 'continue')
  await expectIn(newcomer, await newcomer.visitor.press(newcomer.proof, 'continue', { code }))
})

test('the code in the tab, then the link: it says that it was used', async () => {
  const newcomer = await begin()
  const link = await linkFor(newcomer)
  const { visitor, proof } = newcomer
  const page = await visitor.press(proof, 'continue', { code: await codeFor(newcomer) })
  const late = await visitor.get(link)
  expect(late.status).toBe(410)
  await expectIn(newcomer, page)
})

test('AC-06: a mail scanner opens the link, and the person is still the first to press', async () => {
  const newcomer = await begin()
  const link = await linkFor(newcomer)
  for (const method of ['GET', 'HEAD', 'GET', 'OPTIONS', 'GET']) await fetch(link, { method })
  const page = await newcomer.visitor.get(link)
  expect((await newcomer.visitor.press(page, 'continue')).status).toBe(200)
  const again = await newcomer.visitor.press(page, 'continue')
  expect(again.status).toBe(410)
})

test('a double click on the registration form is one registration', async () => {
  const visitor = createBrowser(server)
  const request = app.begin()
  const form = await visitor.follow(await visitor.get(request.url), 'register')
  const username = `newcomer${++count}`
  const fields = { username, email: `${username}@example.org`, password }
  const clicks = await Promise.all([
    visitor.press(form, 'continue', fields),
    visitor.press(form, 'continue', fields),
  ])
  expect(clicks.map(({ url }) => url.endsWith('/verify-email'))).toEqual([true, true])
  const rows = await db
    .selectFrom('accounts')
    .select('id')
    .where('username', '=', username)
    .execute()
  expect(rows).toHaveLength(1)
  const code = await server.mailedCode(fields.email)
  const page = await visitor.press(clicks[1] as Page, 'continue', { code })
  expect(isConsent(page)).toBe(true)
})

test('a double click on the code: one click signs in, the other leads on', async () => {
  const newcomer = await begin(house)
  const { visitor, proof } = newcomer
  const code = await codeFor(newcomer)
  const clicks = await Promise.all([
    visitor.press(proof, 'continue', { code }),
    visitor.press(proof, 'continue', { code }),
  ])
  const [back, ...others] = clicks.filter(({ url }) => url.includes('code='))
  expect(others).toHaveLength(0)
  await expectIn(newcomer, back as Page, house)
  const [other] = clicks.filter(({ url }) => !url.includes('code='))
  const next = await visitor.follow(other as Page, 'continue')
  expect(house.answerOf(newcomer.request, next).code).toBeTruthy()
})

test('the back button from the code page shows the form, and sending it again goes on', async () => {
  const newcomer = await begin()
  const { visitor, form, username, email } = newcomer
  const again = await visitor.press(form, 'continue', { username, email, password })
  expect(again.url).toMatch(/\/verify-email$/)
  await expectIn(
    newcomer,
    await visitor.press(again, 'continue', { code: await codeFor(newcomer) }),
  )
})

test('a wrong address is corrected by the form; the first mail is worth nothing then', async () => {
  const newcomer = await begin()
  const { visitor, proof } = newcomer
  const first = await codeFor(newcomer)
  const form = await visitor.follow(proof, 'change')
  newcomer.username = `newcomer${++count}`
  newcomer.email = `${newcomer.username}@example.org`
  const { username, email } = newcomer
  const next = await visitor.press(form, 'continue', { username, email, password })
  expect(next.error).toBeUndefined()
  const code = await codeFor(newcomer)
  if (code !== first) {
    expect((await visitor.press(next, 'continue', { code: first })).status).toBe(422)
  }
  await expectIn(newcomer, await visitor.press(next, 'continue', { code }))
})

test('AC-08: after a resend only the newest code counts', async () => {
  const newcomer = await begin()
  const { visitor, proof, email } = newcomer
  const first = await codeFor(newcomer)
  await letWait(newcomer.username)
  const resent = await visitor.press(proof, 'resend')
  expect(resent.status).toBe(200)
  let code = first
  await expect.poll(async () => (code = await server.mailedCode(email))).not.toBe(first)
  const refused = await visitor.press(resent, 'continue', { code: first })
  expect(refused.status).toBe(422)
  await expectIn(newcomer, await visitor.press(refused, 'continue', { code }))
})

test('a resend that comes too early says how long to wait, and the first code stays good', async () => {
  const newcomer = await begin()
  const { visitor, proof } = newcomer
  const page = await visitor.press(proof, 'resend')
  expect(page.body).toContain('data-countdown')
  await expectIn(newcomer, await visitor.press(page, 'continue', { code: await codeFor(newcomer) }))
})

test('five wrong guesses end the code; a new mail goes on', async () => {
  const newcomer = await begin()
  const { visitor, email } = newcomer
  const first = await codeFor(newcomer)
  const wrong = first === '000000' ? '111111' : '000000'
  let page = newcomer.proof
  for (let guess = 0; guess < 5; guess++) {
    page = await visitor.press(page, 'continue', { code: wrong })
    expect(page.status).toBe(422)
  }
  expect(page.body).not.toContain('id="code"')
  await letWait(newcomer.username)
  page = await visitor.press(page, 'resend')
  let code = first
  await expect.poll(async () => (code = await server.mailedCode(email))).not.toBe(first)
  await expectIn(newcomer, await visitor.press(page, 'continue', { code }))
})

test('two tabs with two flows: the registration of one does not become the other\u2019s', async () => {
  const visitor = createBrowser(server)
  const first = await begin(app, visitor)
  const second = await begin(house, visitor)
  const page = await visitor.press(first.proof, 'continue', { code: await codeFor(first) })
  await expectIn(first, page)
  const other = await visitor.press(second.proof, 'continue', { code: await codeFor(second) })
  await expectIn(second, other, house)
})

test('a person who left the code page signs in with the new password and is asked for the code', async () => {
  const newcomer = await begin(house)
  const { username, email } = newcomer
  const later = { ...newcomer, visitor: createBrowser(server), request: house.begin() }
  const signIn = await later.visitor.get(later.request.url)
  const proof = await later.visitor.press(signIn, 'continue', { identifier: username, password })
  expect(proof.url).toMatch(/\/verify-email$/)
  expect(proof.body).not.toContain(email)
  await expectIn(
    later,
    await later.visitor.press(proof, 'continue', { code: await codeFor(later) }),
    house,
  )
})

test('AC-20: the code of one registration is of no use in another browser\u2019s flow', async () => {
  const victim = await begin()
  const attacker = await begin()
  const code = await codeFor(victim)
  if (code === (await codeFor(attacker))) return
  expect((await attacker.visitor.press(attacker.proof, 'continue', { code })).status).toBe(422)
  const stranger = createBrowser(server)
  expect((await stranger.get(victim.proof.url)).status).toBe(409)
  await expectIn(victim, await victim.visitor.press(victim.proof, 'continue', { code }))
})

test('a name that is taken is said at its field, and everything else stays typed', async () => {
  const { username } = await begin()
  const visitor = createBrowser(server)
  const form = await visitor.follow(await visitor.get(app.begin().url), 'register')
  const refused = await visitor.press(form, 'continue', {
    username,
    email: 'other@example.org',
    password,
    name: 'Somebody Else',
  })
  expect(refused.status).toBe(422)
  expect(refused.body).toContain('value="other@example.org"')
  expect(refused.body).toContain('value="Somebody Else"')
  expect(refused.body).not.toContain(password)
})

test('RC-06: one address registered fifty times at once, and proven by all at once, becomes one account', async () => {
  const email = `crowd${++count}@example.org`
  const crowd = await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      const visitor = createBrowser(server)
      const username = `crowd${count}x${n}`
      const form = await visitor.get(`${origin}/register`)
      let page = await visitor.press(form, 'continue', { username, email, password })
      // The hash queue is bounded: who is turned away comes again.
      while (page.status === 503) {
        page = await visitor.press(form, 'continue', { username, email, password })
      }
      return { visitor, page, username }
    }),
  )
  // The same neutral page for all: nobody learns that others came with the address.
  const pages = crowd.map(({ page }) => page.body.replace(/(value|nonce)="[\w-]{20,}"|\d+/g, ''))
  expect(new Set(pages).size).toBe(1)

  const proofs = await Promise.all(
    crowd.slice(0, 10).map(async ({ visitor, username }) => ({
      visitor,
      page: await visitor.get(origin + (await linkOf(username))),
    })),
  )
  await Promise.all(proofs.map(({ visitor, page }) => visitor.press(page, 'continue')))
  const owners = await db
    .selectFrom('accounts')
    .select('status')
    .where('emailCanonical', '=', email)
    .execute()
  expect(owners).toEqual([{ status: 'active' }])
})

/** As if the wait between two mails were over. */
async function letWait(username: string): Promise<void> {
  await db
    .updateTable('registrations')
    .set({ nextMailAt: sql<Date>`now() - interval '1 second'` })
    .where('username', '=', username)
    .execute()
}

async function linkOf(username: string): Promise<string> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const mails = await listMailbox(server.config.dataDir)
    const mail = mails.find(({ text }) => new RegExp(`\\b${username}\\b`).test(text))
    const link = /\/verify-email\?token=[\w-]+/.exec(mail?.text ?? '')?.[0]
    if (link) return link
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no mail for ${username}`)
}
