/** Two people and one browser, or one address: nobody ever gets anything of the other's. */
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  isConsent,
  obtainCode,
  password,
  signInAt,
  stepwise,
} from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const app = await createApp(server)
const second = await createApp(server)

const subOf = (token: string | undefined) => decodeJwt(token ?? '').sub

test('OI-10: after a switch of accounts no token is the first person\u2019s, and their grants have ended', async () => {
  const [alice, bob] = [await createPerson(server), await createPerson(server)]
  const visitor = createBrowser(server)
  const hers = await authorize(visitor, app, alice)
  const online = await authorize(visitor, second, alice, { scope: 'openid' })
  const cookie = sessionCookie(visitor)

  const request = app.begin({ prompt: 'login' })
  const back = await signInAt(visitor, await visitor.get(request.url), bob)
  const his = await app.redeem(request, app.answerOf(request, back).code)
  expect(subOf(his.body.id_token)).toBe(bob.id)
  expect((await app.userinfo(his.body.access_token)).body.sub).toBe(bob.id)

  // What hung on her session is dead; what she allowed to live on without it lives, and is hers.
  expect((await second.userinfo(online.answer.body.access_token)).status).toBe(401)
  const kept = await app.refresh(hers.answer.body.refresh_token)
  expect(subOf(kept.body.id_token)).toBe(alice.id)

  // Every other app of this browser sees him, and asks him for consent.
  const next = second.begin()
  const page = await visitor.get(next.url)
  expect(isConsent(page)).toBe(true)
  expect(page.body).toContain(bob.username)
  expect(page.body).not.toContain(alice.username)

  const replay = createBrowser(server)
  if (cookie) replay.cookies.set('old', cookie)
  expect((await replay.get(app.begin().url)).url).toContain('/sign-in/')
})

test('OI-10: "Not you?" on the consent page leads to another account and back to the same app', async () => {
  const [alice, bob] = [await createPerson(server), await createPerson(server)]
  const visitor = createBrowser(server)
  await authorize(visitor, second, alice)
  const request = app.begin()
  const consent = await visitor.get(request.url)
  const selection = await visitor.follow(consent, 'switch')
  expect((await visitor.press(selection, 'continue')).url).toBe(consent.url)
  const signIn = await visitor.press(selection, 'switch')
  expect(signIn.body).toContain('id="password"')
  const back = await signInAt(visitor, signIn, bob)
  const { body } = await app.redeem(request, app.answerOf(request, back).code)
  expect(subOf(body.id_token)).toBe(bob.id)
})

test('OI-10: a page of the first person\u2019s flow is of no use to the second', async () => {
  const [alice, bob] = [await createPerson(server), await createPerson(server)]
  const visitor = createBrowser(server)
  await authorize(visitor, second, alice)
  const consent = await visitor.get(app.begin().url)
  expect(isConsent(consent)).toBe(true)

  await authorize(visitor, second, bob, { prompt: 'login' })
  const stale = await visitor.press(consent, 'continue')
  expect(stale.url).not.toContain('code=')
  const { rows } = await server.database.pool.query(
    'select 1 from consents where client_id = $1 and account_id = any($2)',
    [app.id, [alice.id, bob.id]],
  )
  expect(rows).toEqual([])
  // And no dead end.
  const again = await visitor.follow(stale, 'continue')
  expect(isConsent(again)).toBe(true)
  expect(again.body).toContain(bob.username)
})

test('OI-10: a consent page of the first person is nothing to press once the second has signed in there', async () => {
  const [alice, bob] = [await createPerson(server), await createPerson(server)]
  const visitor = createBrowser(server)
  const wanting = await createApp(server)
  await authorize(visitor, second, alice)
  const consent = await visitor.get(wanting.begin().url)
  const selection = await visitor.follow(consent, 'switch')
  const signIn = await visitor.press(selection, 'switch')
  // He has given his password; the way back to the engine is still under way.
  const fields = { identifier: bob.username, password }
  const resume = await stepwise(visitor).press(signIn, 'continue', fields)
  const stale = await visitor.press(consent, 'continue')
  expect(stale.url).not.toContain('code=')
  const own = await visitor.get(resume.url)
  expect(isConsent(own)).toBe(true)
  expect(own.body).toContain(bob.username)
  const rows = await db
    .selectFrom('consents')
    .select('accountId')
    .where('clientId', '=', wanting.id)
    .execute()
  expect(rows).toEqual([])
})

