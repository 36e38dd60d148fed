/** The pages that people reach without an app, and the ones that no app should send them to; in both languages. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { picture, useBrowser } from '../support/browser.ts'
import { createPerson } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { startApp } from './app.ts'
import { findAxeViolations, findSidewaysScroll } from './inspect.ts'

const server = await startTestServer({ env: { BRAND_NAME: 'letuslearn' } })
const { origin } = server
const library = await startApp(server, { name: 'Library' })
const browser = useBrowser()

const languages = [{ locale: 'en' }, { locale: 'zh-CN' }] as const

/** Waits for the page whose title it is, and looks at it. */
async function look(page: Page, title: string, locale: 'en' | 'zh-CN'): Promise<void> {
  await page.waitForSelector(`h1:text-is("${title}")`)
  await picture(page, `door-${locale}-${title.replaceAll(' ', '-')}`)
  expect(await page.getAttribute('html', 'lang')).toBe(locale)
  expect(await findSidewaysScroll(page), title).toEqual([])
  expect(await findAxeViolations(page), title).toEqual([])
}

test.each(languages)(
  'from the start page to an account and out again, in $locale',
  async ({ locale }) => {
    const page = await browser.open({ locale })
    const title = (english: string, chinese: string) =>
      look(page, locale === 'en' ? english : chinese, locale)
    const username = `door_${locale.slice(0, 2)}`

    await page.goto(origin)
    await title('One account for every app of letuslearn', '一个账号，通行 letuslearn 的所有应用')
    await page.click('#register')
    await title('Create your account', '注册账号')
    await page.fill('#username', username)
    await page.fill('#email', 'not an address')
    await page.fill('#password', 'short')
    await page.click('#continue')
    await page.waitForSelector('#error a[href="#email"]')
    await title('Create your account', '注册账号')
    await page.fill('#email', `${username}@example.org`)
    await page.fill('#password', 'marble lantern otter')
    await page.click('#continue')
    await title('Check your email', '请查收邮件')
    const code = await server.mailedCode(`${username}@example.org`)
    await page.fill('#code', code === '000000' ? '111111' : '000000')
    await page.click('#continue')
    await page.waitForSelector('#error')
    await title('Check your email', '请查收邮件')

    const mailbox = await browser.openTab(page)
    await mailbox.goto(`${origin}/dev/mailbox`)
    await look(mailbox, locale === 'en' ? 'Mailbox' : '收件箱', locale)
    expect(await mailbox.textContent('article pre')).toContain(code)

    await page.fill('#code', code)
    await page.click('#continue')
    await title('Your address is verified', '邮箱验证成功')
    await page.reload()
    await title('Your address is verified', '邮箱验证成功')
    await page.click('#continue')
    await title('Sign in', '登录')
    // No app waits, so none is named.
    const lead = locale === 'en' ? 'with your letuslearn account' : '使用你的 letuslearn 账号'
    expect(await page.textContent('.lead')).toBe(lead)
    await page.fill('#identifier', `${username}@example.org`)
    await page.fill('#password', 'marble lantern otter')
    await page.click('#continue')
    await title('Your account', '你的账号')
    expect(await page.textContent('dd')).toBe(locale === 'en' ? 'Not given' : '未填写')
    await page.click('#sign-out')
    await title('You are signed out', '你已退出登录')
    await page.goto(`${origin}/account`)
    await title('Sign in', '登录')
  },
)

test.each(languages)(
  'an app that is not ours or not right is never gone to, in $locale',
  async ({ locale }) => {
    const page = await browser.open({ locale })
    await page.goto(
      `${origin}/oauth2/authorize?client_id=nobody&redirect_uri=https://evil.example/`,
    )
    await look(page, locale === 'en' ? 'This can’t go on' : '无法继续', locale)
    await page.goto(`${library.origin}/sign-in?redirect_uri=https://evil.example/`)
    await look(page, locale === 'en' ? 'Library can’t sign you in' : 'Library 暂时无法登录', locale)
    expect(await page.textContent('#reference')).toMatch(/^[2-9A-Z]{4}-[2-9A-Z]{4}$/)
    expect(page.url().startsWith(origin)).toBe(true)
    await page.goto(`${origin}/nowhere`)
    await look(page, locale === 'en' ? 'There is no page here' : '这里没有内容', locale)
    await page.click('#continue')
    await page.waitForURL(`${origin}/`)
  },
)

test.each(languages)(
  'an app may ask which account, and another may be chosen, in $locale',
  async ({ locale }) => {
    const [first, second] = [await createPerson(server), await createPerson(server)]
    const page = await browser.open({ locale })
    const title = (english: string, chinese: string) =>
      look(page, locale === 'en' ? english : chinese, locale)
    const signIn = async ({ username, password }: typeof first) => {
      await page.fill('#identifier', username)
      await page.fill('#password', password)
      await page.click('#continue')
      await page.waitForURL(/\/consent$/)
      await page.click('#continue')
      await page.waitForURL(`${library.origin}/`)
      expect(await page.textContent('#person')).toBe(username)
    }
    await page.goto(`${library.origin}/sign-in`)
    await signIn(first)

    await page.goto(`${library.origin}/sign-in?prompt=select_account`)
    await title('Choose an account', '选择账号')
    await page.click('#continue')
    await page.waitForURL(`${library.origin}/`)
    await page.goto(`${library.origin}/sign-in?prompt=select_account`)
    await title('Choose an account', '选择账号')
    await page.click('#switch')
    await page.waitForURL(/\/sign-in\/[\w-]+$/)
    await signIn(second)

    await page.goto(`${origin}/account/apps`)
    await title('Connected apps', '已关联的应用')
    await page.click('button[name=client]')
    await page.waitForSelector('.notice')
    await title('Connected apps', '已关联的应用')
    await page.goto(`${library.origin}/sign-in`)
    await page.waitForURL(/\/consent$/)
  },
)
