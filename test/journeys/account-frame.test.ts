/** The frame of the account pages: who may see them, the recent sign-in, the way back, forged posts. */
import { beforeAll, expect, test } from 'vitest'
import { accountPages } from '../../src/oidc/account-client.ts'
import { createBrowser, createPerson, type Person, signInAt } from '../support/person.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let person: Person

beforeAll(async () => {
  server = await startTestServer()
  person = await createPerson(server)
})

const pages = Object.entries({
  home: accountPages.home,
  security: accountPages.security,
  apps: accountPages.apps,
})

test.each(pages)('%s asks a stranger to sign in, and leads back to itself', async (_, path) => {
  const browser = createBrowser(server)
  const first = await browser.get(server.origin + path)
  expect(first.url).toContain('/sign-in/')
  const there = await signInAt(browser, first, person)
  expect(there.url).toBe(server.origin + path)
  expect(there.status).toBe(200)
})

test('the way back is one of our own pages, whatever the address says (WB-10)', async () => {
  for (const to of ['//evil.example', 'https://evil.example', '__proto__', 'constructor', '']) {
    const browser = createBrowser(server)
    const first = await browser.get(`${server.origin}/sign-in?to=${encodeURIComponent(to)}`)
    expect((await signInAt(browser, first, person)).url).toBe(`${server.origin}/account`)
  }
})

test('a sensitive page asks again when the sign-in is old, and leads back to itself', async () => {
  const browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${server.origin}/sign-in`), person)
  const path = `${server.origin}${accountPages.requests}`
  const straight = await browser.get(`${server.origin}/sign-in?to=requests&fresh=1`)
  expect(straight.url).toBe(path)
  await age(15)
  const asked = await browser.get(`${server.origin}/sign-in?to=requests&fresh=1`)
  expect(asked.url).toContain('/sign-in/')
  expect(asked.body).toContain('once more')
  expect(asked.body).toContain(`value="${person.username}"`)
  expect((await signInAt(browser, asked, person)).url).toBe(path)
})

/** As if everybody had signed in so many minutes earlier. */
async function age(minutes: number): Promise<void> {
  await server.database.pool.query(
    `update sessions set signed_in_at = signed_in_at - make_interval(mins => ${minutes})`,
  )
}
