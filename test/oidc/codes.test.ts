/** An authorization code works once, for its app, at its redirect URI, with its verifier, for a minute. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { randomToken, sha256 } from '../../src/crypto.ts'
import { auditOf } from '../support/audit.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
const person = await createPerson(server)
const visitor = createBrowser(server)
const app = await createApp(server)

const invalidGrant = { status: 400, body: { error: 'invalid_grant' } }

test('TK-02: a code redeemed twice ends what the first redemption issued', async () => {
  const { request, code, answer } = await authorize(visitor, app, person)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(200)

  expect(await app.redeem(request, code)).toMatchObject(invalidGrant)

  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
  expect((await app.introspect(answer.body.access_token)).body).toEqual({ active: false })
  expect((await app.introspect(answer.body.refresh_token)).body).toEqual({ active: false })
  expect(await app.refresh(answer.body.refresh_token)).toMatchObject(invalidGrant)
  expect(await auditOf(db, 'code.replayed', app.id)).toMatchObject([{ accountId: person.id }])
})

test('after a replay the person opens the app again without typing, with tokens that live', async () => {
  const { request, code } = await authorize(visitor, app, person)
  await app.redeem(request, code)
  const { answer, page } = await authorize(visitor, app, person)
  expect(page.status).toBe(303)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
})

test('TK-02: a replay after the minute of the code still ends what it issued', async () => {
  const { request, code, answer } = await authorize(visitor, app, person)
  await shiftCode(code, '2 minutes')
  expect(await app.redeem(request, code)).toMatchObject(invalidGrant)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
})

test('TK-01: another app cannot redeem the code, and the right one still can', async () => {
  const { request, code } = await obtainCode(visitor, app, person)
  const stranger = await createApp(server)
  expect(await stranger.redeem(request, code, { redirect_uri: app.redirectUri })).toMatchObject(
    invalidGrant,
  )
  expect((await app.redeem(request, code)).status).toBe(200)
})

test('TK-01: a redirect URI that differs in one byte is refused', async () => {
  const { request, code } = await obtainCode(visitor, app, person)
  const changes = { redirect_uri: `${app.redirectUri}/` }
  expect(await app.redeem(request, code, changes)).toMatchObject(invalidGrant)
  const none = await app.redeem(request, code, { redirect_uri: undefined })
  expect(none.status).toBe(400)
})

test('OA-06: without the verifier or with a wrong one nothing is issued', async () => {
  for (const code_verifier of [undefined, '', randomToken(), 'short', 'x'.repeat(129)]) {
    const { request, code } = await obtainCode(visitor, app, person)
    const answer = await app.redeem(request, code, { code_verifier })
    expect(answer.status).toBe(400)
    expect(['invalid_grant', 'invalid_request']).toContain(answer.body.error)
    expect(answer.body.access_token).toBeUndefined()
  }
})

test('OA-05: a verifier for a code that was asked for without a challenge is refused', async () => {
  const legacy = await createApp(server, { pkce: 'optional' })
  const without = { code_challenge: undefined, code_challenge_method: undefined }
  const { request, code } = await obtainCode(visitor, legacy, person, without)
  expect(await legacy.redeem(request, code)).toMatchObject(invalidGrant)
  expect((await legacy.redeem(request, code, { code_verifier: undefined })).status).toBe(200)
})

test('OA-25: a code works to the end of its minute and not after it', async () => {
  const early = await obtainCode(visitor, app, person)
  await shiftCode(early.code, '50 seconds')
  expect((await app.redeem(early.request, early.code)).status).toBe(200)
  const late = await obtainCode(visitor, app, person)
  await shiftCode(late.code, '61 seconds')
  expect(await app.redeem(late.request, late.code)).toMatchObject(invalidGrant)
})

test('TK-16: a token response is not kept anywhere and sets no cookie', async () => {
  const { answer } = await authorize(visitor, app, person)
  expect(answer.headers.get('cache-control')).toContain('no-store')
  expect(answer.headers.get('content-type')).toContain('application/json')
  expect(answer.headers.getSetCookie()).toEqual([])
})

test('TK-09: a secret that is wrong, doubled, broken or in the query is refused in words', async () => {
  const { request, code } = await obtainCode(visitor, app, person)
  const fields = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: app.redirectUri,
    code_verifier: request.verifier,
  }
  const basic = (text: string) => ({ authorization: `Basic ${text}` })
  const wrong = Buffer.from(`${app.id}:${randomToken()}`).toString('base64')
  const inQuery = `token?client_id=${app.id}&client_secret=${app.secret}`
  const noHeader = { authorization: '' }
  const answers = [
    await app.post('token', fields, basic(wrong)),
    await app.post('token', fields, basic('%%%')),
    await app.post('token', { ...fields, client_id: app.id, client_secret: app.secret }),
    await app.post(inQuery, fields, noHeader),
    await app.post('token', fields, noHeader),
  ]
  for (const { status, body } of answers) {
    expect([400, 401]).toContain(status)
    expect(['invalid_client', 'invalid_request']).toContain(body.error)
  }
  expect(answers[0]?.headers.get('www-authenticate')).toContain('Basic')
  expect((await app.redeem(request, code)).status).toBe(200)
})

test('TK-08: grants that are off, and grants that are not the app\u2019s, are refused', async () => {
  for (const grant_type of ['password', 'urn:example:made-up', 'implicit']) {
    const { status, body } = await app.post('token', { grant_type, username: 'a', password: 'b' })
    expect([status, body.error]).toEqual([400, 'unsupported_grant_type'])
  }
  const { status, body } = await app.post('token', { grant_type: 'client_credentials' })
  expect([status, body.error]).toEqual([400, 'unauthorized_client'])
  expect(body.access_token).toBeUndefined()
})

test('TK-13: bodies that are not a small form are refused', async () => {
  const json = await app.post('token', {}, { 'content-type': 'application/json' })
  expect([400, 415]).toContain(json.status)
  const large = await app.post('token', { grant_type: 'x', code: 'x'.repeat(60_000) })
  expect([400, 413]).toContain(large.status)
})

/** As if the code had been issued that much earlier. */
async function shiftCode(code: string, earlier: string): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('authorizationCodes')
    .set({
      expiresAt: sql<Date>`expires_at - ${earlier}::interval`,
      createdAt: sql<Date>`created_at - ${earlier}::interval`,
    })
    .where('idHash', '=', sha256(code))
    .executeTakeFirst()
  expect(numUpdatedRows).toBe(1n)
}
