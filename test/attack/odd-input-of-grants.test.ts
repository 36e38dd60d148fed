/**
 * DS-13, DS-04, IN-02, IN-03: what no honest program sends to the endpoints of devices, questions, native sign-ins,
 * exchanges, assertions, details and registration. Each field takes each odd value; nothing is a fault of ours.
 */
import { describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { getClient } from '../../src/clients/clients.ts'
import { allowExchange } from '../../src/clients/exchanges.ts'
import { createIssuer } from '../../src/clients/issuers.ts'
import { createKey, createProver, now } from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { call, makeToken } from '../support/registration.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const operator = { actor: { kind: 'operator' } } as const
const api = 'https://api.example.com'
const urn = 'urn:ietf:params:oauth:'
const schema = {
  type: 'object',
  properties: { note: { type: 'string' }, actions: { type: 'array', items: { type: 'string' } } },
}
const authorizationType = { name: 'note_share', schema }
await createApi(db, { identifier: api, scopes: ['read'], authorizationType }, operator)
const key = await createKey()
const web = await createApp(server, { apis: [api] })
const device = await createApp(server, { preset: 'device', apis: [api] })
const asking = await createApp(server, {
  preset: 'ciba',
  apis: [api],
  jwks: { keys: [key.publicJwk] },
})
const native = await createApp(server, { firstParty: true, authorizationChallenge: true })
const client = await getClient(db, web.id)
await allowExchange(db, { client, audience: api, mode: 'delegation' }, operator)
await createIssuer(
  db,
  {
    issuer: 'https://partner.example.com',
    jwks: { keys: [key.publicJwk] },
    algorithms: ['ES256'],
    subject: 'email',
    scopes: ['read'],
    maxLifetimeSeconds: 300,
    clients: [client],
  },
  operator,
)
const initial = await makeToken(server)
await new Promise((resolve) => setTimeout(resolve, 1500))
const person = await createPerson(server)
const granted = (await authorize(createBrowser(server), web, person)).answer.body

const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`
const odd = [
  ...['', ' ', '\u0000', '\ud800', '%', "'; drop table accounts --", '__proto__', 'null', '-1'],
  ...['1e309', '{}', '[]', '[null]', '[[]]', '{"__proto__":{"a":1}}', deep, 'a.b.c', '...', '中'],
  ...['urn:x', 'javascript:alert(1)', 'x'.repeat(20_000), '\u202e', '🦉'.repeat(500)],
  ...['[{"type":"note_share","locations":"x"}]', '[{"type":"note_share","actions":[[]]}]'],
  ...['[{"type":"note_share","__proto__":{"note":1}}]', '[{"type":"constructor"}]'],
]
const survived = async (what: string, answer: Promise<{ status: number }>) => {
  const { status } = await answer
  expect([what, status < 500 && status >= 200, status]).toEqual([what, true, status])
}

const requests: Record<
  string,
  { fields: Record<string, string>; send(all: object): Promise<{ status: number }> }
> = {
  device: {
    fields: {
      scope: 'openid',
      resource: api,
      authorization_details: '',
      code_challenge: '',
      claims: '',
      acr_values: '',
    },
    send: (all) => device.post('device', all as never),
  },
  'bc-authorize': {
    fields: {
      ...{
        scope: 'openid',
        login_hint: person.username,
        binding_message: 'x',
        requested_expiry: '60',
      },
      ...{ resource: api, authorization_details: '', claims: '', acr_values: '', user_code: '' },
      ...{ id_token_hint: '', login_hint_token: '', request: '', client_notification_token: '' },
    },
    send: (all) => asking.post('bc-authorize', all as never),
  },
  'authorize-challenge': {
    fields: {
      ...{ response_type: 'code', scope: 'openid', code_challenge: 'a'.repeat(43) },
      ...{ code_challenge_method: 'S256', username: '', password: '', auth_session: '', nonce: '' },
      ...{ max_age: '', acr_values: '', resource: '', login_hint: '' },
    },
    send: (all) => native.post('authorize-challenge', all as never),
  },
  'an exchange': {
    fields: {
      grant_type: `${urn}grant-type:token-exchange`,
      ...{
        subject_token: String(granted.access_token),
        audience: api,
        resource: api,
        scope: 'read',
      },
      ...{ subject_token_type: `${urn}token-type:access_token`, requested_token_type: '' },
      ...{ actor_token: '', actor_token_type: '' },
    },
    send: (all) => web.post('token', all as never),
  },
  'an assertion': {
    fields: {
      grant_type: `${urn}grant-type:jwt-bearer`,
      assertion: 'x',
      scope: 'read',
      resource: api,
    },
    send: (all) => web.post('token', all as never),
  },
  'a device that asks': {
    fields: { grant_type: `${urn}grant-type:device_code`, device_code: 'x', code_verifier: 'x' },
    send: (all) => device.post('token', all as never),
  },
  'an app that asks about a question': {
    fields: { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: 'x' },
    send: (all) => asking.post('token', all as never),
  },
  'details, pushed': {
    fields: {
      ...Object.fromEntries(web.begin().parameters),
      authorization_details: '',
      resource: api,
    },
    send: (all) => web.post('par', all as never),
  },
}

describe.each(Object.entries(requests))('%s', (name, { fields, send }) => {
  test.each(Object.keys(fields))('with an odd %s', { timeout: 30_000 }, async (field) => {
    const whole = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''))
    for (const value of odd) {
      const text = value.isWellFormed() ? value : '\ufffd'
      await survived(`${name} ${field}=${text.slice(0, 40)}`, send({ ...whole, [field]: text }))
    }
  })
})

test('assertions and proofs whose members are of other types', { timeout: 60_000 }, async () => {
  const good = {
    iss: 'https://partner.example.com',
    sub: 'x',
    aud: origin,
    jti: 'j',
    iat: now(),
    exp: now() + 60,
  }
  const values = [null, true, -1, 1e308, '', [], {}, ['a', {}], { __proto__: 1 }, 'x'.repeat(5000)]
  for (const name of [...Object.keys(good), 'email', 'email_verified', 'nbf', 'cnf', 'act']) {
    for (const value of values) {
      const assertion = await key.sign({ ...good, [name]: value }).catch(() => undefined)
      const fields = { grant_type: `${urn}grant-type:jwt-bearer`, assertion }
      if (assertion) await survived(`${name} ${JSON.stringify(value)}`, web.post('token', fields))
    }
  }
  const prover = await createProver()
  for (const name of ['htm', 'htu', 'jti', 'iat', 'nonce', 'ath']) {
    for (const value of values) {
      const proven = { method: 'POST', url: `${origin}/oauth2/authorize-challenge` }
      const dpop = await prover.prove(proven, { [name]: value }).catch(() => undefined)
      if (!dpop) continue
      const headers = { dpop }
      await survived(
        `proof ${name}`,
        native.post('authorize-challenge', { scope: 'openid' }, headers),
      )
    }
  }
})

test('registrations whose members are of other types, deep, many or long', {
  timeout: 60_000,
}, async () => {
  const good = {
    redirect_uris: ['https://a.example.com/cb'],
    ...{ client_name: 'A', scope: 'openid', grant_types: ['authorization_code'] },
    ...{ jwks: { keys: [key.publicJwk] }, default_acr_values: ['1fa'], contacts: ['a@b.example'] },
    ...{
      token_endpoint_auth_method: 'none',
      default_max_age: 5,
      logo_uri: 'https://a.example.com/l',
    },
    ...{ 'client_name#de': 'A', software_statement: 'a.b.c', sector_identifier_uri: 'https://a.b' },
    ...{ authorization_details_types: ['note_share'], tls_client_auth_subject_dn: 'CN=a' },
  }
  const many = Array.from({ length: 4000 }, (_, index) => `https://a${index}.example`)
  const values = [null, true, -1, '', 'x', '\u0000', [], [null], [[]], {}, { keys: [null] }, many]
  const more = [{ keys: [{ kty: {} }] }, { keys: Array(500).fill(key.publicJwk) }, '\ud800', '<b>']
  for (const name of Object.keys(good)) {
    for (const value of [...values, ...more]) {
      const began = Date.now()
      const answer = call('POST', `${origin}/oauth2/register`, initial, { ...good, [name]: value })
      await survived(`${name} ${JSON.stringify(value).slice(0, 40)}`, answer)
      expect(Date.now() - began, name).toBeLessThan(5000)
    }
  }
  for (const body of [
    '',
    'null',
    '[]',
    '"x"',
    deep,
    `{"jwks":${deep}}`,
    '{"redirect_uris":{"length":9e9}}',
  ]) {
    await survived(body.slice(0, 20), call('POST', `${origin}/oauth2/register`, initial, body))
  }
})

