/** Signing in with a password and a code: who is let in, who is not yet, and what apps are told of it. */
import { decodeJwt } from 'jose'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeSignInPolicy } from '../../src/credentials/policy-setting.ts'
import { renewRecoveryCodes } from '../../src/credentials/recovery-codes.ts'
import { defaultPolicy, type SignInPolicy } from '../../src/credentials/sign-in-policy.ts'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { listMailbox } from '../../src/mail/mailbox.ts'
import { auditOf } from '../support/audit.ts'
import { codeOf, createHolder, type Holder, keyringOf } from '../support/factors.ts'
import { createBrowser, createPerson, stepwise } from '../support/person.ts'
import { type App, createApp, type Parameters } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db, pool } = server.database
const keyring = keyringOf(server)
const operator = { kind: 'operator' } as const
const essential = { claims: '{"id_token":{"acr":{"essential":true,"value":"2fa"}}}' }
let app: App

beforeAll(async () => {
  app = await createApp(server, { firstParty: true })
})
afterEach(() => setPolicy({ ...defaultPolicy }))

/** The server hears of it within a second. */
async function setPolicy(policy: Partial<SignInPolicy>): Promise<void> {
  const { rows } = await pool.query(`select value from settings where name = 'second-factor'`)
  const before = { ...defaultPolicy, ...rows[0]?.value }
  if (JSON.stringify({ ...before, ...policy }) === JSON.stringify(before)) return
  await changeSignInPolicy(db, policy, operator)
  await new Promise((resolve) => setTimeout(resolve, 1600))
}

function givePassword(visitor: Visitor, page: Page, person: Pick<Holder, 'username' | 'password'>) {
  const { username: identifier, password } = person
  return visitor.press(page, 'continue', { identifier, password })
}

/** From a request to the page after the password. */
async function begin(
  person: Pick<Holder, 'username' | 'password'>,
  { parameters = {}, visitor = createBrowser(server), at = app }: Begin = {},
) {
  const request = at.begin(parameters)
  const page = await givePassword(visitor, await visitor.get(request.url), person)
  return { visitor, request, page }
}
type Begin = { parameters?: Parameters; visitor?: Visitor; at?: App }

async function claimsAt(request: ReturnType<App['begin']>, page: Page, at = app) {
  const { code = '' } = at.answerOf(request, page)
  return decodeJwt((await at.redeem(request, code)).body.id_token ?? '')
}

const two = { acr: '2fa', amr: ['pwd', 'otp', 'mfa'] }

describe('a code of the authenticator app', () => {
  test('is asked for of whoever has one, and the app is told of both', async () => {
    const person = await createHolder(server)
    const { visitor, request, page } = await begin(person)
    expect(page.url).toMatch(/\/sign-in\/[\w-]+\/code$/)
    expect(page.body).toContain('autocomplete="one-time-code"')
    const done = await visitor.press(page, 'continue', { code: codeOf(person.secret) })
    expect(await claimsAt(request, done)).toMatchObject({ ...two, sub: person.id })
    // Signed in is signed in: the next app asks nothing.
    const next = app.begin(essential)
    expect(app.answerOf(next, await visitor.get(next.url)).code).toBeTruthy()
  })

  test('is asked of nobody who has none', async () => {
    const { request, page } = await begin(await createPerson(server))
    expect(await claimsAt(request, page)).toMatchObject({ acr: '1fa', amr: ['pwd'] })
  })

  test('MF-01: is good once, with blanks in it too, and a later one is good again', async () => {
    const person = await createHolder(server)
    const code = codeOf(person.secret)
    const first = await begin(person)
    const spaced = `${code.slice(0, 3)} ${code.slice(3)}`
    const done = await first.visitor.press(first.page, 'continue', { code: spaced })
    expect(app.answerOf(first.request, done).code).toBeTruthy()
    const second = await begin(person)
    const again = await second.visitor.press(second.page, 'continue', { code })
    expect([again.status, again.error]).toEqual([422, expect.stringContaining('used already')])
    const later = await second.visitor.press(again, 'continue', { code: codeOf(person.secret, 1) })
    expect(app.answerOf(second.request, later).code).toBeTruthy()
  })

  test('MF-02: lets one of fifty in who send it at once', async () => {
    const person = await createHolder(server)
    // Devices that are known, so that no limit stands between them and the code.
    const half = await Promise.all(Array.from({ length: 4 }, () => begin(person)))
    const code = codeOf(person.secret)
    const sent = await Promise.all(
      half.flatMap(({ visitor, page }) =>
        Array.from({ length: 13 }, () => stepwise(visitor).press(page, 'continue', { code })),
      ),
    )
    const inside = sent.filter(({ url }) => url.includes('/oauth2/authorize/'))
    expect(inside).toHaveLength(1)
  })

  test.each([-1, 1])('MF-04: of the step %i is taken', async (steps) => {
    const person = await createHolder(server)
    const { visitor, request, page } = await begin(person)
    const done = await visitor.press(page, 'continue', { code: codeOf(person.secret, steps) })
    expect(app.answerOf(request, done).code).toBeTruthy()
  })

  test.each([-3, 3])('MF-04: of the step %i is not', async (steps) => {
    const person = await createHolder(server)
    const { visitor, page } = await begin(person)
    const refused = await visitor.press(page, 'continue', { code: codeOf(person.secret, steps) })
    expect(refused.status).toBe(422)
  })

  test('MF-03: five wrong ones end what the password has opened, and the sixth is not looked at', async () => {
    const person = await createHolder(server)
    const { visitor, page } = await begin(person)
    for (let guess = 0; guess < 5; guess++) {
      expect((await visitor.press(page, 'continue', { code: '000000' })).status).toBe(422)
    }
    const sixth = await visitor.press(page, 'continue', { code: codeOf(person.secret) })
    expect(sixth.url).not.toContain('code')
    expect(sixth.error).toContain('Too many wrong codes')
    expect((await auditOf(db, 'second_factor.refused')).length).toBeGreaterThanOrEqual(5)
  })

  test('MF-03: fifty guesses at once are no more than five', async () => {
    const person = await createHolder(server)
    const { visitor, page } = await begin(person)
    const before = (await auditOf(db, 'second_factor.refused')).length
    await Promise.all(
      Array.from({ length: 50 }, () => visitor.press(page, 'continue', { code: '000000' })),
    )
    expect((await auditOf(db, 'second_factor.refused')).length - before).toBeLessThanOrEqual(5)
  })
})

