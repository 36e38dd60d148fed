/** Every page in every state, in both languages and themes, on paper-thin and on wide screens (WB-14). */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { locales } from '../../src/views/phrases.ts'
import { picture, useBrowser } from '../support/browser.ts'
import { examples } from '../views/examples.ts'
import { serveExamples } from './examples-server.ts'
import { findAxeViolations, findSidewaysScroll, walkByTab } from './inspect.ts'

const server = await serveExamples()
const browser = useBrowser()

/** 320 px are 1280 px at 400 %; 640 px are 1280 px at 200 %. */
const narrow = [
  { width: 320, height: 640 },
  { width: 640, height: 400 },
]

const names = [...new Set(examples.map(({ page }) => page))]

test.each(names)(
  '%s: axe, keys, narrow windows, forced colours, in every state',
  { timeout: 60_000 },
  async (name) => {
    const page = await browser.open()
    for (const { state } of examples.filter((example) => example.page === name)) {
      for (const locale of locales) {
        const where = `${name}, ${state}, ${locale}`
        await page.setViewportSize({ width: 1280, height: 800 })
        await page.goto(server.url(name, state, locale))
        await picture(page, `example-${name}-${state}-${locale}`)
        expect(await findAxeViolations(page), where).toEqual([])
        // The order of the keys hangs on the document alone, which is the same in both.
        if (locale === 'en') expect((await walkByTab(page)).faults, where).toEqual([])
        for (const size of narrow) {
          await page.setViewportSize(size)
          expect(await findSidewaysScroll(page), `${where}, ${size.width} px`).toEqual([])
        }
      }
      await page.emulateMedia({ forcedColors: 'active', reducedMotion: 'reduce' })
      expect(await findLostWithoutColours(page), `${name}, ${state}`).toEqual([])
      await page.emulateMedia({ forcedColors: null, reducedMotion: null })
    }
  },
)

/**
 * Where colours are the person's own, borders show what can be filled in or pressed; and nothing moves. Checkboxes are
 * drawn by the browser itself.
 */
function findLostWithoutColours(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const shown = document.querySelectorAll(
      'input:not([type=hidden], [type=checkbox]), .primary, .quiet',
    )
    const lost = [...shown].filter((element) => getComputedStyle(element).borderTopStyle === 'none')
    const moving = [...document.querySelectorAll('*')].filter((element) => {
      const { animationName, transitionDuration } = getComputedStyle(element)
      return animationName !== 'none' || Number.parseFloat(transitionDuration) > 0
    })
    return [
      ...lost.map(({ outerHTML }) => `no border: ${outerHTML}`),
      ...moving.map(({ outerHTML }) => `moves: ${outerHTML}`),
    ]
  })
}

test.each([
  { scripts: 'with', javaScriptEnabled: true },
  { scripts: 'without', javaScriptEnabled: false },
])(
  'the ears hear a page that breaks its policy, $scripts scripts',
  async ({ javaScriptEnabled }) => {
    const page = await browser.open({ javaScriptEnabled })
    const address = server.url('home', 'open')
    await page.route(address, async (route) => {
      const response = await route.fetch()
      const rest = '<p style="color: red">Red</p><img alt="" src="/missing.png"></body>'
      await route.fulfill({ response, body: (await response.text()).replace('</body>', rest) })
    })
    await page.goto(address)

    const heard: string[] = []
    const hear = () => {
      heard.push(...browser.takeTroubles())
      return heard.toSorted()
    }
    await expect
      .poll(hear)
      .toEqual([
        expect.stringMatching(/home\/open breaks its policy.+style-src-attr/),
        expect.stringMatching(/home\/open: .*inline style.+Content Security Policy/),
        expect.stringMatching(/missing\.png answered 404/),
      ])
  },
)
