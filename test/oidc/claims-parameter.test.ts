/** The `claims` parameter (OpenID Connect Core §5.5): what is essential, what has a value, and what may not be asked for so. */
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { authorize, createBrowser, createPerson, isConsent } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const person = await createPerson(server)
const stranger = await createPerson(server)
const app = await createApp(server)

const silently = (claims: object) => ({ prompt: 'none', claims: JSON.stringify(claims) })

test('an essential claim is asked for in words, and given where it was asked for', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, app, person, { scope: 'openid' })
  const claims = JSON.stringify({
    id_token: { email: { essential: true } },
    userinfo: { name: null },
  })
  const request = app.begin({ scope: 'openid', claims })
  const page = await visitor.get(request.url)
  expect([isConsent(page), page.body.includes(person.email)]).toEqual([true, true])
  const { code } = app.answerOf(request, await visitor.press(page, 'continue'))
  const { body } = await app.redeem(request, code)
  expect(decodeJwt(body.id_token ?? '').email).toBe(person.email)
  const told = (await app.userinfo(body.access_token)).body
  expect(told).toMatchObject({ sub: person.id, name: expect.any(String) })
  expect(told).not.toHaveProperty('email')
})

test('a sub by value means that person and nobody else (§5.5.1)', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, app, person)
  const asked = async (value: string) => {
    const request = app.begin(silently({ id_token: { sub: { value } } }))
    return app.answerOf(request, await visitor.get(request.url))
  }
  expect((await asked(person.id)).code).toBeTruthy()
  expect((await asked(stranger.id)).error).toBe('login_required')
})

test('an auth_time that is essential is told; a value that nobody can have is not made up', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, app, person)
  const wanted = { auth_time: { essential: true }, email: { value: 'somebody@else.example' } }
  const request = app.begin(silently({ id_token: wanted }))
  const { code } = app.answerOf(request, await visitor.get(request.url))
  const { body } = await app.redeem(request, code)
  const told = decodeJwt(body.id_token ?? '')
  expect(told.auth_time).toEqual(expect.any(Number))
  expect([undefined, person.email]).toContain(told.email)
})

test.each([
  '[]',
  '"x"',
  'null',
  '{"id_token":[]}',
  '{"id_token":{"email":1}}',
  '{"other":{}}',
  '{',
])('claims=%s is refused or has no effect, and never a fault', async (claims) => {
  const visitor = createBrowser(server)
  await authorize(visitor, app, person)
  const page = await visitor.get(app.begin({ prompt: 'none', claims }).url)
  expect(page.status).toBeLessThan(500)
  expect(new URL(page.url).searchParams.get('error') ?? 'invalid_request').toBe('invalid_request')
})