test('codes of devices and answers to questions, typed by whoever', {
  timeout: 60_000,
}, async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, web, person)
  const cookie = [...visitor.cookies.values()]
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
  const post = (path: string, fields: Record<string, string>, headers = {}) =>
    fetch(`${origin}${path}`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie, origin, ...headers },
      body: new URLSearchParams(fields),
    })
  for (const value of odd.map((text) => (text.isWellFormed() ? text : '\ufffd'))) {
    const escaped = encodeURIComponent(value)
    for (const path of [
      `/device?user_code=${escaped}`,
      `/device/qr.svg?user_code=${escaped}`,
      `/device/${escaped}`,
      `/account/requests?code=${escaped}`,
      `/.well-known/oauth-protected-resource?resource=${escaped}`,
    ]) {
      if (path.length < 8000)
        await survived(path, fetch(`${origin}${path}`, { redirect: 'manual' }))
    }
    await survived('device', post('/device', { user_code: value, decision: value }))
    await survived('requests', post('/account/requests', { allow: value, deny: value }))
  }
})

test('WB-05: neither page takes an answer that another site sends', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, web, person)
  const cookie = [...visitor.cookies.values()]
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
  for (const path of ['/device', '/account/requests']) {
    for (const headers of [
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      {},
    ]) {
      const answer = await fetch(`${origin}${path}`, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie, ...headers },
        body: new URLSearchParams({ user_code: 'BCDFGHJK', decision: 'allow', allow: 'x' }),
      })
      expect([path, answer.status]).toEqual([path, 403])
    }
  }
})

test('an empty request object at the authorization endpoint', async () => {
  const { url } = web.begin({ request: '' })
  expect((await createBrowser(server).get(url)).url).toContain('/sign-in/')
})

test('nothing of all this was a fault of ours', () => {
  expect(server.log.filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([])
})
