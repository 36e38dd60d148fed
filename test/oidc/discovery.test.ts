/**
 * OI-12: what discovery promises works, and what it does not promise is refused. Each member of the document has its check here;
 * whoever adds a member adds its check.
 */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect, test } from 'vitest'
import type { ClientInput } from '../../src/clients/create-client.ts'
import { createClient } from '../../src/clients/create-client.ts'
import { authMethods } from '../../src/clients/metadata.ts'
import { addMetadataHost } from '../../src/clients/metadata-hosts.ts'
import { deliveryModes } from '../../src/clients/rules/backchannel.ts'
import { responseModes } from '../../src/clients/rules/requests.ts'
import { ourAlgorithms, theirAlgorithms } from '../../src/clients/rules/signatures.ts'
import { createClientCheck } from '../../src/oidc/validate-client.ts'
import { makeAuthority, makeCertificate } from '../support/certificates.ts'
import { createKey, createProver, signRequest } from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { call, makeToken } from '../support/registration.ts'
import { type Answer, type App, createApp, type Ways } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({
  env: {
    CLIENT_CERT_HEADER: 'x-client-cert',
    MTLS_ORIGIN: 'https://mtls.example.com',
    TRUSTED_PROXIES: '127.0.0.0/8,::1',
  },
})
const { origin } = server
const { db } = server.database
const person = await createPerson(server, { roles: ['staff'], locale: 'en' })
await db
  .updateTable('accounts')
  .set({
    pictureUrl: 'https://example.org/me.png',
    zoneinfo: 'Europe/Berlin',
    address: JSON.stringify({ country: '中国' }),
    phoneNumber: '+8613800138000',
  })
  .where('id', '=', person.id)
  .execute()
const visitor = createBrowser(server)
const app = await createApp(server)
await authorize(visitor, app, person)

// Both are promised only while an admin has opened them.
await makeToken(server)
await addMetadataHost(
  db,
  { host: '127.0.0.1:1', scopes: ['openid'], apis: [] },
  { actor: { kind: 'operator' } },
)
await new Promise((resolve) => setTimeout(resolve, 1500))

type Metadata = Record<string, unknown> & {
  token_endpoint_auth_methods_supported: string[]
  id_token_signing_alg_values_supported: string[]
}

const read = async (name: string) =>
  (await (await fetch(`${origin}/.well-known/${name}`)).json()) as Metadata
const metadata = await read('openid-configuration')

/** The engine judges as well as we do. */
async function isRefused(input: Partial<ClientInput>): Promise<boolean> {
  const made = await createClient(
    db,
    {
      name: `Refused ${Math.random()}`,
      preset: 'generic',
      appUrl: 'https://a.example.com',
      ...input,
    },
    { actor: { kind: 'operator' }, engineCheck: createClientCheck(origin) },
  )
  return !made.ok
}

const authority = makeAuthority()
const made = makeCertificate({ subject: [['CN', 'app']], issuer: authority })
const jwk = made.certificate.publicKey.export({ format: 'jwk' })
const send: typeof fetch = (url, init) =>
  fetch(url, {
    ...init,
    headers: {
      ...(init?.headers as Record<string, string>),
      'x-client-cert': encodeURIComponent(made.cert),
    },
  })

/** An app that proves itself in this way. */
async function appBy(method: string): Promise<App> {
  const ways: Record<string, [Partial<ClientInput>, Ways]> = {
    client_secret_basic: [{ preset: 'web', authMethod: method }, {}],
    client_secret_post: [{ preset: 'web', authMethod: method }, {}],
    private_key_jwt: [{}, { key: await createKey() }],
    tls_client_auth: [
      { authMethod: method, tlsSubjectDn: 'CN=app', certificateAuthorities: authority.cert },
      { send },
    ],
    self_signed_tls_client_auth: [
      {
        authMethod: method,
        jwks: { keys: [{ ...jwk, x5c: [made.certificate.raw.toString('base64')] }] },
      },
      { send },
    ],
    none: [{ preset: 'spa' }, {}],
  }
  const [input, way] = ways[method] ?? expect.fail(`no way to prove oneself by ${method}`)
  return createApp(server, input, way)
}

async function exists(path: unknown): Promise<void> {
  expect(String(path).startsWith(`${origin}/`)).toBe(true)
  expect((await fetch(String(path), { method: 'POST', redirect: 'manual' })).status).not.toBe(404)
}

const isTrue = (value: unknown) => expect(value).toBe(true)
const elsewhere = (_value: unknown) => undefined

