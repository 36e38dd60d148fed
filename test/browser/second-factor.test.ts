/** An authenticator app from setting it up to losing it, on a narrow phone: with scripts and looked at, then without. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { picture, useBrowser } from '../support/browser.ts'
import { codeOf } from '../support/factors.ts'
import { createPerson } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { findAxeViolations, findSidewaysScroll } from './inspect.ts'
import { fillSignIn } from './steps.ts'

const server = await startTestServer()
const { origin } = server
const browser = useBrowser()
const narrow = { viewport: { width: 320, height: 720 } }

/** A wait for the next code would be half a minute. */
const forgetSteps = () => server.database.pool.query('update authenticators set last_step = 0')

async function walk(page: Page, look: (name: string) => Promise<void>): Promise<void> {
  const person = await createPerson(server)
  await page.goto(`${origin}/sign-in?to=authenticators`)
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.waitForURL(/\/account\/authenticators$/)
  await look('none')
  await page.click('#add')
  await page.waitForURL(/\/new$/)
  await look('set-up')
  const secret = (await page.textContent('#secret')) ?? ''
  await page.fill('#code', '000000')
  await page.click('#continue')
  await look('set-up-refused')
  expect(await page.textContent('#error')).toContain('newest code')
  await page.fill('#code', codeOf(secret))
  await page.fill('#name', 'Old phone')
  await page.click('#continue')
  await page.waitForSelector('#codes')
  await look('recovery-codes')
  const codes = await page.locator('#codes code').allTextContents()
  expect(codes).toHaveLength(10)
  const text = decodeURIComponent((await page.getAttribute('#download', 'href')) ?? '')
  for (const code of codes) expect(text).toContain(code)
  await page.click('#continue')
  await page.waitForURL(/\/account\/authenticators$/)
  await look('some')

  await page.context().clearCookies()
  await forgetSteps()
  await page.goto(`${origin}/sign-in?to=authenticators`)
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.waitForURL(/\/code$/)
  await look('code')
  await page.click('#use-recovery-code')
  await page.waitForURL(/\/recovery-code$/)
  await look('recovery-code')
  await page.fill('#code', codes[3] ?? '')
  await page.click('#continue')
  await page.waitForURL(/\/account\/authenticators$/)
  expect(await page.textContent('main')).toContain('9 of your ten codes')
  // Both factors are proven in this session, so nothing more is asked.
  await page.click('button[value="remove"]')
  await page.waitForSelector('[role="status"]')
  await look('removed')
  expect(await page.textContent('main')).not.toContain('Old phone')
}

test('every page is sound and fits 320 pixels', async () => {
  const page = await browser.open(narrow)
  await walk(page, async (name) => {
    await picture(page, `second-factor-${name}`)
    expect(await findAxeViolations(page), name).toEqual([])
    expect(await findSidewaysScroll(page), name).toEqual([])
  })
})

test('and all of it works without scripts', async () => {
  const page = await browser.open({ ...narrow, javaScriptEnabled: false })
  await walk(page, async () => {})
})

test('MF-10: whoever holds a session of one factor cannot take the other away', async () => {
  const person = await createPerson(server)
  const page = await browser.open({ ...narrow, javaScriptEnabled: false })
  await page.goto(`${origin}/sign-in?to=authenticators`)
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.click('#add')
  const secret = (await page.textContent('#secret')) ?? ''
  await page.fill('#code', codeOf(secret))
  await page.click('#continue')
  await page.click('#continue')
  await forgetSteps()
  // This session has shown a password alone.
  await page.click('button[value="remove"]')
  await page.waitForURL(/\/code$/)
  await page.fill('#code', codeOf(secret))
  await page.click('#continue')
  await page.waitForURL(/\/account\/authenticators$/)
  expect(await page.textContent('main')).toContain('Authenticator')
  await page.click('button[value="remove"]')
  await page.waitForSelector('[role="status"]')
})
