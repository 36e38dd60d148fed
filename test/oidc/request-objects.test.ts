/** Signed request objects (JAR, RFC 9101), in the address and pushed: what they say counts, and which are refused. */
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CompactEncrypt, generateKeyPair, UnsecuredJWT } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { randomToken } from '../../src/crypto.ts'
import type { Page } from '../../src/demo/visitor.ts'
import { asCredentials, type Claims, createKey, now, signRequest } from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson, walk } from '../support/person.ts'
import { type App, byReference, createApp, type Request } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const person = await createPerson(server)
const visitor = createBrowser(server)
const key = await createKey()
const app = await createApp(server, {}, { key })
const strict = await createApp(
  server,
  { requireRequestObject: true, requestObjectAlg: 'ES256' },
  { key },
)
await authorize(visitor, app, person)

const addressee = (to: App) => ({ clientId: to.id, audience: origin })
const signed = (request: Request, changes: Claims = {}, header: Claims = {}, to: App = app) =>
  signRequest(key, addressee(to), request.parameters, changes, header)

/** The request as an object in the address; `more` stands beside it. */
function carrying(object: string, to: App = app, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({ client_id: to.id, request: object, ...more })
  return `${origin}/oauth2/authorize?${query}`
}

/** An error for the app where it can be trusted, else a page of ours; never a code. */
function errorOf(page: Page): string {
  expect(page.url).not.toContain('code=')
  expect(page.url).not.toContain('/sign-in/')
  return (
    new URL(page.url).searchParams.get('error') ??
    /invalid_\w+|request_\w+/.exec(page.body)?.[0] ??
    ''
  )
}

async function refusal(object: string, to: App = app): Promise<string> {
  const page = await visitor.get(carrying(object, to))
  const pushed = await to.post('par', { request: object })
  expect([400, 401, 413]).toContain(pushed.status)
  return errorOf(page)
}

test('what a signed request asks for is what is done', async () => {
  const request = app.begin({ scope: 'openid email' })
  const page = await visitor.get(carrying(await signed(request)))
  const { code } = app.answerOf(request, page)
  const { body } = await app.redeem(request, code)
  expect(body.scope).toBe('openid email')
})

test.each(['RS256', 'PS256', 'ES256', 'EdDSA'])(
  'an object signed by %s is good, plain and pushed',
  async (alg) => {
    const own = await createKey(alg)
    const signing = await createApp(server, { requireRequestObject: true }, { key: own })
    const request = signing.begin()
    const object = await signRequest(own, addressee(signing), request.parameters)
    const page = await walk(visitor, { url: carrying(object, signing) }, person)
    expect(signing.answerOf(request, page).code).toBeTruthy()

    const pushed = await signing.post('par', { request: object })
    const again = byReference(signing, request, String(pushed.body.request_uri))
    expect(signing.answerOf(request, await visitor.get(again.url)).code).toBeTruthy()
  },
)

test('an app held to signed requests is refused without one, by any door', async () => {
  const request = strict.begin()
  expect(errorOf(await visitor.get(request.url))).toBe('invalid_request')
  const pushed = await strict.post('par', Object.fromEntries(request.parameters))
  expect([pushed.status, pushed.body.error]).toEqual([400, 'invalid_request'])
})

