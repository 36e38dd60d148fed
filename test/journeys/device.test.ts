/** A person with a device: the code, the question, the way through sign-in, and every wrong turn on it. */
import { expect, test } from 'vitest'
import type { Page } from '../../src/demo/visitor.ts'
import { auditOf } from '../support/audit.ts'
import { askForCode, connect, poll, typeCode } from '../support/device.ts'
import { createBrowser, createPerson, isConsent, password, signInAt } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin, database } = server
const person = await createPerson(server)
const app = await createApp(server, { preset: 'device', name: 'Living room TV' })
const credentials = { identifier: person.username, password }

async function typed(user_code: string): Promise<Page> {
  const browser = createBrowser(server)
  return browser.press(await browser.get(`${origin}/device`), 'continue', { user_code })
}

test('signed out: code, question, sign-in, consent, and the device has its tokens', async () => {
  const browser = createBrowser(server)
  const shown = await askForCode(app)
  const form = await browser.get(shown.uri)
  expect(form.body).toMatch(/<input[^>]+id="user_code"[^>]+value=""/)
  const question = await browser.press(form, 'continue', { user_code: shown.userCode })
  expect(question.body).toContain('Connect Living room TV?')
  const signIn = await browser.press(question, 'continue')
  expect(signIn.url).toContain('/sign-in/')
  expect(signIn.body).toContain('Living room TV')
  const consent = await browser.press(signIn, 'continue', credentials)
  expect(isConsent(consent)).toBe(true)
  const done = await browser.press(consent, 'continue')
  expect(done.body).toContain('Your device is connected')
  expect(done.url).toMatch(/\/device\/[\w-]+$/)
  expect((await poll(app, shown)).status).toBe(200)
  const [event] = await auditOf(database.db, 'device.connected', app.id)
  expect(event).toMatchObject({ accountId: person.id, actorKind: 'person', actorId: person.id })
  const { rows } = await database.pool.query('select * from interactions')
  expect(JSON.stringify(rows)).not.toContain(shown.deviceCode)
})

test('DF-02: small letters, spaces and dashes are all one; what only looks alike is not', async () => {
  const { userCode } = await askForCode(app)
  const plain = userCode.replace('-', '')
  const spellings = [plain.toLowerCase(), ` ${plain.split('').join(' ')} `, `${userCode}-`, plain]
  for (const spelling of spellings) {
    expect((await typed(spelling)).body).toContain('Connect Living room TV?')
  }
  const wide = plain.replace(/./g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0))
  for (const other of [
    wide,
    `${plain}!`,
    plain.slice(1),
    `${plain}B`,
    `${plain}\u200b`,
    '',
    '%00',
  ]) {
    const page = await typed(other)
    expect([other, page.status, page.error]).toEqual([
      other,
      422,
      'This code is not known here. Compare it with the one on your device.',
    ])
  }
})

test('DF-03: the link fills the code in and does nothing; the question names app, code, program and address', async () => {
  const browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${origin}/sign-in`), person)
  const shown = await askForCode(app)
  await app.post('device', { scope: 'openid' }, { 'user-agent': 'TVBrowser/9 (x)' })
  const form = await browser.get(shown.complete)
  expect(form.body).toContain(`value="${shown.userCode}"`)
  expect(form.body).toContain('Compare this code with the one on your device.')
  expect(form.body).toMatch(/<svg class="qr" role="img"/)
  const question = await browser.press(form, 'continue')
  for (const words of [
    shown.userCode,
    'Living room TV',
    person.username,
    '127.0.0.1',
    'node',
    'Did you begin this yourself',
  ]) {
    expect(question.body).toContain(words)
  }
  expect((await poll(app, shown)).body.error).toBe('authorization_pending')
})

test('DF-03: nobody is made to say yes by another site, or by an address', async () => {
  const browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${origin}/sign-in`), person)
  const shown = await askForCode(app)
  await browser.get(`${shown.complete}&decision=allow&confirm=yes`)
  const cookie = [...browser.cookies.values()]
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
  for (const headers of [{ origin: 'https://evil.example' }, { origin }, {}] as Record<
    string,
    string
  >[]) {
    const response = await fetch(`${origin}/device`, {
      method: 'POST',
      headers: { cookie, ...headers },
      body: new URLSearchParams({
        user_code: shown.userCode,
        decision: 'allow',
        confirm: 'yes',
        xsrf: 'x',
      }),
    })
    expect(response.status).toBe(403)
  }
  expect((await poll(app, shown)).body.error).toBe('authorization_pending')
})

