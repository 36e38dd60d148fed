/**
 * FAPI 2.0 as a whole (FA-06, FA-07): an app that the CLI made with a profile, from its pushed request to its refreshed tokens, and each
 * thing that the profile does not allow.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { sql } from 'kysely'
import { afterAll, describe, expect, test } from 'vitest'
import { randomToken, sha256 } from '../../src/crypto.ts'
import { createIdp } from '../cli/support.ts'
import { makeAuthority, makeCertificate } from '../support/certificates.ts'
import {
  asCredentials,
  createKey,
  createProver,
  type Key,
  now,
  signAssertion,
  signRequest,
} from '../support/client-keys.ts'
import { createBrowser, createPerson, walk } from '../support/person.ts'
import {
  type Answer,
  type App,
  byReference,
  type Parameters,
  playApp,
  push,
  type Request,
} from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({
  env: { CLIENT_CERT_HEADER: 'x-client-cert', TRUSTED_PROXIES: '127.0.0.0/8,::1' },
})
const { origin } = server
const { db } = server.database
const idp = createIdp(server.database.url, { ISSUER: origin })
const directory = mkdtempSync(join(tmpdir(), 'idp-fapi-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const keySet = createRemoteJWKSet(new URL(`${origin}/oauth2/jwks`))

const person = await createPerson(server)
const visitor = createBrowser(server)
let count = 0

function keyFile(...keys: Key[]): string {
  const file = join(directory, `keys-${++count}.json`)
  writeFileSync(file, JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) }))
  return file
}

/** What an admin types; the app's own part follows from what was registered. */
async function register(...flags: string[]) {
  const redirectUri = `https://bank${++count}.example.com/cb`
  const ran = await idp([
    ...['clients', 'create', `Bank ${count}`, '--preset', 'web', '--redirect-uri', redirectUri],
    ...['--json', ...flags],
  ])
  const client = ran.code === 0 ? (JSON.parse(ran.stdout).client as Record<string, unknown>) : {}
  return { ...ran, client, id: String(client.client_id), redirectUri }
}

async function create(profile: string, key: Key, ...flags: string[]): Promise<App> {
  const { code, stderr, client, id, redirectUri } = await register(
    ...['--profile', profile, '--jwks-file', keyFile(key), ...flags],
  )
  expect(code, stderr).toBe(0)
  return playApp({
    ...{ origin, id, secret: undefined, method: 'private_key_jwt', redirectUri, key },
    scope: String(client.scope),
    ...(client.dpop_bound_access_tokens ? { prover: await createProver() } : {}),
  })
}

const key = await createKey('ES256')
const bank = await create('fapi2', key)

/** To the code; the person is signed in after the first time. */
async function obtain(
  app: App,
  parameters: Parameters = {},
): Promise<{ request: Request; code: string }> {
  const request = await push(app, app.begin(parameters))
  const { code = '' } = app.answerOf(request, await walk(visitor, request, person))
  return { request, code }
}

const refused = (answer: Answer, error: string) => expect(answer.body.error).toBe(error)

test('the profile shows what it demands, and the app is what it shows', async () => {
  const { stdout } = await idp(['clients', 'get', bank.id, '--json'])
  expect(JSON.parse(stdout).client).toMatchObject({
    profile: 'fapi2',
    token_endpoint_auth_method: 'private_key_jwt',
    require_pushed_authorization_requests: true,
    dpop_bound_access_tokens: true,
    id_token_signed_response_alg: 'ES256',
    pkce: 'required',
    refresh_rotation: 'off',
  })
  const shown = (await idp(['clients', 'get', bank.id])).stdout
  for (const words of [
    'fapi2',
    'pushed (PAR), no others',
    'bound to a key of the app',
    'do not rotate',
  ]) {
    expect(shown).toContain(words)
  }
})

