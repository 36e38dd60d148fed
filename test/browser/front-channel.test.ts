/** Old apps in a real browser: their frames are loaded under the page's policy, and the way leads on. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { picture, useBrowser } from '../support/browser.ts'
import { createPerson, type Person } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'
import { findAxeViolations } from './inspect.ts'

const server = await startTestServer()
const browser = useBrowser()

const framed: URLSearchParams[] = []
let hangs = false
const wiki = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  if (url.pathname === '/frame') {
    framed.push(url.searchParams)
    if (hangs) return
  }
  response.setHeader('content-type', 'text/html')
  response.end(
    '<!doctype html><link rel="icon" href="data:,"><title>Old Wiki</title><h1>Old Wiki</h1>',
  )
})
await new Promise<void>((resolve) => wiki.listen(0, '127.0.0.1', resolve))
afterAll(() => {
  wiki.closeAllConnections()
  wiki.close()
})
const origin = `http://127.0.0.1:${(wiki.address() as AddressInfo).port}`
const app: App = await createApp(server, {
  name: 'Old Wiki',
  firstParty: true,
  redirectUris: [`${origin}/cb`],
  postLogoutRedirectUris: [`${origin}/bye`],
  frontchannelLogoutUri: `${origin}/frame`,
})

beforeEach(() => {
  framed.length = 0
  hangs = false
})

async function signIn(page: Page, { username, password }: Person): Promise<void> {
  await page.goto(app.begin().url)
  await page.fill('#identifier', username)
  await page.fill('#password', password)
  await page.click('#continue')
  await page.waitForURL(`${origin}/cb?**`)
}

const bye = () =>
  app.logoutUrl({ client_id: app.id, post_logout_redirect_uri: `${origin}/bye`, state: 's' })

test('the app’s frame is loaded with the session, and the browser goes on to the app', async () => {
  const page = await browser.open()
  await signIn(page, await createPerson(server))
  await page.goto(bye())
  await page.click('#continue')
  await page.waitForURL(`${origin}/bye?state=s`)
  expect(framed.map((query) => query.get('iss'))).toEqual([server.origin])
  expect(framed[0]?.get('sid')).toMatch(/^[\w-]{32}$/)
})

test('an app whose frame hangs keeps nobody', async () => {
  hangs = true
  const page = await browser.open()
  await signIn(page, await createPerson(server))
  await page.goto(bye())
  await page.click('#continue')
  await page.waitForURL(`${origin}/bye?state=s`, { timeout: 12_000 })
  expect(framed).toHaveLength(1)
})

test('without scripts the frame is loaded too, and a button leads on', async () => {
  const page = await browser.open({ javaScriptEnabled: false })
  await signIn(page, await createPerson(server))
  await page.goto(bye())
  await page.click('#continue')
  await page.waitForURL(`${server.origin}/oauth2/logout/success`)
  expect(framed).toHaveLength(1)
  await picture(page, 'signed-out-frames')
  await page.click('#continue')
  await page.waitForURL(`${origin}/bye?state=s`)
})

test('signing out at home loads the frame, and the page stays and can be read', async () => {
  const page = await browser.open()
  await signIn(page, await createPerson(server))
  await page.goto(`${server.origin}/oauth2/logout`)
  await page.click('#continue')
  await page.waitForURL(`${server.origin}/oauth2/logout/success`)
  await expect.poll(() => framed.length).toBe(1)
  expect(await page.textContent('li.asked')).toContain('Old Wiki')
  expect(await findAxeViolations(page)).toEqual([])
})
