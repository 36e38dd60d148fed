/** One Chromium for a run in which browser tests take part; other runs do not look for any. */
import type { TestProject } from 'vitest/node'
import { type Chromium, findChromium } from './chromium.ts'

declare module 'vitest' {
  interface ProvidedContext {
    chromium: Chromium
  }
}

export async function setup(project: TestProject): Promise<() => void> {
  const { found, remove } = await findChromium()
  project.provide('chromium', found)
  return remove
}