test.each(['PS256', 'ES256', 'EdDSA'])(
  'by %s from a pushed request to tokens, claims and a refresh',
  async (alg) => {
    const app = await create('fapi2', await createKey(alg))
    const { request, code } = await obtain(app)
    const { status, body } = await app.redeem(request, code)
    expect(status).toBe(200)
    expect(body.token_type).toBe('DPoP')
    const { payload, protectedHeader } = await jwtVerify(body.id_token ?? '', keySet, {
      issuer: origin,
      audience: app.id,
    })
    expect(protectedHeader.alg).toBe('ES256')
    expect(payload).toMatchObject({ sub: person.id, nonce: request.nonce })
    expect((await app.userinfo(body.access_token)).body.sub).toBe(person.id)
    const next = await app.refresh(body.refresh_token)
    expect(next.status).toBe(200)
    // FA-06: no rotation, yet bound to the app's own proof of who it is.
    expect(next.body.refresh_token).toBe(body.refresh_token)
    expect((await app.userinfo(next.body.access_token)).status).toBe(200)
  },
)

test('every answer carries iss, and a long state comes back unchanged (OA-10, OA-11)', async () => {
  const state = 'x'.repeat(1000)
  const { code } = await obtain(bank, { state })
  expect(code).toBeTruthy()
})

test('a protected resource says which interaction it answers', async () => {
  const id = 'c770aef3-6784-41f7-8e0e-ff5f97bddb3a'
  const ask = (value: string) =>
    fetch(`${origin}/oauth2/userinfo`, { headers: { 'x-fapi-interaction-id': value } })
  expect((await ask(id)).headers.get('x-fapi-interaction-id')).toBe(id)
  expect((await ask('<script>')).headers.get('x-fapi-interaction-id')).toBeNull()
})

test('the person refuses, and the app is told', async () => {
  const app = await create('fapi2', await createKey())
  const request = await push(app, app.begin())
  const back = await visitor.press(await visitor.get(request.url), 'cancel')
  expect(app.answerOf(request, back)).toMatchObject({ error: 'access_denied' })
})

test('a certificate may take the place of both keys', async () => {
  const authority = makeAuthority()
  const made = makeCertificate({ subject: [['CN', 'bank']], issuer: authority })
  const file = join(directory, 'ca.pem')
  writeFileSync(file, authority.cert)
  const { code, stderr, id, redirectUri, client } = await register(
    ...['--profile', 'fapi2', '--auth-method', 'tls_client_auth', '--certificate-bound'],
    ...['--tls-subject-dn', 'CN=bank', '--tls-ca-file', file],
  )
  expect(code, stderr).toBe(0)
  expect(client.dpop_bound_access_tokens).toBeUndefined()
  const app = playApp({
    ...{ origin, id, secret: undefined, method: 'tls_client_auth', redirectUri },
    send: (url, init) =>
      fetch(url, {
        ...init,
        headers: {
          ...(init?.headers as Record<string, string>),
          'x-client-cert': encodeURIComponent(made.cert),
        },
      }),
  })
  const obtained = await obtain(app, { scope: 'openid' })
  const { body } = await app.redeem(obtained.request, obtained.code)
  expect((await app.userinfo(body.access_token)).body.sub).toBe(person.id)
  const bare = playApp({ origin, id, secret: undefined, method: 'none', redirectUri })
  expect((await bare.userinfo(body.access_token)).status).toBe(401)
})

describe('FA-07: codes', () => {
  test('one used again after a second is refused, and its tokens are dead', async () => {
    const { request, code } = await obtain(bank)
    const { body } = await bank.redeem(request, code)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    refused(await bank.redeem(request, code), 'invalid_grant')
    expect((await bank.userinfo(body.access_token)).status).toBe(401)
    refused(await bank.refresh(body.refresh_token), 'invalid_grant')
  })

  test('one lives a minute', async () => {
    const { request, code } = await obtain(bank)
    await db
      .updateTable('authorizationCodes')
      .set({ expiresAt: sql<Date>`expires_at - interval '61 seconds'` })
      .where('idHash', '=', sha256(code))
      .execute()
    refused(await bank.redeem(request, code), 'invalid_grant')
  })

  test('one of another app is refused', async () => {
    const other = await create('fapi2', await createKey())
    const { request, code } = await obtain(bank)
    refused(await other.redeem(request, code, { redirect_uri: bank.redirectUri }), 'invalid_grant')
  })

  test('with a wrong verifier or none it is refused', async () => {
    for (const verifier of [randomToken(), undefined]) {
      const { request, code } = await obtain(bank)
      refused(await bank.redeem(request, code, { code_verifier: verifier }), 'invalid_grant')
    }
  })

  test('with another key than the request was pushed with it is refused', async () => {
    const { request, code } = await obtain(bank)
    const thief = await createProver()
    const other = playApp({
      ...{ origin, id: bank.id, secret: undefined, method: 'private_key_jwt', key },
      ...{ redirectUri: bank.redirectUri, prover: thief },
    })
    refused(await other.redeem(request, code), 'invalid_grant')
  })
})

