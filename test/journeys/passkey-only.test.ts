/** Registration with a passkey and no password: from the form to the app, half done, taken by others, and ever after. */
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { findByIdentifier } from '../../src/accounts/accounts.ts'
import { addPasskey } from '../../src/credentials/add-passkey.ts'
import { listPasskeys } from '../../src/credentials/passkeys.ts'
import { setFirstPassword } from '../../src/credentials/passwords.ts'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { createPasswordCheck } from '../../src/pages/password-check.ts'
import { mailTo } from '../support/account.ts'
import { type Authenticator, createAuthenticator } from '../support/authenticator.ts'
import { beginWithoutPassword, optionsOf } from '../support/passkeys.ts'
import { createBrowser, isConsent, password } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db, pool } = server.database
const app = await createApp(server)
const house = await createApp(server, { firstParty: true })
let count = 0

type Begun = Awaited<ReturnType<typeof begin>>

async function begin(to: App = house, visitor = createBrowser(server)) {
  const username = `keyholder${++count}`
  const request = to.begin()
  const proof = await beginWithoutPassword(visitor, await visitor.get(request.url), username)
  expect(proof.url).toMatch(/\/verify-email$/)
  return { username, email: `${username}@example.org`, visitor, request, proof }
}

async function prove({ visitor, proof, email }: Begun): Promise<Page> {
  return visitor.press(proof, 'continue', { code: await server.mailedCode(email) })
}

async function makeFirst(visitor: Visitor, page: Page, device: Authenticator): Promise<Page> {
  return visitor.press(page, 'add', { answer: device.create(await optionsOf(visitor, page)) })
}

/** In a registration of its own, done at an app of ours. */
async function register() {
  const begun = await begin()
  const device = createAuthenticator(origin)
  const page = await makeFirst(begun.visitor, await prove(begun), device)
  expect(house.answerOf(begun.request, page).code).toBeTruthy()
  return { ...begun, device, account: await accountOf(begun.username) }
}

async function accountOf(username: string) {
  const account = await findByIdentifier(db, username)
  if (!account) throw new Error(`no ${username}`)
  return account
}

async function openLink(visitor: Visitor, { email }: Begun): Promise<Page> {
  const page = await visitor.get(origin + (await server.mailedLink(email)))
  return visitor.press(page, 'continue')
}

const isFirst = (page: Page) => page.url.endsWith('/first-passkey')

test('in the middle of a request: form, code, passkey, consent, app; and no password anywhere', async () => {
  const begun = await begin(app)
  const { visitor, request, username, email } = begun
  const page = await prove(begun)
  expect(isFirst(page)).toBe(true)
  const refused = await visitor.press(page, 'add', { answer: '{}' })
  expect(refused.error).toContain('was not accepted')
  const consent = await makeFirst(visitor, refused, createAuthenticator(origin))
  expect(isConsent(consent)).toBe(true)
  const { code } = app.answerOf(request, await visitor.press(consent, 'continue'))
  const { body } = await app.redeem(request, code)
  const claims = decodeJwt(body.id_token ?? '')
  expect(claims).toMatchObject({ preferred_username: username, email, email_verified: true })
  // What was proven is the passkey, never a password.
  expect(claims.amr).toEqual(['swk', 'user', 'mfa'])
  const account = await accountOf(username)
  expect(account).toMatchObject({ passwordHash: null, passwordChangedAt: null, status: 'active' })
  const { rows } = await pool.query('select password_hash from registrations where username = $1', [
    username,
  ])
  expect(rows).toEqual([{ password_hash: null }])
})

