/** Moodle's plugin sends Microsoft's `resource` to every provider; its preset lets us look past it. */
import { beforeAll, expect, test } from 'vitest'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const resource = 'https://graph.microsoft.com'
let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

test('a client marked so signs people in, whatever resource it names', async () => {
  const app = await createApp(server, { preset: 'moodle-auth-oidc' })
  const person = await createPerson(server)
  const { request, code } = await obtainCode(createBrowser(server), app, person, {
    resource,
    scope: 'openid profile email',
  })
  const answer = await app.redeem(request, code, { resource })
  expect(answer.status).toBe(200)
  expect((await app.userinfo(answer.body.access_token)).body.sub).toBe(person.id)
})

test('for every other client it is invalid_target (OA-17)', async () => {
  const app = await createApp(server)
  const page = await createBrowser(server).get(app.begin({ resource }).url)
  expect(new URL(page.url).searchParams.get('error')).toBe('invalid_target')
  const { request, code } = await obtainCode(createBrowser(server), app, await createPerson(server))
  expect((await app.redeem(request, code, { resource })).body.error).toBe('invalid_target')
  expect(
    (await authorize(createBrowser(server), app, await createPerson(server))).answer.status,
  ).toBe(200)
})