const algorithmsRefused = (given: string[], setting: keyof ClientInput, more = {}) =>
  Promise.all(
    ['none', 'HS256', 'RS384', 'RS512', 'PS384', 'ES384', 'ES512', 'ES256K', 'PS256']
      .filter((alg) => !given.includes(alg))
      .map(async (alg) =>
        expect([alg, await isRefused({ [setting]: alg, ...more })]).toEqual([alg, true]),
      ),
  )

async function provesItself(method: string, act: (by: App) => Promise<Answer>): Promise<void> {
  const { status, body } = await act(await appBy(method))
  expect([method, status, body.error]).toEqual([method, 200, undefined])
}

async function refusesOthers(methods: string[]): Promise<void> {
  const others = ['client_secret_jwt', 'attest_jwt_client_auth', 'made_up']
  for (const authMethod of others.filter((method) => !methods.includes(method))) {
    expect([authMethod, await isRefused({ authMethod })]).toEqual([authMethod, true])
  }
}

/** Where a request leads: `code`, or the name of the error. */
async function outcome(parameters: Record<string, string | undefined>, by = app): Promise<string> {
  const page = await visitor.get(by.begin(parameters).url)
  if (page.url.includes('/sign-in/')) return 'page'
  const answer = new URLSearchParams(page.url.split(/[?#]/)[1] ?? '')
  const response = answer.get('response') ?? /name="response" value="([^"]+)"/.exec(page.body)?.[1]
  const claims = response ? decodeJwt(response) : Object.fromEntries(answer)
  if (claims.code || /name="code" value=/.test(page.body)) return 'code'
  return String(claims.error ?? /invalid_\w+|unsupported_\w+/.exec(page.body)?.[0])
}

const checks: Record<string, (value: never) => unknown> = {
  issuer: (value: string) => expect(value).toBe(origin),
  authorization_endpoint: exists,
  token_endpoint: exists,
  userinfo_endpoint: exists,
  introspection_endpoint: exists,
  revocation_endpoint: exists,
  pushed_authorization_request_endpoint: exists,
  end_session_endpoint: exists,
  async device_authorization_endpoint(endpoint: string) {
    expect(endpoint).toBe(`${origin}/oauth2/device`)
    const device = await createApp(server, { preset: 'device' })
    expect((await device.post('device', { scope: 'openid' })).status).toBe(200)
  },
  async backchannel_authentication_endpoint(endpoint: string) {
    expect(endpoint).toBe(`${origin}/oauth2/bc-authorize`)
    const asking = await createApp(server, { preset: 'ciba' })
    const asked = await asking.post('bc-authorize', {
      scope: 'openid',
      login_hint: person.username,
    })
    expect(asked.status).toBe(200)
  },
  async registration_endpoint(value: string) {
    const { status, body } = await call('POST', value, undefined, {})
    expect([status, body.error]).toEqual([401, 'invalid_token'])
  },
  async jwks_uri(value: string) {
    const { keys } = (await (await fetch(value)).json()) as { keys: Record<string, unknown>[] }
    const algs = new Set(keys.map(({ alg }) => alg))
    expect([...algs].toSorted()).toEqual(metadata.id_token_signing_alg_values_supported.toSorted())
  },

  async response_types_supported(given: string[]) {
    for (const response_type of given) expect(await outcome({ response_type })).toBe('code')
    const others = [
      'token',
      'id_token',
      'code token',
      'code id_token',
      'id_token token',
      'none',
      'made-up',
    ]
    for (const response_type of others) {
      expect([response_type, await outcome({ response_type })]).toEqual([
        response_type,
        'unsupported_response_type',
      ])
    }
  },
  async response_modes_supported(given: string[]) {
    expect(given.toSorted()).toEqual([...responseModes].toSorted())
    for (const response_mode of given) {
      expect([response_mode, await outcome({ response_mode })]).toEqual([response_mode, 'code'])
    }
    for (const response_mode of ['web_message', 'web_message.jwt', 'made-up']) {
      expect(await outcome({ response_mode })).toBe('unsupported_response_mode')
      expect(await isRefused({ responseModes: [response_mode] })).toBe(true)
    }
  },
  async grant_types_supported(given: string[]) {
    const known = await createApp(server, { preset: 'service' })
    const others = [
      'password',
      'implicit',
      'made-up',
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:openid:params:grant-type:ciba',
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'urn:ietf:params:oauth:grant-type:saml2-bearer',
      'urn:ietf:params:oauth:grant-type:pre-authorized_code',
    ]
    for (const grant_type of [...given, ...others.filter((each) => !given.includes(each))]) {
      const { body } = await known.post('token', { grant_type })
      const unsupported = body.error === 'unsupported_grant_type'
      expect([grant_type, unsupported]).toEqual([grant_type, !given.includes(grant_type)])
    }
    const { answer } = await authorize(visitor, app, person)
    expect((await app.refresh(answer.body.refresh_token)).status).toBe(200)
    expect((await known.post('token', { grant_type: 'client_credentials' })).status).toBe(200)
  },
  async scopes_supported(given: string[]) {
    const scope = given.join(' ')
    const all = await createApp(server, { scope })
    const { answer } = await authorize(visitor, all, person, { scope })
    expect(answer.body.scope?.split(' ')).toEqual(expect.arrayContaining(given))
    for (const scope of ['admin', 'address', 'phone', 'made-up'].filter(
      (each) => !given.includes(each),
    )) {
      const other = await authorize(visitor, app, person, { scope: `openid ${scope}` })
      expect(other.answer.body.scope).toBe('openid')
    }
  },
  async prompt_values_supported(given: string[]) {
    for (const prompt of given) {
      expect([prompt, await outcome({ prompt })]).toEqual([
        prompt,
        prompt === 'none' ? 'code' : 'page',
      ])
    }
    for (const prompt of ['create', 'select', 'none login', 'LOGIN', 'made-up']) {
      if (!given.includes(prompt)) expect(await outcome({ prompt })).toBe('invalid_request')
    }
  },
  claim_types_supported: (given: string[]) => expect(given).toEqual(['normal']),
  async claims_supported(given: string[]) {
    const wanted = Object.fromEntries([...given, 'made_up'].map((name) => [name, null]))
    const all = await createApp(server, {
      scope: (metadata.scopes_supported as string[]).join(' '),
    })
    const { answer } = await authorize(visitor, all, person, {
      claims: JSON.stringify({ id_token: wanted, userinfo: wanted }),
    })
    const told = {
      ...decodeJwt(answer.body.id_token ?? ''),
      ...(await all.userinfo(answer.body.access_token)).body,
    }
    // Sessions are named to apps that are told of their end; the others have their own tests.
    // An app is told its settings of people of whom it has some.
    const later = ['sid', 'acr', 'birthdate', 'website', 'service_settings']
    expect(Object.keys(told)).toEqual(
      expect.arrayContaining(given.filter((name) => !later.includes(name))),
    )
    expect(told).not.toHaveProperty('made_up')
  },
  claims_parameter_supported: isTrue,
  async subject_types_supported(given: string[]) {
    for (const subjectType of given as ('public' | 'pairwise')[]) {
      expect((await createApp(server, { subjectType })).id).toBeTruthy()
    }
    expect(await isRefused({ subjectType: 'made-up' as 'public' })).toBe(true)
  },
  async code_challenge_methods_supported(given: string[]) {
    expect(given).toEqual(['S256'])
    expect(await outcome({ code_challenge_method: 'plain' })).toBe('invalid_request')
  },
  authorization_response_iss_parameter_supported: isTrue,
  async request_uri_parameter_supported(value: boolean) {
    expect(value).toBe(false)
    const request_uri = 'https://app.example.com/request.jwt'
    const page = await visitor.get(app.begin({ request_uri }).url)
    expect(page.url + page.body).toContain('request_uri_not_supported')
  },
  request_parameter_supported: isTrue,
  async ui_locales_supported(given: string[]) {
    for (const locale of given) {
      const page = await createBrowser(server).get(app.begin({ ui_locales: locale }).url)
      expect(page.body).toContain(`<html lang="${locale}"`)
    }
  },

  async token_endpoint_auth_methods_supported(given: string[]) {
    expect(given.toSorted()).toEqual([...authMethods].toSorted())
    for (const method of given) {
      const by = await appBy(method)
      const { answer } = await authorize(visitor, by, person)
      expect([method, answer.status]).toEqual([method, 200])
      expect((await by.refresh(answer.body.refresh_token)).status).toBe(200)
    }
    await refusesOthers(given)
  },
  async introspection_endpoint_auth_methods_supported(given: string[]) {
    for (const method of given) await provesItself(method, (by) => by.introspect('x'))
    for (const method of authMethods.filter((each) => !given.includes(each))) {
      expect((await (await appBy(method)).introspect('x')).status).toBe(401)
    }
  },
  async revocation_endpoint_auth_methods_supported(given: string[]) {
    for (const method of given) await provesItself(method, (by) => by.revoke('x'))
  },
  async token_endpoint_auth_signing_alg_values_supported(given: string[]) {
    expect(given.toSorted()).toEqual([...theirAlgorithms].toSorted())
    for (const alg of given) {
      const by = await createApp(server, { authAlg: alg }, { key: await createKey(alg) })
      expect((await by.introspect('x')).status).toBe(200)
    }
    const { publicJwk } = await createKey()
    await algorithmsRefused(given, 'authAlg', {
      authMethod: 'private_key_jwt',
      jwks: { keys: [publicJwk] },
    })
    for (const alg of ['ES384', 'RS512', 'PS384']) {
      const by = await createApp(server, {}, { key: await createKey(alg) })
      expect([alg, (await by.introspect('x')).status]).toEqual([alg, 401])
    }
  },
  introspection_endpoint_auth_signing_alg_values_supported: (given: string[]) =>
    expect(given).toEqual(metadata.token_endpoint_auth_signing_alg_values_supported),
  revocation_endpoint_auth_signing_alg_values_supported: (given: string[]) =>
    expect(given).toEqual(metadata.token_endpoint_auth_signing_alg_values_supported),

  async id_token_signing_alg_values_supported(given: string[]) {
    expect(given.toSorted()).toEqual([...ourAlgorithms].toSorted())
    for (const alg of given) {
      const { answer } = await authorize(
        visitor,
        await createApp(server, { idTokenAlg: alg }),
        person,
      )
      expect(decodeProtectedHeader(answer.body.id_token ?? '').alg).toBe(alg)
    }
    await algorithmsRefused(given, 'idTokenAlg')
  },
  async userinfo_signing_alg_values_supported(given: string[]) {
    for (const alg of given) {
      const by = await createApp(server, { userinfoAlg: alg })
      const { answer } = await authorize(visitor, by, person)
      const { body } = await by.userinfo(answer.body.access_token)
      expect(decodeProtectedHeader(String(body.text)).alg).toBe(alg)
    }
    await algorithmsRefused(given, 'userinfoAlg')
  },
  async introspection_signing_alg_values_supported(given: string[]) {
    for (const alg of given) {
      const by = await createApp(server, { introspectionAlg: alg })
      const accept = 'application/token-introspection+jwt'
      const { body } = await by.post('introspect', { token: 'x' }, { accept })
      expect(decodeProtectedHeader(String(body.text)).alg).toBe(alg)
    }
    await algorithmsRefused(given, 'introspectionAlg')
  },
  async authorization_signing_alg_values_supported(given: string[]) {
    for (const alg of given) {
      const by = await createApp(server, { authorizationAlg: alg })
      const page = await visitor.get(by.begin({ response_mode: 'jwt', prompt: 'none' }).url)
      const response = new URL(page.url).searchParams.get('response') ?? ''
      expect(decodeProtectedHeader(response).alg).toBe(alg)
    }
    await algorithmsRefused(given, 'authorizationAlg')
  },
  async request_object_signing_alg_values_supported(given: string[]) {
    const key = await createKey('ES384')
    const by = await createApp(server, { jwks: { keys: [key.publicJwk] } })
    const request = by.begin()
    const object = await signRequest(key, { clientId: by.id, audience: origin }, request.parameters)
    expect((await by.post('par', { request: object })).body.error).toBe('invalid_request_object')
    await algorithmsRefused(given, 'requestObjectAlg', { jwks: { keys: [key.publicJwk] } })
    for (const alg of given) {
      const own = await createKey(alg)
      const signing = await createApp(server, {
        requestObjectAlg: alg,
        jwks: { keys: [own.publicJwk] },
      })
      const { parameters } = signing.begin()
      const good = await signRequest(own, { clientId: signing.id, audience: origin }, parameters)
      expect((await signing.post('par', { request: good })).status).toBe(201)
    }
  },
  async dpop_signing_alg_values_supported(given: string[]) {
    const url = `${origin}/oauth2/token`
    for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA', 'ES384', 'RS512', 'PS384', 'ES512']) {
      const dpop = await (await createProver(alg)).prove({ method: 'POST', url })
      const { body } = await app.refresh('x', {}, { dpop })
      const expected = given.includes(alg) ? 'invalid_grant' : 'invalid_dpop_proof'
      expect([alg, body.error]).toEqual([alg, expected])
    }
  },
  tls_client_certificate_bound_access_tokens: isTrue,
  mtls_endpoint_aliases(aliases: Record<string, string>) {
    for (const [name, alias] of Object.entries(aliases)) {
      expect(alias).toBe(String(metadata[name]).replace(origin, 'https://mtls.example.com'))
    }
  },

  // Proven where they are at home.
  backchannel_logout_supported: isTrue,
  backchannel_logout_session_supported: isTrue,
  frontchannel_logout_supported: isTrue,
  frontchannel_logout_session_supported: isTrue,
  acr_values_supported: elsewhere,
  authorization_details_types_supported: elsewhere,
  authorization_challenge_endpoint: exists,
  async backchannel_token_delivery_modes_supported(given: string[]) {
    expect(given).toEqual([...deliveryModes])
    const backchannelNotificationEndpoint = 'https://app.example.com/ping'
    for (const backchannelDelivery of [...given, 'push', 'made-up']) {
      const ping = backchannelDelivery === 'ping' ? { backchannelNotificationEndpoint } : {}
      expect(await isRefused({ preset: 'ciba', backchannelDelivery, ...ping })).toBe(
        !given.includes(backchannelDelivery),
      )
    }
  },
  backchannel_user_code_parameter_supported: (value: boolean) => expect(value).toBe(false),
  async backchannel_authentication_request_signing_alg_values_supported(given: string[]) {
    expect(given.toSorted()).toEqual([...theirAlgorithms].toSorted())
    for (const alg of given) {
      const key = await createKey(alg)
      const signing = await createApp(server, {
        preset: 'ciba',
        backchannelRequestAlg: alg,
        jwks: { keys: [key.publicJwk] },
      })
      const { username: login_hint } = person
      const asked = new URLSearchParams({ scope: 'openid', login_hint, jti: 'once' })
      const request = await signRequest(key, { clientId: signing.id, audience: origin }, asked)
      expect([alg, (await signing.post('bc-authorize', { request })).status]).toEqual([alg, 200])
    }
    const { publicJwk } = await createKey()
    await algorithmsRefused(given, 'backchannelRequestAlg', {
      preset: 'ciba',
      jwks: { keys: [publicJwk] },
    })
  },
  async client_id_metadata_document_supported(value: boolean) {
    expect(value).toBe(true)
    const about = async (host: string) =>
      (await visitor.get(app.begin({ client_id: `https://${host}/agent.json` }).url)).body
    expect(await about('127.0.0.1:1')).toContain('metadata document cannot be fetched')
    expect(await about('127.0.0.1:2')).not.toContain('metadata document')
  },
  protected_resources: elsewhere,
}