test('at the door too; and the next sign-in takes the passkey', async () => {
  const visitor = createBrowser(server)
  const username = `keyholder${++count}`
  const email = `${username}@example.org`
  const form = await visitor.get(`${origin}/register`)
  const proof = await visitor.press(form, 'without-password', { username, email })
  const first = await visitor.press(proof, 'continue', { code: await server.mailedCode(email) })
  expect(first.url).toBe(`${origin}/first-passkey`)
  const device = createAuthenticator(origin)
  const done = await makeFirst(visitor, first, device)
  expect(done.body).toContain('account is ready')
  const request = house.begin()
  const signIn = await visitor.get(request.url)
  const answer = device.get(await optionsOf(visitor, signIn))
  const { code } = house.answerOf(request, await visitor.press(signIn, 'with-passkey', { answer }))
  expect(code).toBeTruthy()
})

test('the form without its script has one way, with a password; what is wrong is said of both', async () => {
  const visitor = createBrowser(server)
  const form = await visitor.get(`${origin}/register`)
  expect(form.body).toMatch(/<template data-with-passkeys><button[^>]*id="without-password"/)
  const empty = await visitor.press(form, 'continue', {
    username: 'somebody1',
    email: 'a@b.example',
  })
  expect(empty.error).toContain('password')
  const wrong = await visitor.press(form, 'without-password', { username: 'Not A Name', email: '' })
  expect(wrong.status).toBe(422)
  expect(wrong.body).toContain('id="username-error"')
  expect(wrong.body).not.toContain('id="password-error"')
})

test('whoever finds no passkey after all chooses a password', async () => {
  const begun = await begin()
  const page = await prove(begun)
  const form = await begun.visitor.follow(page, 'password')
  const refused = await begun.visitor.press(form, 'continue', { new_password: 'password' })
  expect(refused.error).toContain('easily guessed')
  const done = await begun.visitor.press(refused, 'continue', { new_password: password })
  const { code } = house.answerOf(begun.request, done)
  const { body } = await house.redeem(begun.request, code)
  expect(decodeJwt(body.id_token ?? '').amr).toEqual(['pwd'])
})

test('before the address is proven there is no passkey to make, neither page nor options nor the act', async () => {
  const { visitor, proof, username } = await begin()
  const address = proof.url.replace('/verify-email', '/first-passkey')
  expect((await visitor.get(address)).url).toBe(proof.url)
  const [, csrf = ''] = /name="csrf" value="([^"]*)"/.exec(proof.body) ?? []
  for (const [action, more] of [
    [address, 'name="answer" value="{}"'],
    [address, `name="new_password" value="${password}"`],
    [`${address}/options`, ''],
  ]) {
    const body = `<form action="${action}"><input name="csrf" value="${csrf}"><input ${more}><button id="go" name="act" value="password"></button></form>`
    expect((await visitor.press({ ...proof, body }, 'go')).url).toBe(proof.url)
  }
  expect((await accountOf(username)).passwordHash).toBe(null)
})

test('the link in another browser goes on there; the browser that began gets nothing by it', async () => {
  const begun = await begin()
  const elsewhere = createBrowser(server)
  const page = await openLink(elsewhere, begun)
  expect(page.url).toBe(`${origin}/first-passkey`)
  // Whoever began may be a stranger who knows the address.
  const stuck = await begun.visitor.get(begun.proof.url)
  expect(stuck.url).toMatch(/\/sign-in\/[\w-]+$/)
  expect(stuck.body).toContain('Continue in the browser where you opened the link')
  const address = begun.proof.url.replace('/verify-email', '/first-passkey')
  expect(isFirst(await begun.visitor.get(address))).toBe(false)
  const device = createAuthenticator(origin)
  expect((await makeFirst(elsewhere, page, device)).body).toContain('account is ready')
  const signIn = await begun.visitor.get(begun.proof.url)
  expect(signIn.body).toContain('Your address is verified. Sign in to continue.')
  const answer = device.get(await optionsOf(begun.visitor, signIn))
  const back = await begun.visitor.press(signIn, 'with-passkey', { answer })
  expect(house.answerOf(begun.request, back).code).toBeTruthy()
})

