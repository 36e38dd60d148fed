/** What the consent page promises: a person can take back what they allowed, and the app's tokens end with it. */
import { beforeAll, expect, test } from 'vitest'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

test('removing an app ends its tokens, and it asks anew', async () => {
  const [app, other] = [await createApp(server), await createApp(server)]
  const person = await createPerson(server)
  const browser = createBrowser(server)
  const scope = 'openid profile offline_access'
  const { body: tokens } = (await authorize(browser, app, person, { scope })).answer
  const { body: others } = (await authorize(browser, other, person, { scope })).answer

  const account = await browser.get(`${server.origin}/account/apps`)
  expect(account.body).toContain(`disconnect-${other.id}`)
  expect(account.body).toContain('May see: all this while you are away and your name and username')
  const after = await browser.press(account, `disconnect-${app.id}`)
  expect(after.body).not.toContain(`disconnect-${app.id}`)

  expect((await app.userinfo(tokens.access_token)).status).toBe(401)
  expect((await app.refresh(tokens.refresh_token)).body.error).toBe('invalid_grant')
  expect((await other.userinfo(others.access_token)).status).toBe(200)
  const silent = await browser.get(app.begin({ scope, prompt: 'none' }).url)
  expect(new URL(silent.url).searchParams.get('error')).toBe('consent_required')
})

test("another person's apps cannot be removed", async () => {
  const app = await createApp(server)
  const [mine, theirs] = [createBrowser(server), createBrowser(server)]
  const { answer } = await authorize(theirs, app, await createPerson(server))
  const other = await createApp(server)
  await authorize(mine, other, await createPerson(server))
  const account = await mine.get(`${server.origin}/account/apps`)
  await mine.press(account, `disconnect-${other.id}`, { client: app.id })
  expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
})