test('DF-05: what one browser has taken up no other finishes, while the first comes back to it', async () => {
  const mine = createBrowser(server)
  const shown = await askForCode(app)
  const signIn = await mine.press(await typeCode(mine, shown), 'continue')
  const other = createBrowser(server)
  await signInAt(other, await other.get(`${origin}/sign-in`), await createPerson(server))
  expect((await typeCode(other, shown)).error).toMatch(/being used in another browser/)
  const flow = signIn.url.split('/').pop()
  expect((await other.get(`${origin}/device/${flow}`)).body).not.toContain('is connected')
  expect((await other.get(signIn.url)).status).toBe(409)
  // The page was lost; the code still stands on the device.
  const done = await connect(mine, shown, person)
  expect(done.body).toContain('is connected')
  expect((await poll(app, shown)).status).toBe(200)
  expect((await typeCode(mine, shown)).error).toMatch(/used already/)
})

test('a flow that was lost on the way leads back to the form for the code', async () => {
  const browser = createBrowser(server)
  const shown = await askForCode(app)
  const signIn = await browser.press(await typeCode(browser, shown), 'continue')
  await database.pool.query("update interactions set expires_at = now() - interval '1 minute'")
  const lost = await browser.press(signIn, 'continue', credentials)
  expect(lost.status).toBe(410)
  expect(lost.body).toContain('Enter the code again')
  const form = await browser.follow(lost, 'continue')
  expect(form.url).toBe(`${origin}/device`)
  const question = await browser.press(form, 'continue', { user_code: shown.userCode })
  const again = await browser.press(question, 'continue')
  const consent = await browser.press(again, 'continue', credentials)
  const done = isConsent(consent) ? await browser.press(consent, 'continue') : consent
  expect(done.body).toContain('is connected')

  const resume = `${origin}/device/${signIn.url.split('/').pop()}`
  const stale = await browser.get(resume)
  expect([409, 410]).toContain(stale.status)
  expect(stale.body).toContain('Enter the code again')
  expect(
    (await createBrowser(server).get(`${origin}/device/${'x'.repeat(43)}`)).status,
  ).toBeLessThan(500)
})

test('a session that changed meanwhile does not end the code', async () => {
  const browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${origin}/sign-in`), person)
  const stranger = await createApp(server, { preset: 'device', name: 'New TV' })
  const shown = await askForCode(stranger)
  const consent = await browser.press(await typeCode(browser, shown), 'continue')
  expect(isConsent(consent)).toBe(true)
  await database.pool.query('delete from sessions')
  const lost = await browser.press(consent, 'continue')
  expect(lost.body).toContain('Enter the code again')
  await browser.get(`${origin}/device/${consent.url.split('/').at(-2)}`)
  expect((await poll(stranger, shown)).body.error).toBe('authorization_pending')
})

test('no to the app’s wishes is a no to the device', async () => {
  const browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${origin}/sign-in`), person)
  const greedy = await createApp(server, { preset: 'device', name: 'Greedy TV' })
  const shown = await askForCode(greedy)
  const consent = await browser.press(await typeCode(browser, shown), 'continue')
  const done = await browser.press(consent, 'cancel')
  expect(done.body).toContain('Greedy TV')
  expect(done.body).toContain('The device was not connected')
  expect((await poll(greedy, shown)).body.error).toBe('access_denied')
})

test('an app that was switched off meanwhile, and one that lies about its name', async () => {
  const off = await createApp(server, { preset: 'device' })
  const shown = await askForCode(off)
  await database.pool.query('update clients set disabled_at = now() where id = $1', [off.id])
  await database.pool.query("update versions set version = version + 1 where name = 'clients'")
  await expect.poll(async () => (await typed(shown.userCode)).status, { timeout: 5000 }).toBe(410)
  const answer = await app.post('device', {}, { 'user-agent': '<script>alert(1)</script>' })
  const page = await typed(String(answer.body.user_code))
  expect(page.body).not.toContain('<script>alert')
  expect(page.body).toContain('&lt;script&gt;alert(1)')
})

test('in Chinese, and the picture of a code for whoever makes devices', async () => {
  const chinese = createBrowser(server, 'zh-CN')
  const shown = await askForCode(app)
  const question = await typeCode(chinese, shown)
  expect(question.body).toContain('要连接 Living room TV 吗？')
  const picture = await fetch(`${origin}/device/qr.svg?user_code=${shown.userCode}`)
  expect(picture.headers.get('content-type')).toContain('image/svg+xml')
  expect(picture.headers.get('cross-origin-resource-policy')).toBe('cross-origin')
  expect(await picture.text()).toMatch(/^<svg [^>]+><path fill="#fff"[^>]+><path d="M/)
  for (const other of ['', 'https://evil.example', '<svg>']) {
    const { status } = await fetch(`${origin}/device/qr.svg?user_code=${encodeURIComponent(other)}`)
    expect(status).toBe(404)
  }
})
