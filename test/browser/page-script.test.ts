/** What views/assets/page.js adds to the pages, and that nothing is lost where it does not run. */
import { text } from 'node:stream/consumers'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { stopClock, useBrowser } from '../support/browser.ts'
import { serveExamples } from './examples-server.ts'

const server = await serveExamples()
const browser = useBrowser()

/** The body of each form that arrives. `staying` leaves the browser where it is, as if no answer came. */
function receiveForms({ staying = false } = {}): URLSearchParams[] {
  const forms: URLSearchParams[] = []
  server.onForm(async (ctx) => {
    forms.push(new URLSearchParams(await text(ctx.req)))
    if (staying) ctx.status = 204
  })
  return forms
}

test('a password can be shown and hidden, and leaves as a password', async () => {
  const page = await browser.open()
  await page.goto(server.url('sign-in', 'fresh'))
  await page.fill('#password', 'marble lantern otter')
  const button = page.locator('.reveal')
  const look = async () => [
    await page.getAttribute('#password', 'type'),
    await button.getAttribute('aria-label'),
  ]

  expect(await look()).toEqual(['password', 'Show password'])
  await button.click()
  expect(await look()).toEqual(['text', 'Hide password'])
  await button.click()
  expect(await look()).toEqual(['password', 'Show password'])

  const forms = receiveForms({ staying: true })
  await button.click()
  await page.click('#continue')
  await expect
    .poll(() => forms.map((form) => form.get('password')))
    .toEqual(['marble lantern otter'])
  expect(await look()).toEqual(['password', 'Show password'])
})

test('the countdown to the next mail runs silently, then opens the button and says so', async () => {
  const page = await browser.open()
  await stopClock(page)
  await page.goto(server.url('verify-email', 'resent'))
  const line = page.locator('[data-countdown]')
  expect(await page.isDisabled('#resend')).toBe(true)
  expect(await line.textContent()).toContain('in 0:42')
  expect(await line.locator('[role=status]').textContent()).toBe('')

  await page.clock.runFor(41_000)
  expect(await line.textContent()).toContain('in 0:01')
  expect(await page.isDisabled('#resend')).toBe(true)
  await page.clock.runFor(1000)

  expect(await page.isEnabled('#resend')).toBe(true)
  expect(await line.locator('[role=status]').textContent()).toBe('You can ask for a new code now.')
})

test('without scripts the button is open, the wait is said in words, and no dead button shows', async () => {
  const page = await browser.open({ javaScriptEnabled: false })
  await page.goto(server.url('verify-email', 'resent'))
  expect(await page.isEnabled('#resend')).toBe(true)
  expect(await page.textContent('[data-countdown]')).toContain('in 42 seconds')
  await page.goto(server.url('sign-in', 'fresh'))
  expect(await page.locator('.reveal').count()).toBe(0)
  await page.goto(server.url('error', 'redirect'))
  expect(await page.locator('.reference button').count()).toBe(0)
})

test('a form leaves once, however often its button is pressed, and is free again after going back', async () => {
  const page = await browser.open()
  const forms = receiveForms()
  await page.goto(server.url('sign-in', 'fresh'))
  await pressThrice(page)
  await page.waitForSelector('h1:text("Sent")')
  expect(forms).toHaveLength(1)

  await page.goBack()
  await page.click('#continue')
  await page.waitForSelector('h1:text("Sent")')
  expect(forms).toHaveLength(2)
})

test('when no answer comes for ten seconds the form may be sent again', async () => {
  const page = await browser.open()
  const forms = receiveForms({ staying: true })
  await stopClock(page)
  await page.goto(server.url('sign-in', 'fresh'))
  await pressThrice(page)
  await expect.poll(() => forms.length).toBe(1)
  expect(await page.getAttribute('form', 'aria-busy')).toBe('true')
  expect(await page.locator('#continue.pressed').count()).toBe(1)
  await pressThrice(page)

  await page.clock.runFor(10_000)
  expect(await page.getAttribute('form', 'aria-busy')).toBeNull()
  expect(await page.locator('.pressed').count()).toBe(0)
  expect(forms).toHaveLength(1)
  await pressThrice(page)
  await expect.poll(() => forms.length).toBe(2)
})

test('a page that comes back from the browser’s memory is free', async () => {
  const page = await browser.open()
  const forms = receiveForms({ staying: true })
  await page.goto(server.url('sign-in', 'fresh'))
  await page.click('#continue')
  await expect.poll(() => forms.length).toBe(1)

  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))
  await page.click('#continue')

  await expect.poll(() => forms.length).toBe(2)
})

/** Faster than any answer. */
function pressThrice(page: Page): Promise<void> {
  return page.evaluate(() => {
    for (let press = 0; press < 3; press++) document.getElementById('continue')?.click()
  })
}

test('the button that was pressed is the one that counts', async () => {
  const page = await browser.open()
  const forms = receiveForms()
  for (const button of ['continue', 'cancel']) {
    await page.goto(server.url('consent', 'usual'))
    await page.click(`#${button}`)
    await page.waitForSelector('h1:text("Sent")')
  }
  expect(forms.map((form) => form.get('decision'))).toEqual(['allow', 'deny'])
})

test('a reference is copied by its button, which says so for a moment', async () => {
  const page = await browser.open({ permissions: ['clipboard-read', 'clipboard-write'] })
  await stopClock(page)
  await page.goto(server.url('error', 'redirect'))
  const button = page.locator('.reference button')
  await button.click()
  await expect.poll(() => button.textContent()).toBe('Copied')
  expect(await page.textContent('.reference [role=status]')).toBe('Copied')
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('K7QX-2MPD')
  await page.clock.runFor(2000)
  expect(await button.textContent()).toBe('Copy')
})