describe('FA-07: requests', () => {
  const errorAt = async (url: string) => {
    const page = await visitor.get(url)
    expect(page.url).not.toContain('code=')
    expect(page.url).not.toContain('/sign-in/')
    return new URL(page.url).searchParams.get('error') ?? page.body
  }

  test('one that was not pushed is refused', async () => {
    expect(await errorAt(bank.begin().url)).toBe('invalid_request')
    const request = bank.begin()
    const object = await signRequest(
      key,
      { clientId: bank.id, audience: origin },
      request.parameters,
    )
    const query = new URLSearchParams({ client_id: bank.id, request: object })
    expect(await errorAt(`${origin}/oauth2/authorize?${query}`)).toContain('invalid_request')
  })

  test.each<[string, Parameters]>([
    ['without PKCE', { code_challenge: undefined, code_challenge_method: undefined }],
    ['with plain PKCE', { code_challenge_method: 'plain' }],
    ['with PKCE of no method', { code_challenge_method: undefined }],
    ['without a redirect URI', { redirect_uri: undefined }],
    ['for a token at once', { response_type: 'code id_token' }],
    ['for a token alone', { response_type: 'token' }],
  ])('one %s is refused when it is pushed', async (_, parameters) => {
    const request = bank.begin(parameters)
    const answer = await bank.post('par', Object.fromEntries(request.parameters))
    expect(answer.status).toBe(400)
    expect(answer.body.request_uri).toBeUndefined()
  })

  test('a reference is good for a minute at most, and for its app', async () => {
    const request = bank.begin()
    const { body } = await bank.post('par', Object.fromEntries(request.parameters))
    expect(Number(body.expires_in)).toBeLessThanOrEqual(600)
    const other = await create('fapi2', await createKey())
    const url = byReference(other, request, String(body.request_uri)).url
    expect(await errorAt(url)).toContain('invalid_request_uri')
    await db
      .updateTable('pushedAuthorizationRequests')
      .set({ expiresAt: sql<Date>`now() - interval '11 seconds'` })
      .execute()
    const late = byReference(bank, request, String(body.request_uri)).url
    expect(await errorAt(late)).toContain('invalid_request_uri')
  })

  test('none is pushed by who does not prove to be the app', async () => {
    const request = bank.begin()
    const answer = await bank.post('par', {
      ...Object.fromEntries(request.parameters),
      client_assertion: undefined,
      client_assertion_type: undefined,
    })
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client'])
  })
})

describe('FA-07: assertions', () => {
  const present = async (claims: object, header = {}) =>
    bank.post('par', {
      ...Object.fromEntries(bank.begin().parameters),
      ...asCredentials(
        await signAssertion(key, { clientId: bank.id, audience: origin }, { ...claims }, header),
      ),
    })

  test.each([
    ['the token endpoint', `${origin}/oauth2/token`],
    ['the endpoint itself', `${origin}/oauth2/par`],
    ['a list with the issuer', [origin]],
    ['the issuer with a slash', `${origin}/`],
  ])('one for %s is refused: the issuer alone is the audience', async (_, aud) => {
    const answer = await present({ aud })
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client'])
  })

  test('one whose clock is ten seconds ahead is taken, one of more than a minute is not', async () => {
    expect((await present({ iat: now() + 10, nbf: now() + 10 })).status).toBe(201)
    expect((await present({ iat: now() + 90 })).status).toBe(401)
    expect((await present({ nbf: now() + 90 })).status).toBe(401)
  })

  test('one signed by RS256 is refused, whatever key is registered', async () => {
    const rsa = await createKey('RS256')
    const { alg: _, ...anyAlg } = rsa.publicJwk
    const app = await create('fapi2', { ...rsa, publicJwk: anyAlg })
    const answer = await app.refresh('x')
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client'])
  })
})

