/** Which language a person is spoken to in: what the app asks for, what they chose, what the browser prefers. */
import { beforeAll, expect, test } from 'vitest'
import { createBrowser, createPerson, password } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

test('the app asks for Chinese; an unknown language falls back to the browser', async () => {
  const app = await createApp(server)
  const chinese = await createBrowser(server).get(app.begin({ ui_locales: 'zh-CN en' }).url)
  expect(chinese.body).toContain('<html lang="zh-CN"')
  const other = await createBrowser(server, 'zh-CN').get(app.begin({ ui_locales: 'xx-YY' }).url)
  expect(other.body).toContain('<html lang="zh-CN"')
})

test("a click on the page's language holds for the rest of the request, whatever the app asked for", async () => {
  const app = await createApp(server)
  const person = await createPerson(server)
  const browser = createBrowser(server)
  const page = await browser.get(app.begin({ ui_locales: 'en' }).url)
  const clicked = await browser.get(`${page.url}?ui_locales=zh-CN`)
  expect(clicked.body).toContain('<html lang="zh-CN"')
  const consent = await browser.press(clicked, 'continue', {
    identifier: person.username,
    password,
  })
  expect(consent.url).toContain('/consent')
  expect(consent.body).toContain('<html lang="zh-CN"')
})
