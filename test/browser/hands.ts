/** Ways to use a page: with the mouse, or with the keys alone. */
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { focused, follows, type Stop } from './inspect.ts'

export type Hands = {
  fill(page: Page, id: string, text: string): Promise<void>
  /** Presses a button or follows a link. */
  press(page: Page, id: string): Promise<void>
}

export const mouse: Hands = {
  fill: (page, id, text) => page.fill(`#${id}`, text),
  press: (page, id) => page.click(`#${id}`),
}

/** Only Tab, Enter and letters. On the way the focus can be seen, and goes as one reads. */
export const keys: Hands = {
  async fill(page, id, text) {
    await tabTo(page, id)
    await page.keyboard.type(text)
  },
  async press(page, id) {
    await tabTo(page, id)
    await page.keyboard.press('Enter')
  },
}

async function tabTo(page: Page, id: string): Promise<void> {
  const ours = !page.url().startsWith('http://127.0.0.1')
  let before: Stop | undefined
  for (let count = 0; count < 30; count++) {
    const stop = await focused(page)
    if (stop && ours) {
      expect(stop.visible, `the focus on ${stop.name} can be seen`).toBe(true)
      expect(follows(before, stop), `${stop.name} comes after ${before?.name}`).toBe(true)
    }
    if (stop?.name === id) return
    before = stop
    await page.keyboard.press('Tab')
  }
  throw new Error(`#${id} is not reached by Tab at ${page.url()}`)
}
