/** Passkeys in Chromium, with its virtual authenticator: what people do, and what the browser adds to the checks. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { listPasskeys } from '../../src/credentials/passkeys.ts'
import { auditOf } from '../support/audit.ts'
import { useBrowser } from '../support/browser.ts'
import { createPerson, type Person } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { fillSignIn } from './steps.ts'
import { type Device, giveDevice, touch } from './virtual-device.ts'

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
  const device = await addOne(page, person)
  await signOut(page)
  await touch(device, false)
  await page.goto(`${server.origin}/sign-in?to=passkeys`)
  await page.locator('#with-passkey').waitFor()
  expect(await page.getAttribute('#identifier', 'autocomplete')).toBe('username webauthn')
  await touch(device, true)
  await page.click('#with-passkey')
  await page.waitForURL(path)

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
