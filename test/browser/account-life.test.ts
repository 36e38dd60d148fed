/**
 * The whole life of an account in a real browser, by pages alone: a person registers, adds a passkey and an authenticator,
 * loses each, comes back, moves to another mailbox, sees and ends devices and apps, takes everything along and leaves. Every
 * page on the way is looked at by axe in both themes, and none reaches beyond 320 pixels.
 */
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { accountPages } from '../../src/oidc/account-client.ts'
import { mailTo } from '../support/account.ts'
import { picture, useBrowser } from '../support/browser.ts'
import { codeOf } from '../support/factors.ts'
import { createPerson } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { startApp } from './app.ts'
import { findAxeViolations, findSidewaysScroll } from './inspect.ts'
import { expectSignedIn, fillSignIn } from './steps.ts'
import { giveDevice, losePasskeys } from './virtual-device.ts'

const server = await startTestServer({ env: { BRAND_NAME: 'letuslearn' } })
const { origin } = server
const library = await startApp(server, { name: 'Library' })
const browser = useBrowser()
const codeIn = /^ {4}(\d{6})$/m
const narrow = { width: 320, height: 720 }
const wide = { width: 1280, height: 800 }

async function look(page: Page, name: string): Promise<void> {
  expect([name, await findAxeViolations(page)]).toEqual([name, []])
  expect([name, await findSidewaysScroll(page)]).toEqual([name, []])
  await picture(page, `life-${name}`)
}

/** Presses, and waits for the page that comes of it. */
async function press(page: Page, selector: string, address: RegExp): Promise<void> {
  await page.click(selector)
  await page.waitForURL(address)
}

/** Not the one of the registration, which went to the same mailbox. */
async function resetCode(email: string): Promise<string> {
  const mail = await mailTo(server, email, /([\s\S]*wants a new password[\s\S]*)/)
  return codeIn.exec(mail)?.[1] ?? ''
}

