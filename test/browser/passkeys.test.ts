/** Passkeys in Chromium, with its virtual authenticator: what people do, and what the browser adds to the checks. */
import { createServer } from 'node:http'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { listPasskeys } from '../../src/credentials/passkeys.ts'
import { auditOf } from '../support/audit.ts'
import { useBrowser } from '../support/browser.ts'
import { createPerson, type Person } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { fillSignIn } from './steps.ts'
import { type Device, giveDevice } from './virtual-device.ts'

const server = await startTestServer()
const { db } = server.database
const browser = useBrowser()
const path = `${server.origin}/account/passkeys`

async function openPasskeys(page: Page, person: Person): Promise<void> {
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.waitForURL(/\/(account\/passkeys|add-passkey)$/)
  if (page.url() !== path) {
    await page.click('#later')
    await page.waitForURL(path)
  }
}

test('a passkey is added by one press; a second on the same device is refused in words', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await openPasskeys(page, person)
  await giveDevice(page)
  await page.click('#add')
  await page.locator('.notice').waitFor()
  expect(await listPasskeys(db, person.id)).toHaveLength(1)
  await page.click('#add')
  await page.getByText('has a passkey for your account already').waitFor()
  expect(await listPasskeys(db, person.id)).toHaveLength(1)
})

test('WA-06 a device that does not verify its person makes none, and the page says so', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await openPasskeys(page, person)
  await giveDevice(page, { verified: false })
  await page.click('#add')
  await page.locator('[data-words]').waitFor()
  expect(await listPasskeys(db, person.id)).toEqual([])
  expect(await page.isEnabled('#add')).toBe(true)
})

test('without JavaScript there is no button that does nothing', async () => {
  const person = await createPerson(server)
  const page = await browser.open({ javaScriptEnabled: false })
  await openPasskeys(page, person)
  expect(await page.locator('#add').count()).toBe(0)
  await page.getByText('JavaScript switched on').waitFor()
})

test('WA-19 a browser without passkeys hears of no error', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await page.addInitScript('delete window.PublicKeyCredential')
  await openPasskeys(page, person)
  expect(await page.locator('#add').count()).toBe(0)
})

async function addOne(page: Page, person: Person): Promise<Device> {
  await openPasskeys(page, person)
  const device = await giveDevice(page)
  await page.click('#add')
  await page.locator('.notice').waitFor()
  return device
}

async function signOut(page: Page): Promise<void> {
  await page.context().clearCookies()
}

test('signing in takes one press and no typing, and no typing at all where the browser fills in', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await addOne(page, person)
  await signOut(page)
  // Else the virtual device may answer the browser's own list before anybody has pressed.
  await page.addInitScript(() => {
    if (!('PublicKeyCredential' in window) || localStorage.getItem('fills-in')) return
    PublicKeyCredential.isConditionalMediationAvailable = async () => false
  })
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  await page.locator('#with-passkey').waitFor()
  expect(await page.getAttribute('#identifier', 'autocomplete')).toBe('username webauthn')
  await page.click('#with-passkey')
  await page.waitForURL(path)

  await page.evaluate(() => localStorage.setItem('fills-in', 'yes'))
  await signOut(page)
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  // The browser's list of passkeys is answered by the virtual device itself.
  await page.waitForURL(path)
})

test('WA-06 whoever is not verified by the device stays out, and can use the password', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  const { protocol, authenticatorId } = await addOne(page, person)
  await signOut(page)
  await protocol.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  await page.click('#with-passkey')
  await page.locator('[data-words]').waitFor()
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.waitForURL(path)
})

test('WA-13 a copy of a key whose counter stands still is refused', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  const { protocol, authenticatorId } = await addOne(page, person)
  const { credentials } = await protocol.send('WebAuthn.getCredentials', { authenticatorId })
  await signOut(page)
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  await page.waitForURL(path)
  await signOut(page)
  await protocol.send('WebAuthn.clearCredentials', { authenticatorId })
  for (const credential of credentials)
    await protocol.send('WebAuthn.addCredential', { authenticatorId, credential })
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  // The page offers again by itself, so it is the trail that tells.
  const wentBack = async () =>
    (await auditOf(db, 'passkey.counter_went_back')).filter((e) => e.accountId === person.id).length
  await expect.poll(wentBack, { timeout: 10_000 }).toBe(1)
})