describe('FA-07: proofs', () => {
  const tokenUrl = `${origin}/oauth2/token`

  test('no token without one', async () => {
    const { request, code } = await obtain(bank)
    const plain = playApp({
      ...{ origin, id: bank.id, secret: undefined, method: 'private_key_jwt', key },
      redirectUri: bank.redirectUri,
    })
    refused(await plain.redeem(request, code), 'invalid_grant')
  })

  test('one whose time is ten seconds off is taken', async () => {
    const prover = await createProver()
    const told = await bank.refresh(
      'x',
      {},
      { dpop: await prover.prove({ method: 'POST', url: tokenUrl }) },
    )
    refused(told, 'use_dpop_nonce')
    const nonce = told.headers.get('dpop-nonce')
    for (const off of [-10, 10]) {
      const dpop = await prover.prove(
        { method: 'POST', url: tokenUrl },
        { nonce, iat: now() + off },
      )
      refused(await bank.refresh('x', {}, { dpop }), 'invalid_grant')
    }
  })

  test('one by RS256 is refused', async () => {
    const prover = await createProver('RS256')
    const dpop = await prover.prove({ method: 'POST', url: tokenUrl })
    refused(await bank.refresh('x', {}, { dpop }), 'invalid_dpop_proof')
  })

  test('a refresh without one is refused', async () => {
    const { request, code } = await obtain(bank)
    const { body } = await bank.redeem(request, code)
    const plain = playApp({
      ...{ origin, id: bank.id, secret: undefined, method: 'private_key_jwt', key },
      redirectUri: bank.redirectUri,
    })
    refused(await plain.refresh(body.refresh_token), 'invalid_grant')
  })
})

describe('Message Signing', async () => {
  const signing = await createKey('ES256')
  const app = await create('fapi2-message-signing', signing)

  async function pushSigned(parameters: Parameters = {}, changes = {}, by: Key = signing) {
    const request = app.begin({ response_mode: 'jwt', ...parameters })
    const object = await signRequest(
      by,
      { clientId: app.id, audience: origin },
      request.parameters,
      changes,
    )
    return { request, answer: await app.post('par', { request: object }) }
  }

  test('signed requests, signed answers, signed introspection', async () => {
    const { request, answer } = await pushSigned()
    expect(answer.status).toBe(201)
    const { url } = byReference(app, request, String(answer.body.request_uri))
    const page = await walk(visitor, { url }, person)
    const response = new URL(page.url).searchParams.get('response') ?? ''
    const { payload, protectedHeader } = await jwtVerify(response, keySet, {
      issuer: origin,
      audience: app.id,
    })
    expect(protectedHeader.alg).toBe('ES256')
    expect(payload.state).toBe(request.state)
    const { body } = await app.redeem(request, String(payload.code))
    expect((await app.userinfo(body.access_token)).body.sub).toBe(person.id)
    const told = await app.post(
      'introspect',
      { token: body.access_token },
      { accept: 'application/token-introspection+jwt' },
    )
    expect(decodeProtectedHeader(String(told.body.text))).toMatchObject({
      alg: 'ES256',
      typ: 'token-introspection+jwt',
    })
  })

  test('a request that is not signed is refused, also when it is pushed', async () => {
    const request = app.begin({ response_mode: 'jwt' })
    const answer = await app.post('par', Object.fromEntries(request.parameters))
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
  })

  test.each<[string, object]>([
    ['without an end', { exp: undefined }],
    ['without a beginning', { nbf: undefined }],
    ['without an audience', { aud: undefined }],
    ['that lives for more than an hour', { exp: now() + 3700 }],
    ['that began more than an hour ago', { nbf: now() - 3700, exp: now() + 60 }],
    ['that begins in more than a minute', { nbf: now() + 61 }],
  ])('one %s is refused', async (_, changes) => {
    const { answer } = await pushSigned({}, changes)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request_object'])
  })

  test('one signed by RS256 is refused, whatever key is registered', async () => {
    const rsa = await createKey('RS256')
    const { alg: _, ...anyAlg } = rsa.publicJwk
    const own = await createKey()
    const file = keyFile(own, { ...rsa, publicJwk: anyAlg })
    const { id, redirectUri } = await register(
      ...['--profile', 'fapi2-message-signing', '--jwks-file', file],
    )
    const both = playApp({
      ...{ origin, id, secret: undefined, method: 'private_key_jwt', redirectUri, key: own },
    })
    const { parameters } = both.begin({ response_mode: 'jwt' })
    for (const [by, status] of [
      [rsa, 400],
      [own, 201],
    ] as const) {
      const object = await signRequest(by, { clientId: id, audience: origin }, parameters)
      expect((await both.post('par', { request: object })).status).toBe(status)
    }
  })

  test('one whose clock is eight seconds ahead is taken', async () => {
    expect((await pushSigned({}, { nbf: now() + 8, iat: now() + 8 })).answer.status).toBe(201)
  })

  test('an answer without a signature cannot be asked for', async () => {
    for (const response_mode of [undefined, 'query', 'fragment', 'form_post']) {
      const { answer } = await pushSigned({ response_mode })
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    }
  })
})

