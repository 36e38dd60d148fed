/** What opaque tokens are worth: at userinfo, introspection and revocation, to whom, and until when. */
import { expect, test } from 'vitest'
import { disableAccount, enableAccount } from '../../src/accounts/accounts.ts'
import { disableClient } from '../../src/clients/client-life.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const person = await createPerson(server, { roles: ['staff'] })
const visitor = createBrowser(server)
const app = await createApp(server)

const operator = { kind: 'operator' } as const
const inactive = { status: 200, body: { active: false } }

test('OI-09: userinfo answers the claims of the granted scopes and no others', async () => {
  const { answer } = await authorize(visitor, app, person, { scope: 'openid email' })
  const { body } = await app.userinfo(answer.body.access_token)
  expect(body).toEqual({ sub: person.id, email: person.email, email_verified: true })
})

test('OI-09: a token in two places at once is refused', async () => {
  const { answer } = await authorize(visitor, app, person)
  const { access_token: token = '' } = answer.body
  const response = await fetch(`${origin}/oauth2/userinfo`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: new URLSearchParams({ access_token: token }),
  })
  expect(response.status).toBe(400)
})

test('TK-18: a token in the query, an ID token and a made-up one are refused', async () => {
  const { answer } = await authorize(visitor, app, person)
  const inQuery = await fetch(`${origin}/oauth2/userinfo?access_token=${answer.body.access_token}`)
  expect([400, 401]).toContain(inQuery.status)
  expect((await app.userinfo(answer.body.id_token)).status).toBe(401)
  expect((await app.userinfo(answer.body.refresh_token)).status).toBe(401)
  expect((await app.userinfo('made-up')).status).toBe(401)
})

test('TK-15: an app sees its own tokens, nobody another\u2019s, nobody any without its secret', async () => {
  const { answer } = await authorize(visitor, app, person)
  const { access_token: access, refresh_token: refresh } = answer.body
  const own = await app.introspect(access)
  expect(own.body).toMatchObject({ active: true, client_id: app.id, sub: person.id })
  expect((await app.introspect(refresh)).body).toMatchObject({ active: true, client_id: app.id })

  const stranger = await createApp(server)
  expect(await stranger.introspect(access)).toMatchObject(inactive)
  expect((await stranger.introspect(refresh)).body).toEqual({ active: false })
  const unproven = await app.post('introspect', { token: access }, { authorization: '' })
  expect([400, 401]).toContain(unproven.status)
  expect(unproven.body.active).toBeUndefined()
  expect((await app.introspect('made-up')).body).toEqual({ active: false })
})

test('revoking an access token leaves the refresh token alive', async () => {
  const { answer } = await authorize(visitor, app, person)
  expect((await app.revoke(answer.body.access_token)).status).toBe(200)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
  const next = await app.refresh(answer.body.refresh_token)
  expect((await app.userinfo(next.body.access_token)).status).toBe(200)
})

test('TK-14: revoking a refresh token ends its family with all access tokens', async () => {
  const { answer } = await authorize(visitor, app, person)
  const next = await app.refresh(answer.body.refresh_token)
  expect((await app.revoke(next.body.refresh_token)).status).toBe(200)
  for (const token of [answer.body.access_token, next.body.access_token]) {
    expect((await app.userinfo(token)).status).toBe(401)
  }
  expect((await app.refresh(next.body.refresh_token)).body.error).toBe('invalid_grant')
})

test('TK-14: revoking another app\u2019s token or an unknown one says nothing and ends nothing', async () => {
  const { answer } = await authorize(visitor, app, person)
  const stranger = await createApp(server)
  const answers = [
    await stranger.revoke(answer.body.access_token),
    await stranger.revoke(answer.body.refresh_token),
    await stranger.revoke('made-up'),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  expect(new Set(answers.map(({ body }) => body.text)).size).toBe(1)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
  expect((await app.refresh(answer.body.refresh_token)).status).toBe(200)
})

test('OI-11, TK-06: a disabled account ends everywhere at its next request, and stays ended', async () => {
  const victim = await createPerson(server)
  const browser = createBrowser(server)
  const { answer } = await authorize(browser, app, victim)
  await disableAccount(db, victim.id, 'left', operator)

  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
  expect(await app.introspect(answer.body.access_token)).toMatchObject(inactive)
  expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
  expect((await browser.get(app.begin().url)).url).toContain('/sign-in/')
  expect((await browser.get(`${origin}/account`)).url).toContain('/sign-in/')

  await enableAccount(db, victim.id, operator)
  expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
  expect((await browser.get(app.begin().url)).url).toContain('/sign-in/')
})

test('OI-11: an account that was switched off by hand in the database is dead as well', async () => {
  const victim = await createPerson(server)
  const browser = createBrowser(server)
  const { answer } = await authorize(browser, app, victim)
  await db.updateTable('accounts').set({ status: 'disabled' }).where('id', '=', victim.id).execute()
  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
  expect(await app.introspect(answer.body.access_token)).toMatchObject(inactive)
  expect(await app.introspect(answer.body.refresh_token)).toMatchObject(inactive)
  expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
  expect((await browser.get(app.begin().url)).url).toContain('/sign-in/')
  expect((await browser.get(`${origin}/account`)).url).toContain('/sign-in/')
})

test('OA-09, TK-06: a disabled app gets nothing any more, nor does anyone through it', async () => {
  const doomed = await createApp(server)
  const { answer } = await authorize(visitor, doomed, person)
  await disableClient(db, doomed.id, { actor: operator })
  // Its tokens are dead at once, the app itself when the processes have looked (2 s at most).
  expect((await doomed.userinfo(answer.body.access_token)).status).toBe(401)
  await expect
    .poll(async () => (await visitor.get(doomed.begin().url)).status, { timeout: 2500 })
    .toBe(400)
  const refused = await visitor.get(doomed.begin().url)
  expect(refused.url).not.toContain(doomed.redirectUri)
  expect(refused.headers.get('location')).toBeNull()
  expect((await doomed.refresh(answer.body.refresh_token)).body.error).toBe('invalid_client')
})
