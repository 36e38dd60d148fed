/** The demo API opens to nothing but a living JWT access token that was made for it (JW-*). */
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import Koa from 'koa'
import { afterAll, expect, test } from 'vitest'
import { createApi, notesApi } from '../../src/demo/api.ts'

const keys = await generateKeyPair('ES256')
const strangers = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'ours', alg: 'ES256', use: 'sig' }

let issuer = ''
const provider = createServer((_req, res) => res.end(JSON.stringify({ keys: [jwk] })))
issuer = await listen(provider)
const api = createServer(new Koa().use(createApi({ issuer }).routes()).callback())
const address = `${await listen(api)}${notesApi.path}`

type Change = {
  header?: object
  claims?: object
  key?: CryptoKey
  expires?: string
}

function token({ header, claims, key = keys.privateKey, expires = '1m' }: Change = {}) {
  const whole = { iss: issuer, aud: notesApi.identifier, sub: 'ada', client_id: 'demo' }
  return new SignJWT({ ...whole, scope: 'notes:read', ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'ours', typ: 'at+jwt', ...header })
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(key)
}

test('a token that was made for it opens it', async () => {
  const response = await call(await token())

  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ for: 'ada', askedBy: 'demo' })
})

test.each<[string, Change]>([
  ['an ID token', { header: { typ: 'JWT' } }],
  ['a token for another API', { claims: { aud: 'https://other.example.org' } }],
  ['a token of another issuer', { claims: { iss: 'https://evil.example.org' } }],
  ['a token that has ended', { expires: '-1s' }],
  ['a token that a stranger signed', { key: strangers.privateKey }],
  ['a token without a client', { claims: { client_id: undefined } }],
])('%s does not', async (_, change) => {
  const response = await call(await token(change))

  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
})

test('nor do an unsigned token, an opaque one, and none at all', async () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const unsigned = `${part({ alg: 'none', typ: 'at+jwt' })}.${part({ sub: 'ada' })}.`

  expect((await call(unsigned)).status).toBe(401)
  expect((await call('opaque')).status).toBe(401)
  const response = await fetch(address)
  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toBe('Bearer')
})

test('without its scope the answer says which one is missing', async () => {
  const response = await call(await token({ claims: { scope: 'notes:write' } }))

  expect(response.status).toBe(403)
  expect(response.headers.get('www-authenticate')).toContain('scope="notes:read"')
})

function call(bearer: string): Promise<Response> {
  return fetch(address, { headers: { authorization: `Bearer ${bearer}` } })
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => void server.close().closeAllConnections())
  return `http://localhost:${(server.address() as { port: number }).port}`
}