describe('half a session is none (MF-05)', () => {
  test('it opens neither the account, nor the engine, nor another app', async () => {
    const person = await createHolder(server)
    const { visitor, page } = await begin(person)
    const flow = /sign-in\/([^/]+)/.exec(page.url)?.[1]
    expect((await visitor.get(`${origin}/account`)).url).toContain('/sign-in')
    const resumed = await visitor.get(`${origin}/oauth2/authorize/${flow}`)
    expect(resumed.url).not.toContain('code=')
    const other = app.begin({ prompt: 'none' })
    expect(app.answerOf(other, await visitor.get(other.url)).error).toBe('login_required')
  })

  test('a password that is changed meanwhile ends it (RC-20)', async () => {
    const person = await createHolder(server)
    const { visitor, request, page } = await begin(person)
    await pool.query('update accounts set password_changed_at = now() where id = $1', [person.id])
    const done = await visitor.press(page, 'continue', { code: codeOf(person.secret) })
    expect(done.url).toMatch(/\/sign-in\/[\w-]+$/)
    expect(done.error).toContain('The password was changed since you gave it')
    expect(done.url).not.toContain(request.state)
    // The new one leads on.
    const again = await givePassword(visitor, done, person)
    expect(again.url).toMatch(/\/code$/)
    const on = await visitor.press(again, 'continue', { code: codeOf(person.secret, 1) })
    expect(await claimsAt(request, on)).toMatchObject(two)
  })

  test('an account that is switched off meanwhile ends it', async () => {
    const person = await createHolder(server)
    const { visitor, page } = await begin(person)
    await pool.query(`update accounts set status = 'disabled' where id = $1`, [person.id])
    const done = await visitor.press(page, 'continue', { code: codeOf(person.secret) })
    expect(done.url).not.toMatch(/code=|authorize/)
  })
})

