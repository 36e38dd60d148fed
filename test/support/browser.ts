/**
 * A real browser for a test file, and ears in every window of it: a page that breaks its own policy, writes an error
 * to the console or misses a stylesheet fails the test in which it happens (WB-07). The ears hang on the browser's
 * debugging protocol, so pages without JavaScript are heard too.
 *
 * `SCREENSHOTS=<directory>` keeps a picture of every page that `picture()` is asked for, to be looked at.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, inject } from 'vitest'
import { launchChromium } from './chromium.ts'

export type TestBrowser = {
  /** A person's own browser, with a first window. */
  open(options?: BrowserContextOptions): Promise<Page>
  /** A second window of the same person. */
  openTab(beside: Page): Promise<Page>
  /** What was heard since it was last asked for; each test must leave nothing. */
  takeTroubles(): string[]
}

/** For the top of a test file: one browser for all its tests, a fresh person for each `open`. */
export function useBrowser(): TestBrowser {
  let browser: Browser
  const contexts: BrowserContext[] = []
  const troubles: string[] = []
  const takeTroubles = () => troubles.splice(0)

  beforeAll(async () => {
    browser = await launchChromium(inject('chromium'))
  })
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()))
    expect(takeTroubles(), 'heard from the browser').toEqual([])
  })
  afterAll(() => browser.close())

  async function openWindow(context: BrowserContext): Promise<Page> {
    const page = await context.newPage()
    await listen(page, (trouble) => troubles.push(trouble))
    return page
  }

  return {
    takeTroubles,
    openTab: (beside) => openWindow(beside.context()),
    async open(options = {}) {
      const context = await browser.newContext({ locale: 'en-GB', ...options })
      context.setDefaultTimeout(15_000)
      contexts.push(context)
      return openWindow(context)
    },
  }
}

async function listen(page: Page, tell: (trouble: string) => void): Promise<void> {
  const at = () => new URL(page.url()).pathname
  page.on('pageerror', (error) => tell(`${at()}: ${error.message}`))
  page.on('console', (message) => {
    // A refused form answers 4xx, which the console calls a failed resource; real ones are heard below.
    const expected = message.text().startsWith('Failed to load resource')
    if (['error', 'warning'].includes(message.type()) && !expected)
      tell(`${at()}: ${message.text()}`)
  })
  page.on('response', (response) => {
    const part = response.request().resourceType() !== 'document'
    if (part && response.status() >= 400) tell(`${response.url()} answered ${response.status()}`)
  })
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText
    // Whoever leaves a page stops what it was still loading.
    if (reason !== 'net::ERR_ABORTED') tell(`${request.url()} failed: ${reason}`)
  })
  const protocol = await page.context().newCDPSession(page)
  protocol.on('Audits.issueAdded', ({ issue }) => {
    const { contentSecurityPolicyIssueDetails: violation } = issue.details
    if (violation) tell(`${at()} breaks its policy: ${JSON.stringify(violation)}`)
  })
  await protocol.send('Audits.enable')
}

/** From now on the time of this window, in every page that it shows, passes only by `page.clock.runFor(ms)`. */
export async function stopClock(page: Page): Promise<void> {
  await page.clock.install({ time: 0 })
  await page.clock.pauseAt(1000)
}

/** Keeps a picture of the whole page when somebody wants to look at them. */
export async function picture(page: Page, name: string): Promise<void> {
  const directory = process.env.SCREENSHOTS
  if (!directory) return
  mkdirSync(directory, { recursive: true })
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true })
}