describe('RO-01, RO-02, RO-03: no signature but the app’s own counts', () => {
  const request = strict.begin()
  const claims = { ...Object.fromEntries(request.parameters), iss: strict.id, aud: origin }

  test('RO-01: alg none', async () => {
    for (const to of [app, strict]) {
      const unsigned = new UnsecuredJWT({ ...claims, iss: to.id, client_id: to.id })
      const object = unsigned.setExpirationTime('1m').encode()
      expect(await refusal(object, to)).toBe('invalid_request_object')
    }
  })

  test('RO-02: another algorithm than the app announced', async () => {
    const rsa = await createKey('RS256')
    const object = await signRequest(rsa, addressee(strict), request.parameters)
    expect(await refusal(object, strict)).toBe('invalid_request_object')
  })

  test('RO-02: HS256 under the public key', async () => {
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const body = `${encode({ alg: 'HS256' })}.${encode({ ...claims, exp: now() + 60 })}`
    const mac = createHmac('sha256', JSON.stringify(key.publicJwk)).update(body)
    expect(await refusal(`${body}.${mac.digest('base64url')}`, strict)).toBe(
      'invalid_request_object',
    )
  })

  test('RO-03: an unsigned object wrapped in a JWE', async () => {
    const { publicKey } = await generateKeyPair('RSA-OAEP-256')
    const unsigned = new UnsecuredJWT(claims).setExpirationTime('1m').encode()
    const wrapped = await new CompactEncrypt(Buffer.from(unsigned))
      .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT' })
      .encrypt(publicKey)
    expect(await refusal(wrapped, strict)).toBe('invalid_request_object')
  })

  test('JW-06: a JWE that would cost a lot to open', async () => {
    const header = {
      alg: 'PBES2-HS256+A128KW',
      enc: 'A128GCM',
      p2s: 'AAAAAAAAAAAAAAAAAAAAAA',
      p2c: 2 ** 31 - 1,
    }
    const protectedHeader = Buffer.from(JSON.stringify(header)).toString('base64url')
    const start = performance.now()
    expect(await refusal(`${protectedHeader}.AAAA.AAAA.AAAA.AAAA`, strict)).toBe(
      'invalid_request_object',
    )
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('another key, or none of a signature', async () => {
    const other = await signRequest(await createKey(), addressee(strict), request.parameters)
    expect(await refusal(other, strict)).toBe('invalid_request_object')
    const [header, payload] = (await signed(request, {}, {}, strict)).split('.')
    expect(await refusal(`${header}.${payload}.`, strict)).toBe('invalid_request_object')
  })
})

describe('RO-04: whom it is for and when it is good', () => {
  const bad: [string, Claims][] = [
    ['for somebody else', { aud: 'https://other.example' }],
    ['for nobody', { aud: undefined }],
    ['by nobody', { iss: undefined }],
    ['by another app', { iss: 'other' }],
    ['without an end', { exp: undefined }],
    ['that has ended', { nbf: now() - 60, exp: now() - 11 }],
    ['that begins in more than a minute', { nbf: now() + 61 }],
    ['from the future', { iat: now() + 120 }],
    ['that lives for more than an hour', { exp: now() + 3700 }],
    ['that began long ago', { nbf: now() - 7200, exp: now() + 60 }],
    ['that ends before it begins', { nbf: now(), exp: now() - 1 }],
    ['whose end is no number', { exp: 'tomorrow' }],
  ]
  test.each(bad)('refused is one %s', async (_, changes) => {
    expect(await refusal(await signed(app.begin(), changes))).toBe('invalid_request_object')
  })

  test('a clock eight seconds ahead is forgiven', async () => {
    const request = app.begin()
    const ahead = { nbf: now() + 8, iat: now() + 8 }
    const page = await visitor.get(carrying(await signed(request, ahead)))
    expect(app.answerOf(request, page).code).toBeTruthy()
  })

  test('an audience among others is enough', async () => {
    const request = app.begin()
    const page = await visitor.get(carrying(await signed(request, { aud: ['https://a', origin] })))
    expect(app.answerOf(request, page).code).toBeTruthy()
  })
})

describe('RO-05: the inside counts, the outside is not used', () => {
  test('scope, state and redirect URI outside change nothing', async () => {
    const request = app.begin({ scope: 'openid' })
    const beside = {
      scope: 'openid email',
      state: 'outside',
      redirect_uri: 'https://evil.example/cb',
      nonce: 'outside',
      prompt: 'login',
    }
    const page = await visitor.get(carrying(await signed(request), app, beside))
    const { code } = app.answerOf(request, page)
    expect((await app.redeem(request, code)).body.scope).toBe('openid')
  })

  test('another client inside than outside is refused', async () => {
    const request = app.begin()
    const object = await signed(request, { client_id: strict.id })
    expect(errorOf(await visitor.get(carrying(object)))).toBe('invalid_request_object')
    const foreign = await signed(request)
    expect(errorOf(await visitor.get(carrying(foreign, strict)))).toBe('invalid_request_object')
  })

  test('an object cannot bring another object or reference', async () => {
    const request = app.begin()
    for (const inner of [{ request: 'x' }, { request_uri: 'https://evil.example/object' }]) {
      expect(await refusal(await signed(request, inner))).toBe('invalid_request_object')
    }
  })

  test('a redirect URI inside that is not registered shows a page of ours', async () => {
    const request = app.begin({ redirect_uri: 'https://evil.example/cb' })
    const page = await visitor.get(carrying(await signed(request)))
    expect(page.status).toBe(400)
    expect(page.url.startsWith(origin)).toBe(true)
  })

  test('without its challenge inside, one outside does not help', async () => {
    const request = app.begin()
    const object = await signed(request, { code_challenge: undefined })
    const challenge = { code_challenge: randomToken(), code_challenge_method: 'S256' }
    expect(errorOf(await visitor.get(carrying(object, app, challenge)))).toBe('invalid_request')
  })
})

describe('RO-06: one request, one way, one use', () => {
  test('an object beside a reference is refused', async () => {
    const request = app.begin()
    const { body } = await app.post('par', Object.fromEntries(request.parameters))
    const more = { request_uri: String(body.request_uri) }
    const page = await visitor.get(carrying(await signed(request), app, more))
    expect(errorOf(page)).toBe('invalid_request')
  })

  test('an object is no client assertion, and an assertion no object', async () => {
    const request = app.begin()
    const object = await signed(request, { jti: randomToken() })
    const answer = await app.refresh('x', asCredentials(object))
    expect([400, 401]).toContain(answer.status)
    expect(answer.body.error).not.toBe('invalid_grant')
    const assertion = await signed(request, { sub: app.id, jti: randomToken() }, { typ: 'JWT' })
    expect(await refusal(assertion)).toBe('invalid_request_object')
    expect(await refusal(await signed(request, {}, { typ: 'client-authentication+jwt' }))).toBe(
      'invalid_request_object',
    )
  })
})

describe('RO-12: hostile objects', () => {
  test('an unknown crit is refused', async () => {
    const header = { crit: ['urgent'], urgent: true }
    const sign = signed(app.begin(), {}, header)
    // The library refuses to make one, so the header is exchanged afterwards.
    const object = await sign.catch(async () => {
      const [, payload, signature] = (await signed(app.begin())).split('.')
      const forged = { alg: 'ES256', kid: key.publicJwk.kid, ...header }
      return `${Buffer.from(JSON.stringify(forged)).toString('base64url')}.${payload}.${signature}`
    })
    expect(await refusal(object)).toBe('invalid_request_object')
  })

  test('a jku is not fetched, nor is a jwk believed', async () => {
    let packets = 0
    const trap = createServer((_, response) => {
      packets++
      response.end('{"keys":[]}')
    })
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve))
    afterAll(() => void trap.close())
    const jku = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/jwks`
    const other = await createKey()
    const parameters = app.begin().parameters
    for (const header of [{ jku }, { jwk: other.publicJwk }, { x5u: jku }]) {
      const object = await signRequest(other, addressee(app), parameters, {}, header)
      expect(await refusal(object)).toBe('invalid_request_object')
    }
    expect(packets).toBe(0)
  })

  test('40 KB are refused', async () => {
    const object = await signed(app.begin(), { state: 'x'.repeat(30_000) })
    expect(object.length).toBeGreaterThan(40_000)
    const pushed = await app.post('par', { request: object })
    expect(pushed.body.error).toBe('invalid_request_object')
    expect((await fetch(carrying(object))).status).toBe(431)
  })

  test.each([
    ['', 'an empty one'],
    ['a', 'no JWT'],
    ['a.b.c', 'three letters'],
    ['..', 'dots'],
    [`${'.'.repeat(3000)}`, 'many dots'],
    [
      `${Buffer.from('[]').toString('base64url')}.${Buffer.from('[]').toString('base64url')}.`,
      'lists',
    ],
    [
      `${Buffer.from('null').toString('base64url')}.${Buffer.from('null').toString('base64url')}.`,
      'nothing',
    ],
  ])('%j (%s) is refused in words', async (object) => {
    const response = await fetch(carrying(object), { redirect: 'manual' })
    expect(response.status).toBeLessThan(500)
    const pushed = await app.post('par', { request: object })
    expect(pushed.status).toBe(400)
  })
})
