/** Clients that prove themselves by a signed assertion (private_key_jwt, RFC 7523): which are taken, and which never. */
import { createHmac, createPublicKey } from 'node:crypto'
import { UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { randomToken } from '../../src/crypto.ts'
import {
  asCredentials,
  type Claims,
  createKey,
  type Key,
  now,
  signAssertion,
  signRequest,
} from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { type Answer, type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const key = await createKey()
const app = await createApp(server, {}, { key })

/** What the token endpoint says to this assertion; a token that never was is the next thing it looks at. */
async function present(assertion: string, to: App = app): Promise<Answer> {
  return to.refresh('never given', asCredentials(assertion))
}

const refused = (answer: Answer) => {
  expect(answer.status).toBe(401)
  expect(answer.body.error).toBe('invalid_client')
}
const taken = (answer: Answer) => expect(answer.body.error).toBe('invalid_grant')

const sign = (changes: Claims = {}, header: Claims = {}, by: Key = key) =>
  signAssertion(by, { clientId: app.id, audience: origin }, changes, header)

test.each(['RS256', 'PS256', 'ES256', 'EdDSA'])(
  'an app with a key for %s gets tokens, refreshes, asks about them and revokes them',
  async (alg) => {
    const person = await createPerson(server)
    const signing = await createApp(server, {}, { key: await createKey(alg) })
    expect(signing.secret).toBeUndefined()
    const { answer } = await authorize(createBrowser(server), signing, person)
    expect(answer.status).toBe(200)
    const next = await signing.refresh(answer.body.refresh_token)
    expect(next.status).toBe(200)
    expect((await signing.introspect(next.body.access_token)).body.active).toBe(true)
    expect((await signing.revoke(next.body.refresh_token)).status).toBe(200)
    expect((await signing.introspect(next.body.access_token)).body.active).toBe(false)
  },
)

test('the audience is the issuer, the token endpoint or the endpoint itself, alone or as a list of one', async () => {
  for (const aud of [origin, `${origin}/oauth2/token`, [origin]]) {
    taken(await present(await sign({ aud })))
  }
  const request = app.begin()
  const pushed = await app.post('par', {
    ...Object.fromEntries(request.parameters),
    ...asCredentials(await sign({ aud: `${origin}/oauth2/par` })),
  })
  expect(pushed.status).toBe(201)
})

describe('TK-12: refused is an assertion', () => {
  const claims: [string, Claims][] = [
    ['for somebody else', { aud: 'https://other.example' }],
    ['for us and somebody else', { aud: [origin, 'https://other.example'] }],
    ['for another endpoint of ours', { aud: `${origin}/oauth2/revoke` }],
    ['for nobody', { aud: undefined }],
    ['by somebody else', { iss: 'other' }],
    ['about somebody else', { sub: 'other' }],
    ['about nobody', { sub: undefined }],
    ['without an id', { jti: undefined }],
    ['without an end', { exp: undefined }],
    ['that has ended', { exp: now() - 11 }],
    ['that lives for a day', { exp: now() + 86_400 }],
    ['that lives for ever', { exp: Number.MAX_SAFE_INTEGER }],
    ['that begins later', { nbf: now() + 60 }],
    ['from the future', { iat: now() + 120 }],
    ['whose end is no number', { exp: String(now() + 60) }],
    ['whose id is no text', { jti: 5 }],
  ]
  test.each(claims)('%s', async (_, changes) => {
    const answer = await present(await sign(changes))
    // What names nobody cannot be answered as a client.
    expect([400, 401]).toContain(answer.status)
    expect(['invalid_client', 'invalid_request']).toContain(answer.body.error)
  })

  test('alg none', async () => {
    const unsigned = new UnsecuredJWT({ iss: app.id, sub: app.id, aud: origin, jti: randomToken() })
    refused(await present(unsigned.setExpirationTime('1m').encode()))
  })

  test('with its signature cut off, or of another key', async () => {
    const [header, payload] = (await sign()).split('.')
    refused(await present(`${header}.${payload}.`))
    refused(await present(await sign({}, {}, await createKey())))
  })

  test('HS256 under the public key, as PEM and as JWK', async () => {
    const pem = createPublicKey({ key: key.publicJwk, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    })
    for (const secret of [pem, JSON.stringify(key.publicJwk)]) {
      const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
      const signed = `${encode({ alg: 'HS256' })}.${encode({
        iss: app.id,
        sub: app.id,
        aud: origin,
        jti: randomToken(),
        exp: now() + 60,
      })}`
      const mac = createHmac('sha256', secret).update(signed).digest('base64url')
      refused(await present(`${signed}.${mac}`))
    }
  })

  test('with its own key in the header, or an address of one', async () => {
    const other = await createKey()
    refused(await present(await sign({}, { jwk: other.publicJwk }, other)))
    refused(await present(await sign({}, { jku: 'https://evil.example/jwks', kid: 'x' }, other)))
  })

  test('of another algorithm than the app announced', async () => {
    const [rsa, announced] = [await createKey('RS256'), await createKey('ES256')]
    const jwks = { keys: [rsa.publicJwk, announced.publicJwk] }
    const strict = await createApp(server, { jwks, authAlg: 'ES256' }, { key: announced })
    const by = (each: Key) => signAssertion(each, { clientId: strict.id, audience: origin })
    taken(await present(await by(announced), strict))
    refused(await present(await by(rsa), strict))
  })

  test('that is something else: a request object, an access token', async () => {
    const request = app.begin()
    const object = await signRequest(
      key,
      { clientId: app.id, audience: origin },
      request.parameters,
      { sub: app.id, jti: randomToken() },
    )
    refused(await present(object))
    refused(await present(await sign({}, { typ: 'at+jwt' })))
  })

  test('that was used, also at another endpoint', async () => {
    const assertion = await sign()
    taken(await present(assertion))
    refused(await present(assertion))
    const elsewhere = await app.post('introspect', { token: 'x', ...asCredentials(assertion) })
    refused(elsewhere)
  })

  test('beside a secret, or of an app that has one', async () => {
    const assertion = await sign()
    const authorization = `Basic ${Buffer.from(`${app.id}:x`).toString('base64')}`
    const both = await app.post(
      'token',
      { code: 'x', ...asCredentials(assertion) },
      { authorization },
    )
    expect([400, 401]).toContain(both.status)
    const plain = await createApp(server, { preset: 'web', authMethod: 'client_secret_post' })
    const own = await signAssertion(key, { clientId: plain.id, audience: origin })
    refused(await plain.refresh('x', { client_secret: undefined, ...asCredentials(own) }))
  })
})

test('an app with a key cannot come with its name alone', async () => {
  const nameless = { client_assertion: undefined, client_assertion_type: undefined }
  refused(await app.post('token', { grant_type: 'authorization_code', code: 'x', ...nameless }))
})