describe('a step up', () => {
  test('asks for what is missing alone, changes the id, and keeps when the person signed in', async () => {
    await setPolicy({ when: 'asked' })
    const person = await createHolder(server)
    const first = await begin(person)
    const { auth_time: time, acr } = await claimsAt(first.request, first.page)
    expect(acr).toBe('1fa')
    await pool.query(
      `update sessions set signed_in_at = signed_in_at - interval '90 seconds' where account_id = $1`,
      [person.id],
    )
    const { visitor } = first
    const idOf = () => [...visitor.cookies.values()].find(({ name }) => name === 'session')?.value
    const before = idOf()
    const request = app.begin(essential)
    const page = await visitor.get(request.url)
    expect(page.url).toMatch(/\/code$/)
    const done = await visitor.press(page, 'continue', { code: codeOf(person.secret) })
    expect(idOf()).not.toBe(before)
    const claims = await claimsAt(request, done)
    expect(claims).toMatchObject(two)
    expect(claims.auth_time).toBe(Number(time) - 90)
  })

  test.each<[what: string, parameters: Parameters]>([
    ['a new sign-in', { ...essential, prompt: 'login' }],
    ['a sign-in of this moment', { ...essential, max_age: '0' }],
  ])('OI-04: %s with less than was asked for is fresh and not enough', async (_, parameters) => {
    const person = await createHolder(server)
    const { visitor, page } = await begin(person)
    await visitor.press(page, 'continue', { code: codeOf(person.secret) })
    // Strong, and too old for this request; the password alone makes it fresh and weak.
    const again = await begin(person, { visitor, parameters })
    expect(again.page.url).toMatch(/\/sign-in\/[\w-]+\/code$/)
    const silent = await visitor.get(`${origin}/account`)
    expect(silent.url).toBe(`${origin}/account`)
    const done = await visitor.press(again.page, 'continue', { code: codeOf(person.secret, 1) })
    const claims = await claimsAt(again.request, done)
    expect(claims).toMatchObject(two)
    expect(Number(claims.iat) - Number(claims.auth_time)).toBeLessThan(30)
  })

  test('OI-04: a strong sign-in that is too old is not enough either', async () => {
    const person = await createHolder(server)
    const { visitor, page } = await begin(person)
    await visitor.press(page, 'continue', { code: codeOf(person.secret) })
    await pool.query(
      `update sessions set signed_in_at = signed_in_at - interval '1 hour' where account_id = $1`,
      [person.id],
    )
    const request = app.begin({ ...essential, max_age: '60', prompt: 'none' })
    expect(app.answerOf(request, await visitor.get(request.url)).error).toBe('login_required')
  })

  test('of somebody else\u2019s code is refused', async () => {
    await setPolicy({ when: 'asked' })
    const [person, other] = [await createHolder(server), await createHolder(server)]
    const { visitor } = await begin(person)
    const page = await visitor.get(app.begin(essential).url)
    const refused = await visitor.press(page, 'continue', { code: codeOf(other.secret) })
    expect(refused.status).toBe(422)
  })
})

describe('recovery codes', () => {
  test('MF-08: let in once each, tell their owner by mail, and a new set ends the old', async () => {
    const person = await createHolder(server)
    const [first = '', second = ''] = await renewRecoveryCodes({ db, keyring }, person.id)
    const { visitor, request, page } = await begin(person)
    const form = await visitor.follow(page, 'use-recovery-code')
    const done = await visitor.press(form, 'continue', { code: first.toLowerCase() })
    expect(await claimsAt(request, done)).toMatchObject(two)
    await expect
      .poll(async () => (await listMailbox(server.config.dataDir)).map(({ to }) => to), {
        timeout: 5000,
      })
      .toContain(person.email)
    const again = await begin(person)
    const used = await again.visitor.follow(again.page, 'use-recovery-code')
    expect((await again.visitor.press(used, 'continue', { code: first })).status).toBe(422)
    await renewRecoveryCodes({ db, keyring }, person.id)
    expect((await again.visitor.press(used, 'continue', { code: second })).status).toBe(422)
  })

  test('of somebody else let nobody in', async () => {
    const [person, other] = [await createHolder(server), await createHolder(server)]
    const [code = ''] = await renewRecoveryCodes({ db, keyring }, other.id)
    await renewRecoveryCodes({ db, keyring }, person.id)
    const { visitor, page } = await begin(person)
    const form = await visitor.follow(page, 'use-recovery-code')
    expect((await visitor.press(form, 'continue', { code })).status).toBe(422)
  })
})

describe('remembering a browser', () => {
  test('MF-09: spares its owner the code, claims nothing of it, and ends with the password', async () => {
    const person = await createHolder(server)
    const { visitor, page } = await begin(person)
    await visitor.press(page, 'continue', { code: codeOf(person.secret, -1), remember: 'yes' })
    await visitor.press(await visitor.get(`${origin}/account`), 'sign-out')
    const spared = await begin(person, { visitor })
    expect(await claimsAt(spared.request, spared.page)).toMatchObject({ acr: '1fa', amr: ['pwd'] })
    // What an app requires is not remembered.
    expect((await visitor.get(app.begin(essential).url)).url).toMatch(/\/code$/)
    const anew = await begin(person, { visitor, parameters: { prompt: 'login' } })
    expect(anew.page.url).toMatch(/\/code$/)
    await visitor.press(await visitor.get(`${origin}/account`), 'sign-out')
    await pool.query('update accounts set password_changed_at = now() where id = $1', [person.id])
    expect((await begin(person, { visitor })).page.url).toMatch(/\/code$/)
  })

  test('MF-06: one account\u2019s browser is a stranger to another account', async () => {
    const [person, other] = [await createHolder(server), await createHolder(server)]
    const { visitor, page } = await begin(person)
    await visitor.press(page, 'continue', { code: codeOf(person.secret), remember: 'yes' })
    await visitor.press(await visitor.get(`${origin}/account`), 'sign-out')
    expect((await begin(other, { visitor })).page.url).toMatch(/\/code$/)
  })
})