describe('a profile is kept as a whole', () => {
  test.each([
    ['a secret', ['--auth-method', 'client_secret_basic'], '--auth-method'],
    ['no authentication', ['--auth-method', 'none'], '--auth-method'],
    ['no bound tokens', ['--dpop', 'optional'], '--dpop'],
    ['rotation', ['--refresh-rotation', 'on'], '--refresh-rotation'],
    ['optional PKCE', ['--pkce', 'optional'], '--pkce'],
    ['RS256 for ID tokens', ['--id-token-alg', 'RS256'], '--id-token-alg'],
    ['RS256 for assertions', ['--auth-alg', 'RS256'], '--auth-alg'],
    ['RS256 for userinfo', ['--userinfo-alg', 'RS256'], '--userinfo-alg'],
    ['RS256 for requests', ['--request-object-alg', 'RS256'], '--request-object-alg'],
  ])('it is not given to an app with %s', async (_, flags, named) => {
    const { code, stderr } = await register(
      '--profile',
      'fapi2',
      '--jwks-file',
      keyFile(key),
      ...flags,
    )
    expect(code).toBe(5)
    expect(stderr).toContain('which the profile fapi2 does not allow')
    expect(stderr).toContain(named)
  })

  test('nor to one whose addresses are not https', async () => {
    const { code, stderr } = await register(
      ...['--profile', 'fapi2', '--jwks-file', keyFile(key)],
      ...['--redirect-uri', 'http://localhost:3000/cb'],
    )
    expect([code, stderr.includes('without https')]).toEqual([5, true])
  })

  test('no later change takes a part of it away', async () => {
    for (const flags of [
      ['--no-require-par'],
      ['--dpop', 'optional'],
      ['--refresh-rotation', 'on'],
      ['--id-token-alg', 'RS256'],
      ['--add-redirect-uri', 'http://localhost/cb'],
    ]) {
      const { code, stderr } = await idp(['clients', 'update', bank.id, ...flags])
      expect([flags, code]).toEqual([flags, 5])
      expect(stderr).toContain('profile fapi2')
    }
    expect((await idp(['clients', 'update', bank.id, '--no-profile', '--json'])).code).toBe(0)
    const { code } = await idp(['clients', 'update', bank.id, '--refresh-rotation', 'on'])
    expect(code).toBe(0)
  })

  test('an app that is given one later loses the tokens it got before', async () => {
    const late = await createKey()
    const { id, redirectUri, client } = await register(
      ...['--auth-method', 'private_key_jwt', '--jwks-file', keyFile(late)],
    )
    const before = playApp({
      ...{ origin, id, secret: undefined, method: 'private_key_jwt', redirectUri, key: late },
      scope: String(client.scope),
    })
    const request = before.begin()
    const { code = '' } = before.answerOf(request, await walk(visitor, request, person))
    const { body } = await before.redeem(request, code)
    const ran = await idp(['clients', 'update', id, '--profile', 'fapi2', '--json'])
    expect(ran.code, ran.stderr).toBe(0)
    expect(JSON.parse(ran.stdout).changed).toEqual(
      expect.arrayContaining([
        'profile',
        'refresh_rotation',
        'dpop_bound_access_tokens',
        'require_pushed_authorization_requests',
      ]),
    )
    expect((await before.userinfo(body.access_token)).status).toBe(401)
    refused(await before.refresh(body.refresh_token), 'invalid_grant')
  })
})
