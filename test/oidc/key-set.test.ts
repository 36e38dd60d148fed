/** The key set as apps meet it: which key signs for whom, how long it may be kept, and what a change does to them. */
import { createRemoteJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createKeyring } from '../../src/crypto.ts'
import { enqueue } from '../../src/jobs/tasks.ts'
import { discardKeys } from '../../src/oidc/key-leak.ts'
import { maintainKeys, rotateKeys } from '../../src/oidc/key-rotation.ts'
import { keyTimes } from '../../src/oidc/key-times.ts'
import { signingAlgorithms } from '../../src/oidc/signing-keys.ts'
import { ask } from '../http/support.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { freePort, startTestServer } from '../support/server.ts'
import { age, keysOf } from './signing-keys.ts'

const secret = 'Zf0r-tests-4nd-long-enough-to-be-one'
const server = await startTestServer({ env: { SECRET_KEY: secret } })
const { origin, database } = server
const { db } = database
const second = await startTestServer({
  database,
  env: { SECRET_KEY: secret, ISSUER: origin, PORT: String(await freePort()) },
})
const keys = keysOf(db, createKeyring([secret]))
const person = await createPerson(server)
const visitor = createBrowser(server)

/** Every process looks once a second; a busy machine may need longer. */
const soon = { timeout: 10_000, interval: 100 }

const ports = [server.config.port, second.config.port]
const { host } = new URL(origin)

async function keySet(port = server.config.port) {
  const { headers, body } = await ask(port, '/oauth2/jwks', { headers: { host } })
  return { headers, keys: (JSON.parse(body) as JSONWebKeySet).keys }
}
const kidOf = (token: string | undefined) => decodeProtectedHeader(token ?? '').kid

/** Until the server signs for this app with that key. */
async function untilSignedWith(app: App, kid: string): Promise<string> {
  let token = ''
  await expect
    .poll(async () => {
      token = (await authorize(visitor, app, person)).answer.body.id_token ?? ''
      return kidOf(token)
    }, soon)
    .toBe(kid)
  return token
}

async function rotate(alg: 'RS256' | 'ES256' | 'EdDSA') {
  await age(db, 3600 + keyTimes.spread)
  const rotation = await rotateKeys(keys, [alg])
  if (!rotation.ok || !rotation.rotated[0]) throw new Error('the key did not rotate')
  return rotation.rotated[0]
}

test('RS256 is what an app gets that asks for nothing', async () => {
  const app = await createApp(server)
  const { answer } = await authorize(visitor, app, person)
  expect(decodeProtectedHeader(answer.body.id_token ?? '').alg).toBe('RS256')
})

test.each(signingAlgorithms)('an app that asks for %s gets ID tokens signed so', async (alg) => {
  const app = await createApp(server, { idTokenAlg: alg })
  const { answer, request } = await authorize(visitor, app, person)
  const { payload, protectedHeader } = await jwtVerify(
    answer.body.id_token ?? '',
    createRemoteJWKSet(new URL(`${origin}/oauth2/jwks`)),
    { issuer: origin, audience: app.id, algorithms: [alg] },
  )
  expect(payload).toMatchObject({ sub: person.id, nonce: request.nonce })
  const current = db
    .selectFrom('signingKeys')
    .select('kid')
    .where('alg', '=', alg)
    .where('state', '=', 'current')
  expect(await current.executeTakeFirstOrThrow()).toEqual({ kid: protectedHeader.kid })
})

test('JW-07: discovery promises these algorithms, and no weak one', async () => {
  const discovery = await fetch(`${origin}/.well-known/openid-configuration`)
  expect(await discovery.json()).toMatchObject({
    id_token_signing_alg_values_supported: ['RS256', 'ES256', 'EdDSA'],
    jwks_uri: `${origin}/oauth2/jwks`,
  })
})

test('JW-04: the key set may be kept for JWKS_MAX_AGE and is asked for again by its ETag', async () => {
  const { headers } = await keySet()
  expect(headers).toMatchObject({
    'cache-control': 'public, max-age=3600',
    'content-type': expect.stringMatching(/^application\/json/),
    'access-control-allow-origin': '*',
  })
  for (const known of [headers.etag, `W/${headers.etag}`, `"other", ${headers.etag}`]) {
    const again = await fetch(`${origin}/oauth2/jwks`, { headers: { 'if-none-match': `${known}` } })
    expect([again.status, await again.text()]).toEqual([304, ''])
    expect(again.headers.get('cache-control')).toBe('public, max-age=3600')
  }
  const other = await fetch(`${origin}/oauth2/jwks`, { headers: { 'if-none-match': '"other"' } })
  expect(other.status).toBe(200)
})