describe('the policy', () => {
  test('always: whoever has none sets one up before going on, and is shown recovery codes once', async () => {
    const strict = await createApp(server, { firstParty: true, secondFactor: 'always' })
    const person = await createPerson(server)
    const { visitor, request, page } = await begin(person, { at: strict })
    expect(page.url).toMatch(/\/authenticator$/)
    const secret = /id="secret">([^<]+)</.exec(page.body)?.[1] ?? ''
    const wrong = await visitor.press(page, 'continue', { code: '000000' })
    expect([wrong.status, /id="secret">([^<]+)</.exec(wrong.body)?.[1]]).toEqual([422, secret])
    const codes = await visitor.press(wrong, 'continue', { code: codeOf(secret), name: 'Phone' })
    expect(codes.body.match(/[0-9A-Z]{4}(-[0-9A-Z]{4}){3}<\/code>/g)).toHaveLength(10)
    const done = await visitor.follow(codes, 'continue')
    expect(await claimsAt(request, done, strict)).toMatchObject(two)
  })

  test('always, of one app: a session of another is asked for the code there', async () => {
    await setPolicy({ when: 'asked' })
    const strict = await createApp(server, { firstParty: true, secondFactor: 'always' })
    const person = await createHolder(server)
    const { visitor } = await begin(person)
    const silent = strict.begin({ prompt: 'none' })
    expect(strict.answerOf(silent, await visitor.get(silent.url)).error).toBe('login_required')
    const request = strict.begin()
    const page = await visitor.get(request.url)
    expect(page.url).toMatch(/\/code$/)
    const done = await visitor.press(page, 'continue', { code: codeOf(person.secret) })
    expect(await claimsAt(request, done, strict)).toMatchObject(two)
  })

  test('new-device: a browser that is known is not asked', async () => {
    const careful = await createApp(server, { firstParty: true, secondFactor: 'new-device' })
    const person = await createHolder(server)
    const { visitor, page } = await begin(person, { at: careful })
    await visitor.press(page, 'continue', { code: codeOf(person.secret) })
    await visitor.press(await visitor.get(`${origin}/account`), 'sign-out')
    const known = await begin(person, { at: careful, visitor })
    expect(await claimsAt(known.request, known.page, careful)).toMatchObject({ acr: '1fa' })
  })

  test('which count: a code by mail where it does, bound to this flow, and not where it does not', async () => {
    const mailing = await createApp(server, {
      firstParty: true,
      secondFactor: 'always',
      secondFactors: ['mail-code'],
    })
    const person = await createHolder(server)
    const { visitor, request, page } = await begin(person, { at: mailing })
    expect(page.url).toMatch(/\/mail-code$/)
    const sent = await visitor.press(page, 'resend')
    const mailed = async () =>
      (await listMailbox(server.config.dataDir)).find(
        ({ to, subject }) => to === person.email && /^\d{6}/.test(subject),
      )
    await expect.poll(mailed, { timeout: 5000 }).toBeTruthy()
    const code = /\b\d{6}\b/.exec((await mailed())?.text ?? '')?.[0] ?? ''
    const soon = await visitor.press(sent, 'resend')
    expect(soon.error).toContain('on its way')
    const other = await begin(person, { at: mailing })
    // That page asks for no code before one was sent; a form that is sent there all the same is refused.
    expect(other.page.body).not.toContain('id="code"')
    const foreign = await other.visitor.press(other.page, 'resend', { action: '', code })
    expect([foreign.status, foreign.error]).toEqual([422, expect.stringContaining('wrong')])
    const done = await visitor.press(sent, 'continue', { code })
    expect(await claimsAt(request, done, mailing)).toMatchObject(two)
    const elsewhere = await begin(person)
    const flow = /sign-in\/[^/]+/.exec(elsewhere.page.url)?.[0]
    const tried = await elsewhere.visitor.get(`${origin}/${flow}/mail-code`)
    expect(tried.url).toMatch(/\/code$/)
  })
})
