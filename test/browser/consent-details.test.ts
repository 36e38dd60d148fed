/** What an app asks for in detail, as a person sees it in a real browser: every value, narrow and in Chinese too. */
import { expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { picture, useBrowser } from '../support/browser.ts'
import { createDatabase } from '../support/database.ts'
import { createPerson } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { startApp } from './app.ts'
import { findAxeViolations, findSidewaysScroll } from './inspect.ts'
import { fillSignIn } from './steps.ts'

const bank = 'https://bank.example.com'
const schema = {
  title: 'Zahlung · 付款',
  description: 'Money leaves your account once.',
  properties: {
    payee: { type: 'string', title: 'Payee' },
    iban: { type: 'string', title: 'IBAN' },
    urgent: { type: 'boolean', title: 'At once' },
    actions: { type: 'array', items: { type: 'string' } },
  },
}
const payment = {
  type: 'payment',
  actions: ['initiate', 'status', 'cancel'],
  urgent: true,
  payee: '北京市海淀区中关村大街二十七号数字图书馆服务有限责任公司',
  iban: 'DE'.padEnd(160, '0123456789'),
}

const database = await createDatabase()
const authorizationType = { name: 'payment', schema }
const api = { identifier: bank, name: 'Our Bank', scopes: [], authorizationType }
await createApi(database.db, api, { actor: { kind: 'operator' } })
const server = await startTestServer({ database })
const shop = await startApp(server, { name: 'Shop', apis: [bank] })
const browser = useBrowser()

test.each([
  ['en-GB', 'What it may do', 'Yes'],
  ['zh-CN', '可进行的操作', '是'],
])('%s: read in full at 320 px, agreed to, and in the token', async (locale, label, yes) => {
  const person = await createPerson(server)
  const page = await browser.open({ locale, viewport: { width: 320, height: 640 } })
  const details = encodeURIComponent(JSON.stringify([payment]))
  await page.goto(`${shop.origin}/sign-in?authorization_details=${details}`)
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.waitForURL(/\/consent$/)
  await picture(page, `consent-details-${locale}`)

  const seen = await page.locator('main').innerText()
  const { payee, iban, actions } = payment
  for (const words of [
    'Zahlung · 付款',
    'Our Bank',
    'once.',
    label,
    yes,
    payee,
    iban,
    ...actions,
  ]) {
    expect(seen).toContain(words)
  }
  // In the order in which the bank wrote them, whatever the app did.
  expect(seen.indexOf('Payee')).toBeLessThan(seen.indexOf('IBAN'))
  expect(seen.indexOf('IBAN')).toBeLessThan(seen.indexOf(label))
  expect(await findSidewaysScroll(page)).toEqual([])
  expect(await findAxeViolations(page)).toEqual([])

  await page.click('#continue')
  await page.waitForURL(`${shop.origin}/`)
  expect(shop.granted.at(-1)?.authorization_details).toEqual([payment])
})