test('OI-10: two tabs become two people, one after the other; each answer is of who typed there', async () => {
  const [alice, bob] = [await createPerson(server), await createPerson(server)]
  const visitor = createBrowser(server)
  const requests = [app.begin(), second.begin()] as const
  const [hers, his] = [await visitor.get(requests[0].url), await visitor.get(requests[1].url)]
  const { code: first } = app.answerOf(requests[0], await signInAt(visitor, hers, alice))
  const { code: next } = second.answerOf(requests[1], await signInAt(visitor, his, bob))
  expect(subOf((await app.redeem(requests[0], first)).body.id_token)).toBe(alice.id)
  expect(subOf((await second.redeem(requests[1], next)).body.id_token)).toBe(bob.id)
})

test('OI-10: two tabs become two people at once; nobody gets a token of the other', async () => {
  const [alice, bob] = [await createPerson(server), await createPerson(server)]
  const house = await createApp(server, { firstParty: true })
  const visitor = createBrowser(server)
  const steps = stepwise(visitor)
  const requests = [house.begin(), house.begin()] as const
  const [hers, his] = [await visitor.get(requests[0].url), await visitor.get(requests[1].url)]
  const proven = {
    hers: await steps.press(hers, 'continue', { identifier: alice.username, password }),
    his: await steps.press(his, 'continue', { identifier: bob.username, password }),
  }
  const back = await visitor.get(proven.hers.url)
  const { code } = house.answerOf(requests[0], back)
  expect(subOf((await house.redeem(requests[0], code)).body.id_token)).toBe(alice.id)

  // Her session exists only now, when he is half in: it ends first, and he comes in after it.
  let page = await visitor.get(proven.his.url)
  if (page.body.includes('<noscript>')) page = await submitItself(visitor, page)
  const answer = house.answerOf(requests[1], page)
  expect(subOf((await house.redeem(requests[1], answer.code)).body.id_token)).toBe(bob.id)
  const account = await visitor.get(`${origin}/account`)
  expect(account.body).toContain(bob.username)
  expect(account.body).not.toContain(alice.username)
})

test('OI-10: a code that waits while somebody else signs in is never theirs', async () => {
  const [alice, bob] = [await createPerson(server), await createPerson(server)]
  const visitor = createBrowser(server)
  const { request, code } = await obtainCode(visitor, app, alice)
  await authorize(visitor, app, bob, { prompt: 'login' })
  const late = await app.redeem(request, code)
  if (late.status === 200) expect(subOf(late.body.id_token)).toBe(alice.id)
  else expect(late.body.error).toBe('invalid_grant')
})

test('AC-15: who registers another\u2019s address gains nothing when the owner comes', async () => {
  const email = 'owner@corp.example'
  const mallory = createBrowser(server)
  const signIn = await mallory.get(app.begin().url)
  const form = await mallory.follow(signIn, 'register')
  await mallory.press(form, 'continue', { username: 'mallory', email, password })

  // She cannot sign in to any app, by name or by address.
  const fresh = createBrowser(server)
  for (const identifier of ['mallory', email]) {
    const page = await fresh.get(app.begin().url)
    const next = await fresh.press(page, 'continue', { identifier, password })
    expect(next.url).toContain('/sign-in/')
    expect(isConsent(next)).toBe(false)
  }

  // The owner registers the same address under a name of her own, and it is hers.
  const owner = createBrowser(server)
  const request = app.begin()
  const ownForm = await owner.follow(await owner.get(request.url), 'register')
  const proof = await owner.press(ownForm, 'continue', {
    username: 'olivia',
    email,
    password: 'another quiet river',
  })
  const consent = await owner.press(proof, 'continue', { code: await newCode('olivia') })
  const back = await owner.press(consent, 'continue')
  const { body } = await app.redeem(request, app.answerOf(request, back).code)
  const claims = decodeJwt(body.id_token ?? '')
  expect(claims).toMatchObject({ email, preferred_username: 'olivia' })

  // Mallory's account never became one with hers, and her code is worth nothing now.
  const accounts = await db
    .selectFrom('accounts')
    .select(['username', 'status'])
    .where('username', 'in', ['mallory', 'olivia'])
    .orderBy('username')
    .execute()
  expect(accounts).toEqual([
    { username: 'mallory', status: 'unverified' },
    { username: 'olivia', status: 'active' },
  ])
})

async function newCode(username: string): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const mails = (await (
      await fetch(`${origin}/dev/mailbox`, { headers: { accept: 'application/json' } })
    ).json()) as { text: string }[]
    const mail = mails.find(({ text }) => text.includes(username))
    if (mail) return /\b\d{6}\b/.exec(mail.text)?.[0] ?? ''
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('no mail')
}

/** What the engine's form does by script. */
async function submitItself(visitor: Visitor, page: Page): Promise<Page> {
  const body = page.body.replace('type="submit"', 'id="submit"')
  return visitor.press({ ...page, body }, 'submit')
}

function sessionCookie(visitor: Visitor) {
  return [...visitor.cookies.values()].find(({ name }) => name === 'session')
}