test('every process publishes the same document, also after a rotation', async () => {
  const etags = () => Promise.all(ports.map(async (port) => (await keySet(port)).headers.etag))
  const [before, same] = await etags()
  expect(same).toBe(before)
  const { kid } = await rotate('EdDSA')
  await expect
    .poll(async () => {
      const [one, two] = await etags()
      return one === two && one !== before
    }, soon)
    .toBe(true)
  const ofAlg = (await keySet(second.config.port)).keys.filter((key) => key.alg === 'EdDSA')
  expect(ofAlg.map((key) => key.kid)[0]).toBe(kid)
  expect(ofAlg).toHaveLength(3)
})

test('JW-05: after a rotation the new key signs, and what the old one signed stays valid', async () => {
  const app = await createApp(server, { idTokenAlg: 'ES256' })
  const { answer } = await authorize(visitor, app, person)
  const before = answer.body.id_token ?? ''
  const kids = (await keySet()).keys.map((key) => key.kid)
  const { kid, replaced } = await rotate('ES256')
  expect(kidOf(before)).toBe(replaced)
  expect(kids).toContain(kid)
  const after = await untilSignedWith(app, kid)
  const now = createRemoteJWKSet(new URL(`${origin}/oauth2/jwks`))
  for (const token of [before, after]) await jwtVerify(token, now, { audience: app.id })
})

test('an old ID token still says at sign-out who signs out of what, until no session is that old', async () => {
  const app = await createApp(server)
  const { answer } = await authorize(visitor, app, person)
  const hint = answer.body.id_token ?? ''
  const { kid, replaced } = await rotate('RS256')
  await untilSignedWith(app, kid)
  const ask = () => visitor.get(app.logoutUrl({ id_token_hint: hint }))
  expect((await ask()).status).toBe(200)

  await age(db, keyTimes.published, replaced)
  await maintainKeys(keys)
  await expect
    .poll(async () => (await keySet()).keys.map((key) => key.kid), soon)
    .not.toContain(replaced)
  expect((await ask()).status).toBe(200)

  await age(db, keyTimes.known, replaced)
  await maintainKeys(keys)
  await expect.poll(async () => (await ask()).status, soon).toBe(400)
})

test('the schedule looks after the keys every hour, wherever a server runs', async () => {
  const { rows } = await sql<{ identifier: string }>`
    select identifier from graphile_worker._private_known_crontabs`.execute(db)
  expect(rows.map(({ identifier }) => identifier)).toContain('rotate-keys')
  const signing = () =>
    db
      .selectFrom('signingKeys')
      .select('kid')
      .where('state', '=', 'current')
      .orderBy('kid')
      .execute()
  const before = await signing()
  await age(db, keyTimes.signs)
  await enqueue(db, 'rotate-keys', {})
  await expect.poll(signing, soon).not.toEqual(before)
  expect(await signing()).toHaveLength(signingAlgorithms.length)
})

test('what a leaked key signed is refused by every process within seconds', async () => {
  const app = await createApp(server, { idTokenAlg: 'ES256' })
  const { kid: leaked } = await rotate('ES256')
  const hint = await untilSignedWith(app, leaked)
  const [gone] = await discardKeys(keys, [leaked])
  for (const port of ports)
    await expect
      .poll(async () => (await keySet(port)).keys.map((key) => key.kid), soon)
      .not.toContain(leaked)
  expect((await visitor.get(app.logoutUrl({ id_token_hint: hint }))).status).toBe(400)
  const fresh = await untilSignedWith(app, gone?.successor ?? '')
  await jwtVerify(fresh, createRemoteJWKSet(new URL(`${origin}/oauth2/jwks`)))
})

test('a server with another SECRET_KEY does not start, and says which words to mend', async () => {
  const env = { SECRET_KEY: secret.toUpperCase(), ISSUER: origin }
  await expect(startTestServer({ database, env })).rejects.toThrow(
    /^SECRET_KEY does not open the signing keys of this database: set the key they were made with/,
  )
  const { rows } = await sql`select from signing_keys where state = 'current'`.execute(db)
  expect(rows).toHaveLength(signingAlgorithms.length)
})

test('a server that knows the old SECRET_KEY behind a new one starts', async () => {
  const newer = `${secret.toUpperCase()} ${secret}`
  const { close } = await startTestServer({ database, env: { SECRET_KEY: newer, ISSUER: origin } })
  await close()
})

test('the key set has one address: capitals or a slash at the end lead nowhere', async () => {
  for (const path of ['/oauth2/JWKS', '/oauth2/jwks/', '/OAuth2/jwks', '/oauth2/TOKEN']) {
    expect((await ask(server.config.port, path, { headers: { host } })).status).toBe(404)
  }
})
