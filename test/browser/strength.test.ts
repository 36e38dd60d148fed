/** How strong a new password is, in words and while it is typed: what is said, when the judge comes, and what it weighs. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { useBrowser } from '../support/browser.ts'
import { serveExamples } from './examples-server.ts'

const server = await serveExamples()
const browser = useBrowser()

/** The scripts that a page asks for, with what crossed the network for each. */
function watchScripts(page: Page): { name: string; bytes: number; encoding: string | undefined }[] {
  const seen: { name: string; bytes: number; encoding: string | undefined }[] = []
  page.on('requestfinished', async (request) => {
    const [, name = ''] = /\/assets\/(\w+)\.\w+\.js$/.exec(request.url()) ?? []
    if (!name) return
    const entry = { name, bytes: 0, encoding: undefined as string | undefined }
    seen.push(entry)
    entry.encoding = (await request.response())?.headers()['content-encoding']
    entry.bytes = (await request.sizes()).responseBodySize
  })
  return seen
}

const wordsOf = async (page: Page) => (await page.locator('.strength').textContent()) ?? ''

async function type(page: Page, text: string): Promise<void> {
  await page.fill('[data-strength]', text)
}

test('the judge comes when somebody begins to type, compressed, and says in words what it thinks', async () => {
  const page = await browser.open()
  const scripts = watchScripts(page)
  await page.goto(server.url('register', 'fresh'))
  await page.waitForLoadState('networkidle')
  expect(scripts.map(({ name }) => name).sort()).toEqual(['page', 'passkeys'])
  expect(await page.locator('.strength').getAttribute('role')).toBe('status')
  expect(await wordsOf(page)).toBe('')
  for (const [password, words] of [
    ['sunshine', 'Strength: very weak. Many people use this or something like it.'],
    ['qwertyuiop[]', 'Strength: weak. Rows and repetitions are guessed first.'],
    ['abababababab', 'Strength: very weak. Rows and repetitions are guessed first.'],
    ['23.05.1984', 'Strength: weak. Dates and years are guessed soon.'],
    ['marble lantern otter', 'Strength: very good.'],
    ['', ''],
  ] as const) {
    await type(page, password)
    await expect.poll(() => wordsOf(page), { timeout: 5000 }).toBe(words)
  }
  const judge = scripts.find(({ name }) => name === 'strength')
  // Over https it would be Brotli.
  expect(judge?.encoding).toBe('gzip')
  expect(judge?.bytes).toBeLessThan(120_000)
})

test('what everybody knows of the person counts as weak, also when it is typed afterwards', async () => {
  const page = await browser.open()
  await page.goto(server.url('register', 'fresh'))
  await type(page, 'zanzotto-rubirosa')
  await expect.poll(() => wordsOf(page)).toBe('Strength: very good.')
  await page.fill('#username', 'zanzotto')
  await page.fill('#email', 'rubirosa@example.org')
  await expect
    .poll(() => wordsOf(page))
    .toBe('Strength: very weak. It contains what people know about you.')
})

test('it is never in the way: a weak password is sent, and the server decides', async () => {
  const page = await browser.open()
  await page.goto(server.url('account-password', 'fresh'))
  const sent: string[] = []
  server.onForm(async (ctx) => {
    sent.push(ctx.path)
    ctx.status = 204
  })
  await type(page, 'sunshine')
  await expect.poll(() => wordsOf(page)).toContain('very weak')
  await page.click('#continue')
  await expect.poll(() => sent).toHaveLength(1)
})

test('in Chinese, and where the judge cannot be had nothing is said and nothing breaks', async () => {
  const page = await browser.open()
  await page.goto(server.url('register', 'fresh', 'zh-CN'))
  await type(page, 'sunshine')
  await expect.poll(() => wordsOf(page)).toContain('强度：很弱。')
  await page.route('**/assets/strength.*', (route) => route.abort())
  await page.reload()
  await type(page, 'sunshine')
  expect(await wordsOf(page)).toBe('')
  expect(await page.isEnabled('#continue')).toBe(true)
  await expect.poll(() => browser.takeTroubles().join()).toMatch(/strength/)
})

test('the page of signing in knows nothing of it', async () => {
  const page = await browser.open()
  const scripts = watchScripts(page)
  await page.goto(server.url('sign-in', 'fresh'))
  await page.fill('#password', 'marble lantern')
  await page.waitForLoadState('networkidle')
  expect(scripts.map(({ name }) => name)).not.toContain('strength')
  expect(await page.locator('.strength').count()).toBe(0)
})