test('WA-03 no other site, not even on this machine, can use it', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await addOne(page, person)
  const refused = await page.evaluate(() =>
    navigator.credentials
      .get({ publicKey: { challenge: new Uint8Array(32), rpId: 'example.org' } })
      .then(
        () => 'used',
        (error: Error) => error.name,
      ),
  )
  expect(refused).toBe('SecurityError')
})

/** What the script of our page does, up to the answer: what comes of it is the caller's. */
const answerHere = async ({ challenge, origin }: { challenge?: string; origin: string }) => {
  const bytes = (text: string) =>
    Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
  const form = document.querySelector<HTMLFormElement>('form[data-passkey]')
  let asked = challenge
  if (form && !asked) {
    const csrf = String(new FormData(form).get('csrf'))
    const body = new URLSearchParams({ csrf })
    const options = await fetch(String(form.dataset.options), { method: 'POST', body })
    asked = String((await options.json()).challenge)
  }
  const publicKey = { challenge: bytes(asked ?? ''), rpId: new URL(origin).hostname }
  const given = (await navigator.credentials.get({
    publicKey: { ...publicKey, userVerification: 'required' },
  })) as PublicKeyCredential
  return { challenge: String(asked), answer: JSON.stringify(given.toJSON()) }
}

/** Sends what a device has answered, as the script does. */
async function send(page: Page, answer: string): Promise<number> {
  const loaded = page.waitForEvent('load')
  const sent = page.waitForResponse((response) => response.request().method() === 'POST')
  await page.evaluate((given) => {
    const form = document.querySelector<HTMLFormElement>('form[data-passkey]')
    const field = form?.elements.namedItem('answer') as HTMLInputElement
    field.value = given
    HTMLFormElement.prototype.submit.call(form)
  }, answer)
  await loaded
  return (await sent).status()
}

const reasons = async (person: Person) =>
  (await auditOf(db, 'passkey.refused'))
    .filter(({ accountId }) => accountId === person.id)
    .map(({ detail }) => detail.reason)

test('WA-03 what a device has signed at another port of this machine is refused here', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await addOne(page, person)
  await signOut(page)
  const other = createServer((_, response) => response.end('<!doctype html><title>x</title>'))
  await new Promise<void>((resolve) => other.listen(0, 'localhost', resolve))
  const { port } = other.address() as { port: number }
  try {
    const flow = await openQuietly(page)
    const { origin } = server
    const { challenge } = await page.evaluate(answerHere, { origin })
    await page.goto(`http://localhost:${port}/`)
    const { answer } = await page.evaluate(answerHere, { origin, challenge })
    await page.goto(flow)
    expect(await send(page, answer)).toBe(422)
    expect(await reasons(person)).toEqual([expect.stringMatching(/origin/i)])
    await page.goto(path)
    expect(page.url()).toContain('/sign-in/')
  } finally {
    other.close()
  }
})

test('WA-02 a challenge that was answered once, rightly or not, is answered no more', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await addOne(page, person)
  await signOut(page)
  await openQuietly(page)
  const { origin } = server
  const { challenge, answer } = await page.evaluate(answerHere, { origin })
  const broken = JSON.parse(answer)
  broken.response.signature = broken.response.signature.replace(/.{8}$/, 'AAAAAAAA')
  expect(await send(page, JSON.stringify(broken))).toBe(422)
  const again = await page.evaluate(answerHere, { origin, challenge })
  expect(await send(page, again.answer)).toBe(422)
  expect(await send(page, answer)).toBe(422)
  const fresh = await page.evaluate(answerHere, { origin })
  expect(await send(page, fresh.answer)).toBe(303)
})

/** The page of signing in, whose script offers nothing by itself meanwhile. Returns its address. */
async function openQuietly(page: Page): Promise<string> {
  await page.route('**/passkeys.*.js', (route) =>
    route.fulfill({ contentType: 'text/javascript', body: '' }),
  )
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  return page.url()
}

test('a device that can make one is offered it after the password, and the next sign-in takes nothing', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await giveDevice(page)
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  await page.locator('[data-passkey-ability][value=yes]').waitFor({ state: 'attached' })
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.waitForURL(/\/add-passkey$/)
  await page.click('#add')
  await page.waitForURL(path)
  expect(await listPasskeys(db, person.id)).toHaveLength(1)
  await signOut(page)
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  await page.waitForURL(path)
})