test('the link in another tab of the same browser lets both tabs go on', async () => {
  const begun = await begin()
  const tab = await openLink(begun.visitor, begun)
  expect(isFirst(tab)).toBe(true)
  const page = await begun.visitor.get(begun.proof.url)
  expect(page.url).toMatch(/\/sign-in\/[\w-]+\/first-passkey$/)
  const done = await makeFirst(begun.visitor, page, createAuthenticator(origin))
  expect(house.answerOf(begun.request, done).code).toBeTruthy()
  // The other tab has nothing left to do.
  const late = await begun.visitor.press(tab, 'add', { answer: '{}' })
  expect(late.url).toBe(`${origin}/account`)
  expect(await listPasskeys(db, (await accountOf(begun.username)).id)).toHaveLength(1)
})

test('a mark for a browser is good for its registration alone and cannot be made up', async () => {
  const [mine, other] = [await begin(), await begin()]
  const elsewhere = createBrowser(server)
  await openLink(elsewhere, mine)
  const cookie = [...elsewhere.cookies.values()].find(({ name }) => name.endsWith('mailbox'))
  if (!cookie) throw new Error('no mark')
  await openLink(createBrowser(server), other)
  const { rows } = await pool.query('select id from registrations where username = $1', [
    other.username,
  ])
  cookie.value = cookie.value.replace(/^[^.]*/, rows[0].id)
  const page = await elsewhere.get(`${origin}/first-passkey`)
  expect(isFirst(page)).toBe(false)
})

test('who closed every tab sets a password by mail; what was begun is then worth nothing', async () => {
  const begun = await begin()
  const first = await prove(begun)
  const visitor = createBrowser(server)
  const ask = await visitor.get(`${origin}/reset-password`)
  await visitor.press(ask, 'continue', { email: begun.email })
  const link =
    (await origin) + (await mailTo(server, begun.email, /(\/reset-password\?token=[\w-]+)/))
  const form = await visitor.get(link)
  expect((await visitor.press(form, 'continue', { new_password: password })).status).toBe(200)
  const late = await begun.visitor.press(first, 'add', { answer: '{}' })
  expect(late.url).toMatch(/\/sign-in\/[\w-]+$/)
  expect(late.body).toContain('Sign in to continue')
  // The flow has proven a mailbox, and the password is not its own.
  expect((await begun.visitor.get(begun.proof.url)).url).toMatch(/\/sign-in\/[\w-]+$/)
  const page = await begun.visitor.get(begun.proof.url)
  const back = await begun.visitor.press(page, 'continue', {
    identifier: begun.username,
    password,
  })
  expect(house.answerOf(begun.request, back).code).toBeTruthy()
})

test('after an hour a half-made account is open to nobody but its mailbox', async () => {
  const begun = await begin()
  const page = await prove(begun)
  const tab = createBrowser(server)
  const other = await begin()
  const linked = await openLink(tab, other)
  await pool.query(`update registrations set verified_at = now() - interval '61 minutes'`)
  for (const [visitor, at] of [
    [begun.visitor, page],
    [tab, linked],
  ] as const) {
    const late = await visitor.press(at, 'add', { answer: '{}' })
    expect(late.url).toMatch(/\/sign-in\/[\w-]+$/)
    expect(isFirst(await visitor.get(at.url))).toBe(false)
  }
  expect((await accountOf(begun.username)).passwordHash).toBe(null)
})

test('AC-16 a flow that began a registration with a password is no way in after that was set anew by mail', async () => {
  const visitor = createBrowser(server)
  const username = `keyholder${++count}`
  const email = `${username}@example.org`
  const request = house.begin()
  const form = await visitor.follow(await visitor.get(request.url), 'register')
  const proof = await visitor.press(form, 'continue', { username, email, password })
  await openLink(createBrowser(server), { email } as Begun)
  await pool.query('update accounts set password_changed_at = now() where username = $1', [
    username,
  ])
  const page = await visitor.get(proof.url)
  expect(page.url).toMatch(/\/sign-in\/[\w-]+$/)
})