test('from the first form to the last page', { timeout: 120_000 }, async () => {
  const page = await browser.open({ viewport: wide })
  const device = await giveDevice(page)
  const username = 'ada_lives'
  const email = `${username}@example.org`
  const later = 'ada.elsewhere@example.org'

  // Registers in the middle of an app's request.
  await page.goto(`${library.origin}/sign-in`)
  await press(page, '#register', /\/register$/)
  await page.fill('#username', username)
  await page.fill('#email', email)
  await page.fill('#password', 'marble lantern otter')
  await page.getByText('Strength: very good.').waitFor()
  await look(page, 'register')
  await press(page, '#continue', /\/verify-email$/)
  await page.fill('#code', await mailTo(server, email, codeIn))
  await press(page, '#continue', /\/consent$/)
  await page.click('#continue')
  await expectSignedIn(page, library, username)

  // Adds a passkey and an authenticator.
  await page.goto(`${origin}/account`)
  await look(page, 'home')
  await press(page, '#nav-security', /\/security$/)
  await look(page, 'security')
  await press(page, 'a[href="/account/passkeys"]', /\/passkeys$/)
  await page.click('#add')
  await page.getByText('The passkey was added').waitFor()
  await look(page, 'passkeys')
  await page.goto(`${origin}/account/authenticators`)
  await press(page, '#add', /\/new$/)
  const secret = (await page.textContent('#secret')) ?? ''
  await page.fill('#code', codeOf(secret))
  await page.click('#continue')
  await page.waitForSelector('ol#codes')
  const [recovery = ''] = await page.locator('#codes code').allTextContents()
  await press(page, '#continue', /\/authenticators$/)

  // Signs out, and comes in by the passkey alone: nothing is typed.
  await page.goto(`${origin}/account`)
  await press(page, '#sign-out', /\/logout\/success|signed-out/)
  await page.goto(`${origin}/sign-in?to=passkeys`)
  await page.waitForURL(/\/account\/passkeys$/)

  // Loses the phone, with the passkey and the authenticator on it: a recovery code is left.
  await losePasskeys(device)
  await page.context().clearCookies()
  await page.setViewportSize(narrow)
  await page.goto(`${origin}/sign-in?to=authenticators`)
  await fillSignIn(page, { username, password: 'marble lantern otter' } as never)
  await press(page, '#continue', /\/passkey$/)
  await look(page, 'second-passkey')
  await press(page, '#use-totp', /\/code$/)
  await look(page, 'code')
  await press(page, '#use-recovery-code', /\/recovery-code$/)
  await page.fill('#code', recovery)
  await press(page, '#continue', /\/account\/authenticators$/)
  await mailTo(server, email, /A recovery code of ada_lives was used/)
  await page.click('button[value="remove"]')
  await page.getByText('The authenticator app was removed').waitFor()
  await look(page, 'authenticators')
  await page.goto(`${origin}/account/passkeys`)
  await page.click('button[value="remove"]')
  await page.getByText('The passkey was removed').waitFor()

  // Forgets the password as well, and has the mailbox.
  await page.context().clearCookies()
  await page.goto(`${origin}/sign-in`)
  await press(page, '#forgot', /\/reset-password$/)
  await page.fill('#email', email)
  await page.click('#continue')
  await page.waitForSelector('#code')
  await look(page, 'reset-code')
  await page.fill('#code', await resetCode(email))
  await page.click('#continue')
  await page.fill('#new_password', 'a quiet harbour in the north')
  await page.getByText('Strength: very good.').waitFor()
  await look(page, 'reset-password')
  await page.click('#continue')
  await page.getByText('Your password is changed').waitFor()
  await page.goto(`${origin}/sign-in?to=address`)
  const person = { username, password: 'a quiet harbour in the north' } as never
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.waitForURL(/\/(account\/address|add-passkey)$/)
  if (page.url().endsWith('/add-passkey')) {
    await look(page, 'add-passkey')
    await press(page, '#later', /\/account\/address$/)
  }

  // Moves to another mailbox.
  await look(page, 'address')
  await page.fill('#email', later)
  await page.click('#continue')
  await page.waitForSelector('#code')
  await page.fill('#code', await mailTo(server, later, codeIn))
  await press(page, '#continue', /\/security$/)
  await page.getByText('This is your address now').waitFor()
  await mailTo(server, email, /has another address now/)

  // Sees another device and an app, and ends both.
  const other = await browser.open()
  await other.goto(`${library.origin}/sign-in`)
  await fillSignIn(other, person)
  await other.click('#continue')
  await expectSignedIn(other, library, username)
  await page.setViewportSize(wide)
  await page.goto(`${origin}/account/devices`)
  await look(page, 'devices')
  await page.click('button[name="end"]')
  await page.getByText('That device is signed out').waitFor()
  await other.goto(`${origin}/account`)
  expect(other.url()).toMatch(/\/sign-in\//)
  await press(page, '#nav-apps', /\/apps$/)
  await look(page, 'apps')
  await page.click('[id^="disconnect-"]')
  await page.waitForSelector('[role="status"]')
  await press(page, '#nav-activity', /\/activity$/)
  await look(page, 'activity')

  // Takes everything along and leaves.
  await press(page, '#nav-data', /\/data$/)
  await look(page, 'data')
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')])
  const everything = readFileSync(await download.path(), 'utf8')
  for (const own of [username, later, 'consent.withdrawn']) expect(everything).toContain(own)
  await press(page, '#delete', /\/delete$/)
  await look(page, 'delete')
  await page.fill('#username', username)
  await page.click('#continue')
  await page.waitForSelector('#sign-in')
  await look(page, 'left')
  await page.goto(`${origin}/account`)
  expect(page.url()).toMatch(/\/sign-in\//)
})

test('a newcomer with a passkey alone: one button, one code, one press', async () => {
  const page = await browser.open({ viewport: narrow })
  await giveDevice(page)
  await page.goto(`${library.origin}/sign-in`)
  await press(page, '#register', /\/register$/)
  await page.fill('#username', 'keyholder')
  await page.fill('#email', 'keyholder@example.org')
  await look(page, 'register-narrow')
  await press(page, '#without-password', /\/verify-email$/)
  await page.fill('#code', await mailTo(server, 'keyholder@example.org', codeIn))
  await press(page, '#continue', /\/first-passkey$/)
  await look(page, 'first-passkey')
  await press(page, '#add', /\/consent$/)
  await page.click('#continue')
  await expectSignedIn(page, library, 'keyholder')
  await page.goto(`${origin}/account/password`)
  await page.getByRole('heading', { name: 'Set a password' }).waitFor()
  await look(page, 'set-password')
})

test('every page of the account once more, in Chinese, dark and narrow', async () => {
  const person = await createPerson(server)
  const page = await browser.open({ locale: 'zh-CN', colorScheme: 'dark', viewport: narrow })
  await page.goto(`${origin}/sign-in`)
  await fillSignIn(page, person)
  await press(page, '#continue', /\/account$/)
  for (const [name, path] of Object.entries(accountPages)) {
    await page.goto(origin + path)
    expect([name, await page.getAttribute('html', 'lang')]).toEqual([name, 'zh-CN'])
    await look(page, `zh-${name}`)
  }
})
