import { exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import type { Visitor } from '../../src/demo/visitor.ts'
import { createAppleSecret } from '../../src/federation/apple-secret.ts'
import { type ProvenIdentity, toIdentity } from '../../src/federation/claims.ts'
import { presets } from '../../src/federation/presets.ts'
import { isSignedIn } from '../support/account.ts'
import { keyringOf } from '../support/factors.ts'
import { createFake } from '../support/fake-upstream.ts'
import { createBrowser } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { addProvider, noticed } from '../support/upstream.ts'

const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
const pem = await exportPKCS8(privateKey)
const fake = await createFake('org.example.signin')
const server = await startTestServer({ env: { ALLOW_PRIVATE_TARGETS: '127.0.0.0/8' } })
const { pool } = server.database
const provider = await addProvider(server, {
  id: 'apple',
  preset: 'apple',
  name: 'Apple',
  issuer: 'https://appleid.apple.com',
  clientId: 'org.example.signin',
  scope: 'openid name email',
  appleTeamId: 'A1B2C3D4E5',
  appleKeyId: 'F6G7H8J9K0',
  secret: pem,
  trustEmail: true,
})
const keyring = keyringOf(server)
const [team, key] = ['A1B2C3D4E5', 'F6G7H8J9K0']

/** The fake in Apple's place: the row is led there, sealed for it. */
async function leadToFake(): Promise<void> {
  const row = JSON.stringify(['apple', fake.issuer, 'org.example.signin'])
  await pool.query('update providers set issuer = $1, secret_sealed = $2, updated_at = now()', [
    fake.issuer,
    keyring.seal('provider-secret', row, pem),
  ])
  await pool.query(`update versions set version = version + 1 where name = 'settings'`)
  await noticed()
}
await leadToFake()

const callback = `${server.origin}/sign-in/callback/apple`

async function leave(visitor: Visitor): Promise<void> {
  const away = await visitor.press(await visitor.get(`${server.origin}/sign-in`), 'with-apple')
  fake.asked = new URL(away.url).searchParams
}

/** As a browser posts from another site: without any of our cookies. */
async function post(more: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(callback, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: 'https://appleid.apple.com', 'sec-fetch-site': 'cross-site' },
    body: new URLSearchParams({
      code: 'a-code',
      state: fake.asked.get('state') ?? '',
      iss: fake.issuer,
      ...more,
    }),
  })
  expect([answer.status, answer.headers.getSetCookie()]).toEqual([303, []])
  return new URL(answer.headers.get('location') ?? '', callback).href
}

const user = JSON.stringify({
  name: { firstName: 'Mei', lastName: 'Chen' },
  email: 'x@evil.example',
})

test('the answer comes by a form; the secret is a token that Apple can check', async () => {
  const visitor = createBrowser(server)
  await leave(visitor)
  expect(Object.fromEntries(fake.asked)).toMatchObject({
    response_mode: 'form_post',
    scope: 'openid name email',
    code_challenge_method: 'S256',
  })
  const onward = await post({ user })
  // Neither code nor name stands in an address.
  expect(onward).toBe(`${callback}?state=${fake.asked.get('state')}`)
  fake.next = { claims: { name: undefined, email_verified: 'true' } }
  const welcome = await visitor.get(onward)
  expect(welcome.url).toContain('/new-here')
  expect(welcome.body).toContain('value="Mei Chen"')
  expect(welcome.body).toContain('someone@example.org')
  expect(welcome.body).not.toContain('evil')
  const home = await visitor.press(welcome, 'continue')
  expect(home.url).toBe(`${server.origin}/account`)

  const sent = fake.posted[0]
  expect(sent?.get('client_id')).toBe('org.example.signin')
  const { payload, protectedHeader } = await jwtVerify(
    sent?.get('client_secret') ?? '',
    publicKey,
    {
      issuer: team,
      subject: 'org.example.signin',
      audience: fake.issuer,
    },
  )
  expect(protectedHeader).toEqual({ alg: 'ES256', kid: key })
  expect(Number(payload.exp) - Number(payload.iat)).toBe(300)
})

test('what is posted opens nothing in another browser, the first post stays, and the query is no way', async () => {
  fake.next = {}
  const [visitor, victim] = [createBrowser(server), createBrowser(server)]
  await leave(visitor)
  await victim.get(`${server.origin}/sign-in`)
  const onward = await post({ code: 'first' })
  expect(await post({ code: 'second' })).toBe(callback)
  expect((await victim.get(onward)).status).toBe(410)
  fake.posted = []
  await visitor.get(onward)
  expect(fake.posted.map((body) => body.get('code'))).toEqual(['first'])
  expect((await visitor.get(onward)).status).toBe(410)

  const byQuery = createBrowser(server)
  await leave(byQuery)
  const page = await byQuery.get(`${callback}?code=x&state=${fake.asked.get('state')}`)
  expect(page.error).toContain('cannot be trusted')
  expect(await isSignedIn(server, byQuery)).toBe(false)
})

test('a person who says no there comes back to a page in words', async () => {
  const visitor = createBrowser(server)
  await leave(visitor)
  const onward = await post({ error: 'user_cancelled_authorize', code: '' })
  expect((await visitor.get(onward)).error).toContain('not signed in at Apple')
})

test('the string "true" counts at Apple alone', () => {
  const claims = { iss: 'i', sub: 's', email: 'a@example.org', email_verified: 'true' }
  const proven = (preset: 'apple' | 'google'): ProvenIdentity =>
    toIdentity({ ...provider, preset }, claims, { idToken: undefined, user: null })
  expect([proven('apple').emailTrusted, proven('google').emailTrusted]).toEqual([true, false])
  expect(presets.apple.isVerified('false')).toBe(false)
})

test('a secret for each request, each for minutes', async () => {
  const given = { teamId: team, keyId: key, clientId: 'c', issuer: 'i', privateKey: pem }
  expect(await createAppleSecret(given)).not.toBe(await createAppleSecret(given))
})