test('of two firsts at once one is made: a passkey and a password, or two passkeys', async () => {
  const begun = await begin()
  await prove(begun)
  const { id: accountId } = await accountOf(begun.username)
  const party = { id: 'localhost', name: 'Test', origins: [origin] }
  const address = begun.proof.url.replace('/verify-email', '/first-passkey')
  const page = await begun.visitor.get(address)
  const devices = [createAuthenticator(origin), createAuthenticator(origin)]
  const boundTo = `registration ${await registrationOf(begun.username)}`
  const answers: string[] = []
  for (const device of devices) {
    answers.push(device.create(await optionsOf(begun.visitor, page)))
  }
  const made = await Promise.all([
    ...answers.map((answer) =>
      addPasskey(db, party as never, { accountId, boundTo, answer, first: true }).then(
        (added) => added.ok,
      ),
    ),
    setFirstPassword(db, { accountId, passwordHash: 'x' }, {}).then(Boolean),
  ])
  expect(made.filter(Boolean)).toHaveLength(1)
})

async function registrationOf(username: string): Promise<string> {
  const { rows } = await pool.query('select id from registrations where username = $1', [username])
  return rows[0].id
}

test('a name that is only held by what this browser began is free for it', async () => {
  const begun = await begin()
  const { visitor, proof, username } = begun
  const form = await visitor.get(proof.url.replace('verify-email', 'register'))
  const email = 'another@example.org'
  const again = await visitor.press(form, 'without-password', { username, email })
  expect(again.url).toMatch(/\/verify-email$/)
  const stranger = createBrowser(server)
  const theirs = await stranger.press(
    await stranger.get(`${origin}/register`),
    'without-password',
    { username, email },
  )
  expect(theirs.error).toContain('taken')
})

test('ever after: security pages, a fresh sign-in by passkey, the last one stays, a password may come', async () => {
  const { visitor, device, account, username } = await register()
  const security = await visitor.get(`${origin}/account/security`)
  expect(security.body).toContain('Not set')
  await pool.query(
    `update sessions set signed_in_at = now() - interval '1 hour' where account_id = $1`,
    [account.id],
  )
  const again = await visitor.get(`${origin}/account/password`)
  expect(again.body).toContain('please sign in once more')
  const answer = device.get(await optionsOf(visitor, again))
  const form = await visitor.press(again, 'with-passkey', { answer })
  expect(form.body).toContain('Set a password')
  const [passkey] = await listPasskeys(db, account.id)
  const list = await visitor.get(`${origin}/account/passkeys`)
  const kept = await visitor.press(list, `remove-${passkey?.id}`)
  expect(kept.status).toBe(409)
  const done = await visitor.press(form, 'continue', { new_password: password })
  expect(done.body).toContain('You have a password now')
  const { rows } = await pool.query(
    `select type from audit_events where account_id = $1 and type like 'password.%'`,
    [account.id],
  )
  expect(rows).toEqual([{ type: 'password.set' }])
  const removed = await visitor.press(
    await visitor.get(`${origin}/account/passkeys`),
    `remove-${passkey?.id}`,
  )
  expect(removed.status).toBe(200)
  expect(await listPasskeys(db, account.id)).toEqual([])
  expect((await accountOf(username)).passwordHash).not.toBe(null)
})

test('EN-01 a password at an account without one costs what it costs at an unknown name', async () => {
  const { username } = await register()
  const compared: unknown[] = []
  const check = createPasswordCheck({
    database: server.database,
    hasher: { verify: async (hash: unknown) => !compared.push(hash) },
    signInLimits: { begin: async () => ({ fail() {} }) },
    knownDevices: { find: () => undefined },
    onSignIn: () => {},
  } as unknown as Parameters<typeof createPasswordCheck>[0])
  const ctx = { state: { address: '127.0.0.1', origin: {} }, res: { once() {} } } as never
  for (const identifier of [username, `${username}@example.org`, 'nobody-at-all']) {
    expect(await check(ctx, { identifier, password })).toBe(undefined)
  }
  // Without a hash the hasher compares with nobody's (test/credentials/password-hasher.test.ts).
  expect(compared).toEqual([undefined, undefined, undefined])
})