describe('every promise is kept, and nothing else is taken', () => {
  test.each(Object.keys(metadata))('%s', { timeout: 60_000 }, async (name) => {
    const check = checks[name] ?? expect.fail('a new member: add its check to this test')
    await check(metadata[name] as never)
  })
})

test('JW-07: no promise of an algorithm that is none, shared or broken', () => {
  const promised = Object.entries(metadata)
    .filter(([name]) => /_(alg|enc)_values_supported$/.test(name))
    .flatMap(([, values]) => values as string[])
  expect(promised.length).toBeGreaterThan(20)
  expect(promised.filter((alg) => /^(none|HS|RSA1_5|RSA-OAEP$|dir)/.test(alg))).toEqual([])
})

test('OI-13: there is no session iframe, no session management', () => {
  expect(Object.keys(metadata)).not.toContain('check_session_iframe')
})

test('both documents say the same, for the same time', async () => {
  expect(await read('oauth-authorization-server')).toEqual(metadata)
  const [one, two] = await Promise.all(
    ['openid-configuration', 'oauth-authorization-server'].map(
      async (name) => (await fetch(`${origin}/.well-known/${name}`)).headers,
    ),
  )
  expect(one?.get('cache-control')).toBe('public, max-age=300')
  expect(one?.get('etag')).toBe(two?.get('etag'))
})

test('where no certificate can come, none is promised, and who needs one is refused', async () => {
  const plain = await startTestServer()
  const response = await fetch(`${plain.origin}/.well-known/openid-configuration`)
  const promised = (await response.json()) as Metadata
  expect(promised.token_endpoint_auth_methods_supported).not.toContain('tls_client_auth')
  expect(promised).not.toHaveProperty('mtls_endpoint_aliases')
  const bound = await createApp(plain, { preset: 'service', certificateBound: true })
  const { status } = await bound.post('token', { grant_type: 'client_credentials' })
  expect(status).toBe(400)
})
