/** JW-03, JW-09: times that are past, ahead or no numbers, and members that come twice, in what apps and we have signed. */
import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { asCredentials, now } from '../support/client-keys.ts'
import { createForger } from '../support/forged-tokens.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const api = 'https://api.example.com'
await createApi(db, { identifier: api, scopes: ['read'] }, { actor: { kind: 'operator' } })
const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }
const service = await createApp(server, {
  preset: 'service',
  authMethod: 'private_key_jwt',
  jwks: { keys: [jwk] },
  apis: [api],
})
const web = await createApp(server)
const person = await createPerson(server)
const forger = await createForger(server)
const visitor = createBrowser(server)

/** Signs this very text, so that a member may come twice. */
const signed = (text: string) =>
  new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .sign(privateKey)
let count = 0
const assertion = (members: string) =>
  signed(
    `{"iss":"${service.id}","sub":"${service.id}","jti":"j${++count}","iat":${now()},${members}}`,
  )
const present = async (members: string, fields = {}) =>
  service.post('token', {
    grant_type: 'client_credentials',
    client_id: undefined,
    client_secret: undefined,
    ...asCredentials(await assertion(members)),
    ...fields,
  })

const good = () => `"aud":"${origin}","exp":${now() + 60}`

test('an assertion as it should be is taken', async () => {
  expect((await present(good())).status).toBe(200)
})

describe('JW-03: an assertion whose time', () => {
  test.each([
    ['is past', () => `"exp":${now() - 20}`],
    ['is a text', () => `"exp":"${now() + 60}"`],
    ['is null', () => '"exp":null'],
    ['is a list', () => `"exp":[${now() + 60}]`],
    ['is beyond all numbers', () => '"exp":1e999'],
    ['is ahead (nbf)', () => `"exp":${now() + 60},"nbf":${now() + 50}`],
    ['is a text (nbf)', () => `"exp":${now() + 60},"nbf":"0"`],
  ])('%s', async (_, members) => {
    const { status, body } = await present(`"aud":"${origin}",${members()}`)
    expect([status, body.error]).toEqual([401, 'invalid_client'])
  })
})

test('JW-09: of a member that comes twice the last counts, for whom it is and who it is alike', async () => {
  const elsewhere = 'https://evil.example'
  const exp = `"exp":${now() + 60}`
  expect((await present(`"aud":"${elsewhere}","aud":"${origin}",${exp}`)).status).toBe(200)
  expect((await present(`"aud":"${origin}","aud":"${elsewhere}",${exp}`)).status).toBe(401)
  const last = `"aud":"${origin}",${exp}`
  for (const member of ['iss', 'sub']) {
    expect((await present(`${last},"${member}":"${web.id}"`)).status).toBe(401)
  }
})

describe('JW-03: of our own tokens', () => {
  test('one that is past, has no end, or begins later is not active, though we signed it', async () => {
    const { body } = await present(good(), { resource: api, scope: 'read' })
    const token = String(body.access_token)
    const ask = async (value: string) => {
      const members = asCredentials(await assertion(good()))
      const fields = { token: value, client_id: undefined, client_secret: undefined, ...members }
      return (await service.post('introspect', fields)).body.active
    }
    expect(await ask(await forger.resigned(token))).toBe(true)
    for (const claims of [
      { exp: now() - 5 },
      { exp: 'never' },
      { exp: null },
      { nbf: now() + 300 },
    ]) {
      expect([claims, await ask(await forger.resigned(token, claims))]).toEqual([claims, false])
    }
  })

  test('an ID token is a hint also when it is past, and not before its begin', async () => {
    const { answer } = await authorize(visitor, web, person)
    const idToken = String(answer.body.id_token)
    const hinted = async (claims: Record<string, unknown>) => {
      const id_token_hint = await forger.resigned(idToken, claims)
      const { url } = await visitor.get(web.begin({ prompt: 'none', id_token_hint }).url)
      return url.includes('code=')
    }
    expect(await hinted({ exp: now() - 1000 })).toBe(true)
    expect(await hinted({ nbf: now() + 1000 })).toBe(false)
  })
})
