/** Passkeys in Chromium, with its virtual authenticator: what people do, and what the browser adds to the checks. */
import type { CDPSession, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { listPasskeys } from '../../src/credentials/passkeys.ts'
import { useBrowser } from '../support/browser.ts'
import { createPerson, type Person } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { fillSignIn } from './steps.ts'

const server = await startTestServer()
const { db } = server.database
const browser = useBrowser()
const path = `${server.origin}/account/passkeys`

type Device = { protocol: CDPSession; authenticatorId: string }

async function giveDevice(page: Page, more: { verified?: boolean } = {}): Promise<Device> {
  const protocol = await page.context().newCDPSession(page)
  await protocol.send('WebAuthn.enable', { enableUI: false })
  const { authenticatorId } = await protocol.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: more.verified ?? true,
      automaticPresenceSimulation: true,
    },
  })
  return { protocol, authenticatorId }
}

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
