/**
 * The confusion matrix of JWTs (RFC 8725 §2.8): every kind that we sign and every kind that an app signs, at every place
 * that takes one. The app signs all of its own with one key, and everything of ours is for it, so that only the kind
 * differs. Each place takes its own kind and nothing else.
 */
import { randomUUID } from 'node:crypto'
import { decodeProtectedHeader } from 'jose'
import { describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { getClient } from '../../src/clients/clients.ts'
import { allowExchange } from '../../src/clients/exchanges.ts'
import { createIssuer } from '../../src/clients/issuers.ts'
import { createKey, createProver, now, signAssertion, signRequest } from '../support/client-keys.ts'
import { createForger } from '../support/forged-tokens.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { createApp, type Parameters } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const operator = { actor: { kind: 'operator' } } as const
const api = 'https://api.example.com'
const partner = 'https://partner.example.com'
const grant = 'urn:ietf:params:oauth:grant-type:'
const tokenType = 'urn:ietf:params:oauth:token-type:'

await createApi(db, { identifier: api, scopes: ['read'] }, operator)
const key = await createKey()
const prover = await createProver()
const app = await createApp(
  server,
  {
    apis: [api],
    idTokenAlg: 'ES256',
    userinfoAlg: 'ES256',
    introspectionAlg: 'ES256',
    authorizationAlg: 'ES256',
    requestObjectAlg: 'ES256',
  },
  { key },
)
const asking = await createApp(server, { preset: 'ciba', idTokenAlg: 'ES256' })
const client = await getClient(db, app.id)
for (const audience of [api, app.id]) {
  const allowed = await allowExchange(db, { client, audience, mode: 'delegation' }, operator)
  expect(allowed.ok).toBe(true)
}
const trusted = await createIssuer(
  db,
  {
    issuer: partner,
    jwks: { keys: [key.publicJwk] },
    algorithms: ['ES256'],
    subject: 'account',
    scopes: ['read', 'openid'],
    maxLifetimeSeconds: 300,
    clients: [client],
  },
  operator,
)
expect(trusted.ok).toBe(true)
// The running server knows within a second.
await new Promise((resolve) => setTimeout(resolve, 1500))

const person = await createPerson(server)
const visitor = createBrowser(server)
const forger = await createForger(server)
const granted = (await authorize(visitor, app, person)).answer.body
const forAsking = (await authorize(visitor, app, person)).answer.body
const idToken = String(granted.id_token)

const text = (body: Record<string, unknown>) => String(body.text)
const accessTokenForApi = async () => {
  const asked = { resource: api, scope: 'openid read' }
  const { request, code } = await obtainCode(visitor, app, person, asked)
  return String((await app.redeem(request, code, { resource: api })).body.access_token)
}

/** A new one each time, since many are good once. */
const kinds = {
  'ID token': async () => idToken,
  'access token of an API': accessTokenForApi,
  'answer of userinfo': async () => text((await app.userinfo(granted.access_token)).body),
  'answer of introspection': async () => {
    const accept = 'application/token-introspection+jwt'
    return text(
      (await app.post('introspect', { token: await accessTokenForApi() }, { accept })).body,
    )
  },
  'signed answer of an authorization request': async () => {
    const page = await visitor.get(app.begin({ response_mode: 'jwt', prompt: 'none' }).url)
    return new URL(page.url).searchParams.get('response') ?? ''
  },
  'logout token': () =>
    forger.resigned(
      idToken,
      {
        nonce: undefined,
        jti: randomUUID(),
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      },
      { typ: 'logout+jwt' },
    ),
  'client assertion': () => signAssertion(key, { clientId: app.id, audience: origin }),
  'request object': () =>
    signRequest(key, { clientId: app.id, audience: origin }, app.begin().parameters, {
      jti: randomUUID(),
    }),
  'assertion of a trusted issuer': () =>
    key.sign({
      iss: partner,
      sub: person.id,
      aud: origin,
      jti: randomUUID(),
      iat: now(),
      exp: now() + 60,
    }),
  'proof of possession': () => prover.prove({ method: 'POST', url: `${origin}/oauth2/token` }),
} satisfies Record<string, () => Promise<string>>
type Kind = keyof typeof kinds

const exchange = (fields: Parameters) =>
  app.post('token', { grant_type: `${grant}token-exchange`, audience: app.id, ...fields })
const succeeds = async (answer: Promise<{ status: number }>) => (await answer).status < 300

/** What each takes, and whether it took this one. */
const places: Record<string, { takes: Kind[]; took(token: string): Promise<boolean> }> = {
  'userinfo, as a bearer token': {
    takes: [],
    took: (token) => succeeds(app.userinfo(token)),
  },
  introspection: {
    takes: ['access token of an API'],
    took: async (token) => (await app.introspect(token)).body.active === true,
  },
  'id_token_hint of an authorization request': {
    takes: ['ID token'],
    took: async (token) => {
      const { url } = app.begin({ id_token_hint: token, prompt: 'none' })
      return (await visitor.get(url)).url.includes('code=')
    },
  },
  'id_token_hint of a sign-out': {
    takes: ['ID token'],
    took: (token) => succeeds(createBrowser(server).get(app.logoutUrl({ id_token_hint: token }))),
  },
  'id_token_hint of a question by the backchannel': {
    // Only of the app that asks: this one was given to another.
    takes: [],
    took: (token) =>
      succeeds(asking.post('bc-authorize', { scope: 'openid', id_token_hint: token })),
  },
  'subject token, as an access token': {
    takes: ['access token of an API'],
    took: (token) =>
      succeeds(
        exchange({
          subject_token: token,
          subject_token_type: `${tokenType}access_token`,
          audience: api,
        }),
      ),
  },
  'subject token, as an ID token': {
    takes: ['ID token'],
    took: (token) =>
      succeeds(exchange({ subject_token: token, subject_token_type: `${tokenType}id_token` })),
  },
  'subject token, as a JWT': {
    takes: [],
    took: (token) =>
      succeeds(exchange({ subject_token: token, subject_token_type: `${tokenType}jwt` })),
  },
  'actor token, as an access token': {
    takes: ['access token of an API'],
    took: (token) =>
      succeeds(
        exchange({
          subject_token: forAsking.access_token,
          subject_token_type: `${tokenType}access_token`,
          actor_token: token,
          actor_token_type: `${tokenType}access_token`,
        }),
      ),
  },
  'assertion as a grant': {
    takes: ['assertion of a trusted issuer'],
    took: (token) =>
      succeeds(app.post('token', { grant_type: `${grant}jwt-bearer`, assertion: token })),
  },
  'client assertion': {
    takes: ['client assertion'],
    took: (token) => succeeds(app.post('introspect', { token: 'x', client_assertion: token })),
  },
  'request object': {
    takes: ['request object'],
    took: (token) => succeeds(app.post('par', { request: token })),
  },
  'DPoP header': {
    takes: ['proof of possession'],
    took: async (dpop) => (await app.refresh('x', {}, { dpop })).body.error === 'invalid_grant',
  },
  'refresh token': { takes: [], took: (token) => succeeds(app.refresh(token)) },
  code: { takes: [], took: (token) => succeeds(app.redeem(app.begin(), token)) },
  'token to register with': {
    takes: [],
    took: (token) =>
      succeeds(
        fetch(`${origin}/oauth2/register`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ redirect_uris: ['https://a.example.com/cb'] }),
        }),
      ),
  },
}

test('each kind is what its name says', async () => {
  for (const [kind, make] of Object.entries(kinds)) {
    expect([kind, decodeProtectedHeader(await make()).alg]).toEqual([kind, 'ES256'])
  }
})

describe.each(Object.keys(kinds) as Kind[])('JW-01, JW-02: %s', (kind) => {
  test.each(Object.keys(places))('at: %s', async (name) => {
    const place = places[name] ?? expect.fail()
    expect(await place.took(await kinds[kind]())).toBe(place.takes.includes(kind))
  })
})
