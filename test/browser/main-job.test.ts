/**
 * The main job in a real browser, once in each manner people have: an app sends a stranger, who registers, proves the
 * mailbox, consents and is back; a second app opens without typing; signing out ends it.
 */
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { listMailbox } from '../../src/mail/mailbox.ts'
import { picture, useBrowser } from '../support/browser.ts'
import { startTestServer } from '../support/server.ts'
import { startApp } from './app.ts'
import { type Hands, keys, mouse } from './hands.ts'
import { findAxeViolations, findSidewaysScroll } from './inspect.ts'

const server = await startTestServer({ env: { BRAND_NAME: 'letuslearn' } })
const library = await startApp(server, { name: 'Library' })
const board = await startApp(server, { name: 'Board', firstParty: true })
const browser = useBrowser()

type Manner = {
  name: string
  username: string
  hands?: Hands
  context?: BrowserContextOptions
  lang?: string
}

const chinesePhone: BrowserContextOptions = {
  locale: 'zh-CN',
  colorScheme: 'dark',
  viewport: { width: 360, height: 720 },
  deviceScaleFactor: 2,
  hasTouch: true,
}
const manners: Manner[] = [
  { name: 'with the mouse', username: 'mei_mouse' },
  { name: 'without JavaScript', username: 'mei_plain', context: { javaScriptEnabled: false } },
  { name: 'with the keys alone', username: 'mei_keys', hands: keys },
  {
    name: 'with the keys alone and without JavaScript',
    username: 'mei_plain_keys',
    hands: keys,
    context: { javaScriptEnabled: false },
  },
  {
    name: 'in Chinese, in the dark, on a phone',
    username: 'mei_phone',
    context: chinesePhone,
    lang: 'zh-CN',
  },
  {
    name: 'in Chinese, in the dark, on a phone, without JavaScript',
    username: 'mei_plain_phone',
    context: { ...chinesePhone, javaScriptEnabled: false },
    lang: 'zh-CN',
  },
]

test.each(manners)(
  '$name: register, prove, consent, a second app, sign out (WB-07, WB-14)',
  async ({ username, hands = mouse, context, lang = 'en' }) => {
    const page = await browser.open(context)
    const scripts = context?.javaScriptEnabled !== false
    const email = `${username}@example.org`
    const before = { library: library.granted.length, board: board.granted.length }
    const look = (name: string) => lookAt(page, { name: `${username}-${name}`, lang, scripts })
    const press = async (id: string, arrival: RegExp | string) => {
      await hands.press(page, id)
      await page.waitForURL(arrival)
    }

    await page.goto(library.origin)
    await press('sign-in', /\/sign-in\/[\w-]+$/)
    await look('1-sign-in')
    await press('register', /\/register$/)
    await look('2-register')
    await hands.fill(page, 'username', username)
    await hands.fill(page, 'email', email)
    await hands.fill(page, 'password', 'marble lantern otter')
    await hands.fill(page, 'name', '陈梅')
    await press('continue', /\/verify-email$/)
    await look('3-verify-email')
    await hands.fill(page, 'code', await server.mailedCode(email))
    await press('continue', /\/consent$/)
    await look('4-consent')
    await press('continue', `${library.origin}/`)
    expect(await page.textContent('#person')).toBe(username)
    expect(library.granted.slice(before.library)).toMatchObject([
      { token_type: 'Bearer', refresh_token: expect.any(String) },
    ])

    await page.goto(board.origin)
    await press('sign-in', `${board.origin}/`)
    expect(await page.textContent('#person')).toBe(username)
    expect(board.granted.slice(before.board)).toHaveLength(1)

    await press('sign-out', /\/oauth2\/logout\?/)
    await look('5-sign-out')
    await press('continue', /\/oauth2\/logout\/success/)
    await look('6-signed-out')
    await page.goto(`${library.origin}/sign-in`)
    await look('7-sign-in-again')
    expect(await page.inputValue('#password')).toBe('')

    const [mail] = (await listMailbox(server.config.dataDir)).filter(({ to }) => to === email)
    expect(mail?.subject).toMatch(lang === 'en' ? /is your code for/ : /验证码/)
  },
)

test('an app that asks for Chinese gets it, from a browser that prefers English', async () => {
  const page = await browser.open()
  await page.goto(`${library.origin}/sign-in?ui_locales=zh-CN`)
  expect(await page.getAttribute('html', 'lang')).toBe('zh-CN')
  await page.click('#register')
  await page.waitForURL(/\/register$/)
  expect(await page.getAttribute('html', 'lang')).toBe('zh-CN')

  await page.click('footer a[lang=en]')
  await page.waitForURL(/ui_locales=en/)
  expect(await page.getAttribute('html', 'lang')).toBe('en')
  await page.click('#sign-in')
  await page.waitForURL(/\/sign-in\/[\w-]+$/)
  expect(await page.getAttribute('html', 'lang'), 'what was chosen stays').toBe('en')
})

async function lookAt(
  page: Page,
  { name, lang, scripts }: { name: string; lang: string; scripts: boolean },
): Promise<void> {
  await picture(page, name)
  expect(await page.getAttribute('html', 'lang')).toBe(lang)
  expect(await findSidewaysScroll(page), name).toEqual([])
  // Where scripts are off, axe is one of them.
  if (scripts) expect(await findAxeViolations(page), name).toEqual([])
}
