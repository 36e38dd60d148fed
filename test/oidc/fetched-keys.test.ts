/** An app's published keys: fetched through the guard, seldom, and only where the guard lets us. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { afterAll, expect, test } from 'vitest'
import { randomToken } from '../../src/crypto.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

type Publisher = { origin: string; port: number; asked: string[]; keys: JWK[]; status: number }

async function publish(): Promise<Publisher> {
  const publisher: Publisher = { origin: '', port: 0, asked: [], keys: [], status: 200 }
  const server = createServer((request, response) => {
    publisher.asked.push(request.url ?? '')
    const { status } = publisher
    const headers = status === 302 ? { location: `http://127.0.0.1:${publisher.port}/other` } : {}
    response.writeHead(status, headers).end(JSON.stringify({ keys: publisher.keys }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => void server.close())
  publisher.port = (server.address() as AddressInfo).port
  publisher.origin = `http://127.0.0.1:${publisher.port}`
  return publisher
}

const allowed = await publish()
const inside = await publish()
const server = await startTestServer({
  env: { ALLOW_PRIVATE_TARGETS: `127.0.0.1:${allowed.port}` },
})

async function keyPair(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  return {
    kid,
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' },
  }
}
type Key = Awaited<ReturnType<typeof keyPair>>

const appWith = (jwksUri: string) => createApp(server, { authMethod: 'private_key_jwt', jwksUri })

/** Who the app is, proven to an endpoint that asks for nothing more. */
async function prove(app: App, key: Key): Promise<number> {
  const assertion = await new SignJWT({ jti: randomToken() })
    .setProtectedHeader({ alg: 'ES256', kid: key.kid })
    .setIssuer(app.id)
    .setSubject(app.id)
    .setAudience(server.origin)
    .setIssuedAt()
    .setExpirationTime('1 minute')
    .sign(key.privateKey)
  const { status } = await app.post('introspect', {
    token: 'none of yours',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  })
  return status
}

test('keys at an allowed address are fetched once and used', async () => {
  const key = await keyPair('one')
  allowed.keys = [key.jwk]
  const app = await appWith(`${allowed.origin}/first`)
  expect(await prove(app, key)).toBe(200)
  expect(await prove(app, key)).toBe(200)
  expect(allowed.asked.filter((url) => url === '/first')).toHaveLength(1)
})

test('DS-11: a thousand signatures by keys that nobody knows make one request', async () => {
  const [known, unknown] = [await keyPair('known'), await keyPair('unknown')]
  allowed.keys = [known.jwk]
  const app = await appWith(`${allowed.origin}/second`)
  expect(await prove(app, known)).toBe(200)
  const answers = await Promise.all(Array.from({ length: 50 }, () => prove(app, unknown)))
  expect(new Set(answers)).toEqual(new Set([401]))
  expect(allowed.asked.filter((url) => url === '/second')).toHaveLength(1)
  expect(await prove(app, known)).toBe(200)
})

test('DS-11: an app whose keys cannot be had is not asked at every try', async () => {
  const key = await keyPair('three')
  allowed.status = 500
  const app = await appWith(`${allowed.origin}/third`)
  for (let attempt = 0; attempt < 5; attempt++) expect(await prove(app, key)).toBe(401)
  expect(allowed.asked.filter((url) => url === '/third')).toHaveLength(1)
  allowed.status = 200
})

test('SS-01: keys on this machine are not fetched, though the issuer is here too', async () => {
  const key = await keyPair('four')
  inside.keys = [key.jwk]
  for (const host of ['127.0.0.1', 'localhost']) {
    expect(await prove(await appWith(`http://${host}:${inside.port}/keys`), key)).toBe(401)
  }
  expect(inside.asked).toEqual([])
  expect(await prove(await appWith(`${server.origin}/oauth2/jwks`), key)).toBe(401)
})

test('SS-08: a redirect to somewhere inside is not followed', async () => {
  const key = await keyPair('five')
  allowed.keys = [key.jwk]
  allowed.status = 302
  const app = await appWith(`${allowed.origin}/fifth`)
  expect(await prove(app, key)).toBe(401)
  expect(allowed.asked).not.toContain('/other')
  expect(inside.asked).toEqual([])
  allowed.status = 200
})
