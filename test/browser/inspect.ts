/** What must hold of every page, however it was reached: axe finds nothing in either theme, nothing sticks out. */
import axe from 'axe-core'
import type { Page } from 'playwright-core'

type Finding = { rule: string; where: string; summary: string | undefined }

/** In the light theme and in the dark one; leaves the page in the theme it had. */
export async function findAxeViolations(page: Page): Promise<Finding[]> {
  // Evaluated, not added as a script: our policy would rightly refuse that.
  await page.evaluate(axe.source)
  const dark = await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches)
  const findings = await runAxe(page)
  await page.emulateMedia({ colorScheme: dark ? 'light' : 'dark' })
  findings.push(...(await runAxe(page, colourRules)))
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' })
  return findings
}

/** All that can change with the theme: the same document has the same names and roles in both. */
const colourRules = ['color-contrast', 'link-in-text-block']

/** Every rule, unless some are named. */
function runAxe(page: Page, rules?: string[]): Promise<Finding[]> {
  return page.evaluate(async (only) => {
    // What is folded away is part of the page.
    for (const folded of document.querySelectorAll('details')) folded.open = true
    // Colours fade for a moment when the theme changes; axe is to see them as they stay.
    for (const animation of document.getAnimations()) animation.finish()
    const { axe } = window as unknown as { axe: typeof import('axe-core') }
    const { violations } = await axe.run(document, {
      resultTypes: ['violations'],
      ...(only ? { runOnly: only } : {}),
    })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => ({ rule: id, where: html, summary: failureSummary })),
    )
  }, rules)
}

/** Elements that reach beyond the window's right edge, and whether one could scroll there. */
export function findSidewaysScroll(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const beyond = [...document.querySelectorAll('body *')]
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => element.outerHTML.slice(0, 100))
    const { scrollWidth, clientWidth } = document.documentElement
    return scrollWidth > clientWidth ? [`scrolls to ${scrollWidth}`, ...beyond] : beyond
  })
}

/** Where Tab stops on this page, from its top to its end, and what is wrong with the stops. */
export async function walkByTab(page: Page): Promise<{ stops: string[]; faults: string[] }> {
  await page.evaluate(() => {
    // Autofocus would begin in the middle.
    document.body.tabIndex = -1
    document.body.focus()
    document.body.removeAttribute('tabindex')
  })
  const stops: Stop[] = []
  for (let count = 0; count < 60; count++) {
    await page.keyboard.press('Tab')
    const stop = await focused(page)
    if (!stop || stops.some(({ index }) => index === stop.index)) break
    stops.push(stop)
  }
  const faults = stops.flatMap((stop, at) => [
    ...(stop.visible ? [] : [`focus on ${stop.name} is not visible`]),
    ...(follows(stops[at - 1], stop) ? [] : [`${stop.name} comes after ${stops[at - 1]?.name}`]),
  ])
  const reachable = await page.evaluate(
    () =>
      document.querySelectorAll(
        'a[href], button:enabled, input:not([type=hidden], [tabindex="-1"]), select, summary',
      ).length,
  )
  if (stops.length !== reachable) faults.push(`${stops.length} stops of ${reachable}`)
  return { stops: stops.map(({ name }) => name), faults }
}

export type Stop = {
  /** Its place in the document. */
  index: number
  name: string
  visible: boolean
  /** Beside a label, and reached after the label's field on purpose. */
  aside: boolean
  left: number
  top: number
  bottom: number
}

/** What has the focus, unless that is the page itself. */
export function focused(page: Page): Promise<Stop | undefined> {
  return page.evaluate(() => {
    const element = document.activeElement
    if (!element || element === document.body) return undefined
    const { left, top, bottom } = element.getBoundingClientRect()
    const { outlineStyle, outlineWidth } = getComputedStyle(element)
    return {
      index: [...document.querySelectorAll('*')].indexOf(element),
      name: element.id || element.className || (element.textContent ?? '').trim(),
      visible: outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2,
      aside: element.closest('.aside') !== null,
      left: left + scrollX,
      top: top + scrollY,
      bottom: bottom + scrollY,
    }
  })
}

/** Reading order: further down, or further right on the same line. */
export function follows(before: Stop | undefined, { top, bottom, left, aside }: Stop): boolean {
  if (!before || aside || before.aside) return true
  const sameLine = top < before.bottom && before.top < bottom
  return sameLine ? left > before.left : top >= before.bottom - 1
}
