/**
 * What we sign beside ID tokens where an app asks for it: authorization responses (JARM), userinfo, introspection
 * (RFC 9701). Each verifies against the published keys alone, and is good for nothing else.
 */
import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JWTPayload,
  jwtVerify,
} from 'jose'
import { describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { authorize, createBrowser, createPerson, obtainCode, walk } from '../support/person.ts'
import { type App, createApp, type Request } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const person = await createPerson(server)
const visitor = createBrowser(server)
const keySet = createRemoteJWKSet(new URL(`${origin}/oauth2/jwks`))
const algorithms = ['RS256', 'ES256', 'EdDSA']

const verify = (jwt: string, audience: string, alg: string) =>
  jwtVerify(jwt, keySet, { issuer: origin, audience, algorithms: [alg] })

test.each(algorithms)('ID tokens are signed by %s where the app asks for it', async (alg) => {
  const app = await createApp(server, { idTokenAlg: alg })
  const { request, answer } = await authorize(visitor, app, person)
  const { payload } = await verify(answer.body.id_token ?? '', app.id, alg)
  expect(payload).toMatchObject({ sub: person.id, nonce: request.nonce })
  const next = await app.refresh(answer.body.refresh_token)
  expect((await verify(next.body.id_token ?? '', app.id, alg)).payload.sub).toBe(person.id)
})

describe('authorization responses (JARM)', async () => {
  const app = await createApp(server)
  await authorize(visitor, app, person)

  /** The one parameter that comes back. */
  async function respond(to: App, parameters: Record<string, string>, alg = 'RS256') {
    const request = to.begin(parameters)
    const page = await visitor.get(request.url)
    const { url } = page
    const answer = new URLSearchParams(url.split(/[?#]/)[1])
    expect([...answer.keys()]).toEqual(['response'])
    const { payload } = await verify(answer.get('response') ?? '', to.id, alg)
    return { request, payload, url, jwt: answer.get('response') ?? '' }
  }

  async function redeem(to: App, request: Request, payload: JWTPayload) {
    expect(payload.state).toBe(request.state)
    const answer = await to.redeem(request, String(payload.code))
    expect(answer.status).toBe(200)
  }

  test.each([
    ['jwt', '?'],
    ['query.jwt', '?'],
    ['fragment.jwt', '#'],
  ])('%s carries a code that works, in the part after %s', async (mode, separator) => {
    const { request, payload, url } = await respond(app, { response_mode: mode })
    expect(url.startsWith(`${app.redirectUri}${separator}response=`)).toBe(true)
    expect((payload.exp ?? 0) - Date.now() / 1000).toBeLessThan(600)
    await redeem(app, request, payload)
  })

  test('form_post.jwt posts it', async () => {
    const request = app.begin({ response_mode: 'form_post.jwt' })
    const page = await visitor.get(request.url)
    expect(page.body).toContain(`action="${app.redirectUri}"`)
    const jwt = /name="response" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
    const { payload } = await verify(jwt, app.id, 'RS256')
    await redeem(app, request, payload)
  })

  test.each(algorithms)('it is signed by %s where the app asks for it', async (alg) => {
    const own = await createApp(server, { authorizationAlg: alg })
    await authorize(visitor, own, person)
    const { request, payload } = await respond(own, { response_mode: 'jwt' }, alg)
    await redeem(own, request, payload)
  })

  test('errors come signed too', async () => {
    const stranger = await createApp(server)
    const { payload, request } = await respond(stranger, { response_mode: 'jwt', prompt: 'none' })
    expect(payload).toMatchObject({ error: 'consent_required', state: request.state, iss: origin })
    expect(payload.code).toBeUndefined()
  })

  test('an app may allow signed answers alone', async () => {
    const own = await createApp(server, { responseModes: ['jwt'] })
    for (const mode of [undefined, 'query', 'fragment', 'form_post', 'query.jwt']) {
      const page = await visitor.get(own.begin({ response_mode: mode }).url)
      const response = new URL(page.url).searchParams.get('response')
      const told = response ? JSON.stringify(decodeJwt(response)) : page.body + page.url
      expect(told).toContain('invalid_request')
      expect(page.url).not.toContain('/sign-in/')
    }
    const page = await walk(visitor, own.begin({ response_mode: 'jwt' }), person)
    expect(page.url).toContain('response=')
  })

  test('JW-02: it is neither an ID token hint nor an access token', async () => {
    const { jwt } = await respond(app, { response_mode: 'jwt' })
    expect((await app.userinfo(jwt)).status).toBe(401)
    expect((await app.introspect(jwt)).body).toEqual({ active: false })
    const page = await visitor.get(app.begin({ id_token_hint: jwt, prompt: 'none' }).url)
    expect(page.url).not.toContain('code=')
  })
})

describe('userinfo', () => {
  test.each(algorithms)('as a JWT signed by %s', async (alg) => {
    const app = await createApp(server, { userinfoAlg: alg })
    const { answer } = await authorize(visitor, app, person, { scope: 'openid email' })
    const { headers, body } = await app.userinfo(answer.body.access_token)
    expect(headers.get('content-type')).toMatch(/^application\/jwt/)
    const { payload } = await verify(String(body.text), app.id, alg)
    expect(payload).toMatchObject({ sub: person.id, email: person.email })
    expect(payload).not.toHaveProperty('name')
  })

  test('as JSON where nothing was asked', async () => {
    const app = await createApp(server)
    const { answer } = await authorize(visitor, app, person)
    expect((await app.userinfo(answer.body.access_token)).body.sub).toBe(person.id)
  })
})

describe('introspection as a JWT (RFC 9701)', () => {
  const signedType = 'application/token-introspection+jwt'

  const ask = (app: App, token: string | undefined, accept = signedType) =>
    app.post('introspect', { token }, { accept })

  async function open(app: App, jwt: unknown, alg: string) {
    expect(decodeProtectedHeader(String(jwt)).typ).toBe('token-introspection+jwt')
    const { payload } = await verify(String(jwt), app.id, alg)
    expect(payload).not.toHaveProperty('sub')
    expect(payload).not.toHaveProperty('exp')
    return payload.token_introspection as Record<string, unknown>
  }

  test.each(algorithms)('of an opaque token, by %s', async (alg) => {
    const app = await createApp(server, { introspectionAlg: alg })
    const { answer } = await authorize(visitor, app, person)
    const told = await ask(app, answer.body.access_token)
    expect(told.headers.get('content-type')).toContain(signedType)
    expect(await open(app, told.body.text, alg)).toMatchObject({
      active: true,
      client_id: app.id,
      sub: person.id,
    })
    const unknown = await ask(app, 'made up')
    expect(await open(app, unknown.body.text, alg)).toEqual({ active: false })
  })

  test('of a JWT access token, for its app and for a service of the API', async () => {
    const identifier = 'https://signed.example.com'
    await createApi(db, { identifier, scopes: ['read'] }, { actor: { kind: 'operator' } })
    const app = await createApp(server, { scope: 'openid read' })
    const service = await createApp(server, {
      preset: 'service',
      apis: [identifier],
      introspectionAlg: 'ES256',
    })
    const { request, code } = await obtainCode(visitor, app, person, {
      resource: identifier,
      scope: 'openid read',
    })
    const { body } = await app.redeem(request, code, { resource: identifier })
    for (const [by, alg] of [
      [app, 'RS256'],
      [service, 'ES256'],
    ] as const) {
      const told = await ask(by, body.access_token)
      expect(told.headers.get('content-type')).toContain(signedType)
      const answer = await open(by, told.body.text, alg)
      expect(answer).toMatchObject({ active: true, aud: identifier, sub: person.id })
    }
    const stranger = await createApp(server)
    const nothing = await ask(stranger, body.access_token)
    expect(await open(stranger, nothing.body.text, 'RS256')).toEqual({ active: false })
  })

  test('only who asks for it gets it', async () => {
    const app = await createApp(server, { introspectionAlg: 'ES256' })
    const { answer } = await authorize(visitor, app, person)
    for (const accept of ['application/json', '*/*']) {
      expect((await ask(app, answer.body.access_token, accept)).body.active).toBe(true)
    }
  })

  test('it is no access token', async () => {
    const app = await createApp(server)
    const { answer } = await authorize(visitor, app, person)
    const told = await ask(app, answer.body.access_token)
    const jwt = String(told.body.text)
    expect(decodeJwt(jwt)).not.toHaveProperty('scope')
    expect((await app.userinfo(jwt)).status).toBe(401)
    expect((await app.introspect(jwt)).body).toEqual({ active: false })
  })
})

test('TK-15: an app without a secret or key learns nothing at introspection', async () => {
  const app = await createApp(server, { preset: 'spa' })
  const { answer } = await authorize(visitor, app, person)
  const told = await app.introspect(answer.body.access_token)
  expect([told.status, told.body.error]).toEqual([401, 'invalid_client'])
  expect(told.body).not.toHaveProperty('active')
})
