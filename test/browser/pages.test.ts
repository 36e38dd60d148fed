/** Every page in every state, in both languages and themes, on paper-thin and on wide screens (WB-14). */
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

test.each(examples)(
  '$page, $state: axe, keys, narrow windows, forced colours',
  async ({ page: name, state }) => {
    const page = await browser.open()
    for (const locale of locales) {
      await page.setViewportSize({ width: 1280, height: 800 })
      await page.goto(server.url(name, state, locale))
      await picture(page, `example-${name}-${state}-${locale}`)
      expect(await findAxeViolations(page)).toEqual([])
      expect((await walkByTab(page)).faults).toEqual([])
      for (const size of narrow) {
        await page.setViewportSize(size)
        expect(await findSidewaysScroll(page), `${size.width} px`).toEqual([])
      }
    }

    await page.emulateMedia({ forcedColors: 'active', reducedMotion: 'reduce' })
    await page.reload()
    const plain = await page.evaluate(() => ({
      moving: document.getAnimations().length,
      // Colours are gone, so only borders still show what can be filled in or pressed.
      borderless: [...document.querySelectorAll('input:not([type=hidden]), .primary, .quiet')]
        .filter((element) => getComputedStyle(element).borderTopStyle === 'none')
        .map((element) => element.id),
    }))
    expect(plain).toEqual({ moving: 0, borderless: [] })
  },
)

test('the ears hear: a page that breaks its policy does not pass unnoticed', async () => {
  const page = await browser.open()
  await page.goto(server.url('sign-in', 'fresh'))
  await page.evaluate(() => {
    document.body.insertAdjacentHTML('beforeend', '<p style="color: red"><img src="/missing.png">')
  })
  await expect.poll(() => browser.takeTroubles().join('\n')).toMatch(/missing\.png answered 404/)
  await page.evaluate(() => document.body.append(document.createElement('iframe')))
  await page.evaluate(() => {
    for (const script of ['console.error("ouch")']) setTimeout(script)
  })
  await expect.poll(() => browser.takeTroubles().join('\n')).toMatch(/breaks its policy|EvalError/)
})
