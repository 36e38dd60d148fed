/** Assertions as grants (RFC 7523 §2.1): whose word is taken, about whom, for what, how often, and what is refused. */
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt, type JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { createApi } from '../../src/clients/apis.ts'
import { getClient } from '../../src/clients/clients.ts'
import { createIssuer, deleteIssuer, type IssuerInput } from '../../src/clients/issuers.ts'
import { randomToken } from '../../src/crypto.ts'
import { auditOf } from '../support/audit.ts'
import { type Claims, createKey, createProver, type Key, now } from '../support/client-keys.ts'
import { startNodes } from '../support/nodes.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { type Answer, type App, createApp, type Parameters } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const published: { keys: JWK[]; asked: number; status: number } = {
  keys: [],
  asked: 0,
  status: 200,
}
const publisher = createServer((_request, response) => {
  published.asked++
  response.writeHead(published.status).end(JSON.stringify({ keys: published.keys }))
})
await new Promise<void>((resolve) => publisher.listen(0, '127.0.0.1', resolve))
afterAll(() => void publisher.close())
const { port } = publisher.address() as AddressInfo

const server = await startTestServer({ env: { ALLOW_PRIVATE_TARGETS: `127.0.0.1:${port}` } })
const { origin } = server
const { db } = server.database
const operator = { actor: { kind: 'operator' } } as const
const person = await createPerson(server)
const api = 'https://api.example.com'
const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

let key: Key
let service: App
let web: App

beforeAll(async () => {
  key = await createKey()
  await createApi(db, { identifier: api, scopes: ['read', 'write', 'wipe'] }, operator)
  service = await createApp(server, { preset: 'service', scope: 'read write' })
  web = await createApp(server)
  await trust('https://partner.example.com', { by: [service, web] })
  await noticed()
})

const noticed = () => new Promise((resolve) => setTimeout(resolve, 1300))

async function trust(
  issuer: string,
  { by = [service], ...more }: Partial<Omit<IssuerInput, 'clients'>> & { by?: App[] } = {},
) {
  const clients = await Promise.all(by.map(({ id }) => getClient(db, id)))
  const made = await createIssuer(
    db,
    {
      issuer,
      ...(more.jwksUri ? {} : { jwks: { keys: [key.publicJwk] } }),
      algorithms: ['ES256', 'RS256'],
      subject: 'account',
      scopes: ['read', 'write', 'openid', 'email'],
      maxLifetimeSeconds: 300,
      ...more,
      clients,
    },
    operator,
  )
  expect(made).toMatchObject({ ok: true })
}

function assertion(changes: Claims = {}, header: Claims = {}, by = key): Promise<string> {
  return by.sign(
    {
      iss: 'https://partner.example.com',
      sub: person.id,
      aud: origin,
      jti: randomToken(12),
      iat: now(),
      exp: now() + 60,
      ...changes,
    },
    header,
  )
}

const bring = (by: App, value: string, more: Parameters = {}, headers = {}): Promise<Answer> =>
  by.post('token', { grant_type: grantType, assertion: value, resource: api, ...more }, headers)

const refused = ({ status, body }: Answer) => [status, body.error, body.access_token]
const invalid = [400, 'invalid_grant', undefined]

describe('a good assertion', () => {
  test('gives a token for the person and the API, and nothing to renew it with', async () => {
    const { status, body } = await bring(service, await assertion())
    expect([status, body]).toEqual([200, expect.anything()])
    expect(body).toMatchObject({ token_type: 'Bearer', scope: 'read write' })
    expect([body.refresh_token, body.id_token]).toEqual([undefined, undefined])
    expect(decodeJwt(body.access_token ?? '')).toMatchObject({
      sub: person.id,
      client_id: service.id,
      aud: api,
      scope: 'read write',
    })
    expect((await service.introspect(body.access_token)).body.active).toBe(true)
  })

  test('may name the token endpoint, and has a kid or not', async () => {
    const endpoint = await assertion({ aud: [`${origin}/oauth2/token`] }, { kid: undefined })
    expect((await bring(service, endpoint, { scope: 'read' })).body.scope).toBe('read')
  })

  test('without an API gives what userinfo takes, within what issuer and client may', async () => {
    const { body } = await bring(web, await assertion(), { resource: undefined })
    expect(body.scope).toBe('openid email')
    expect((await web.userinfo(body.access_token)).body).toMatchObject({
      sub: person.id,
      email: person.email,
    })
  })

  test('binds the token to a key that is shown', async () => {
    const prover = await createProver()
    const dpop = await prover.prove({ method: 'POST', url: `${origin}/oauth2/token` })
    const { body } = await bring(service, await assertion(), {}, { dpop })
    expect(body.token_type).toBe('DPoP')
    expect(decodeJwt(body.access_token ?? '').cnf).toEqual({ jkt: prover.thumbprint })
  })

  test('means a person by username, or by an address that both have proven', async () => {
    await trust('https://names.example.com', { subject: 'username' })
    await trust('https://mails.example.com', { subject: 'email' })
    await noticed()
    const byName = { iss: 'https://names.example.com', sub: person.username }
    expect((await bring(service, await assertion(byName))).status).toBe(200)
    const byMail = {
      iss: 'https://mails.example.com',
      sub: 'x-1',
      email: person.email.toUpperCase(),
      email_verified: true,
    }
    expect((await bring(service, await assertion(byMail))).status).toBe(200)
    const bad: Claims[] = [
      { ...byMail, email_verified: 'true' },
      { ...byMail, email_verified: undefined },
      { ...byMail, email: person.username },
      { ...byMail, email: undefined, sub: person.email },
      { ...byName, sub: person.email },
      { ...byName, sub: person.id },
    ]
    for (const claims of bad)
      expect([claims, ...refused(await bring(service, await assertion(claims)))]).toEqual([
        claims,
        ...invalid,
      ])
  })
})

describe('JW-01: refused is', () => {
  const cases: [string, Claims, Claims][] = [
    ['another issuer', { iss: 'https://other.example.com' }, {}],
    ['no issuer', { iss: undefined }, {}],
    ['an issuer that is a list', { iss: ['https://partner.example.com'] }, {}],
    ['another audience', { aud: 'https://other.example.com' }, {}],
    ['us and another', { aud: [origin, 'https://other.example.com'] }, {}],
    ['no audience', { aud: undefined }, {}],
    ['another endpoint of ours', { aud: `${origin}/oauth2/par` }, {}],
    ['past its end', { exp: now() - 60, iat: now() - 120 }, {}],
    ['no end', { exp: undefined }, {}],
    ['no beginning', { iat: undefined }, {}],
    ['from the future', { iat: now() + 120, exp: now() + 180 }, {}],
    ['not yet good', { nbf: now() + 120 }, {}],
    ['good for too long', { exp: now() + 600 }, {}],
    ['no id', { jti: undefined }, {}],
    ['an empty id', { jti: '' }, {}],
    ['no subject', { sub: undefined }, {}],
    ['a stranger', { sub: '0198c0de-0000-7000-8000-000000000000' }, {}],
    ['a username where ids are meant', { sub: 'person1' }, {}],
    ['an access token', {}, { typ: 'at+jwt' }],
    ['a logout token', {}, { typ: 'logout+jwt' }],
    ['a proof', {}, { typ: 'dpop+jwt' }],
    ['a kid that is nobody\u2019s', {}, { kid: 'nobody' }],
  ]
  test.each(cases)('%s', async (_, claims, header) => {
    expect(refused(await bring(service, await assertion(claims, header)))).toEqual(invalid)
  })

  test('no signature, a shared secret, a stranger\u2019s key, another algorithm', async () => {
    const good = await assertion()
    const [, body = '', signature = ''] = good.split('.')
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const secret = JSON.stringify(key.publicJwk)
    const hmac = `${encode({ alg: 'HS256', kid: key.publicJwk.kid })}.${body}`
    const stranger = await createKey()
    const ed = await createKey('EdDSA')
    const bad: [string, string][] = [
      ['none', `${encode({ alg: 'none' })}.${body}.`],
      ['nothing', `${good.split('.').slice(0, 2).join('.')}.`],
      ['HS256', `${hmac}.${createHmac('sha256', secret).update(hmac).digest('base64url')}`],
      ['a stranger', await assertion({}, { kid: key.publicJwk.kid }, stranger)],
      [
        'a key in the header',
        await assertion({}, { jwk: stranger.publicJwk, kid: undefined }, stranger),
      ],
      ['an algorithm that was not agreed', await assertion({}, {}, ed)],
      [
        'another body',
        `${good.split('.')[0]}.${encode({ ...decodeJwt(good), sub: 'x' })}.${signature}`,
      ],
      ['no JWT', 'made-up'],
      ['a long one', `${'a'.repeat(9000)}.b.c`],
    ]
    for (const [name, value] of bad) {
      expect([name, ...refused(await bring(service, value))]).toEqual([name, ...invalid])
    }
    expect((await bring(service, good)).status).toBe(200)
  })

  test('our own ID tokens and access tokens, even from an issuer of our name', async () => {
    const { answer } = await authorize(createBrowser(server), web, person)
    expect(refused(await bring(service, answer.body.id_token ?? ''))).toEqual(invalid)
    const { body } = await bring(service, await assertion())
    expect(refused(await bring(service, body.access_token ?? ''))).toEqual(invalid)
  })

  test('more scope than issuer or client may, and APIs that are not the client\u2019s', async () => {
    for (const scope of ['wipe', 'read wipe', 'openid', 'offline_access']) {
      const answer = await bring(service, await assertion(), { scope })
      expect([scope, ...refused(answer)]).toEqual([scope, 400, 'invalid_scope', undefined])
    }
    expect((await bring(web, await assertion())).body.error).toBe('invalid_target')
    const other = await bring(service, await assertion(), { resource: 'https://x.example.com' })
    expect(other.body.error).toBe('invalid_target')
  })

  test('a client that the issuer was not named for', async () => {
    const fellow = await createApp(server, { preset: 'service', apis: [api] })
    const before = await bring(fellow, await assertion())
    expect([before.status, before.body.access_token]).toEqual([400, undefined])
    await trust('https://fellow.example.com', { by: [fellow] })
    await noticed()
    expect(refused(await bring(fellow, await assertion()))).toEqual(invalid)
    const own = await assertion({ iss: 'https://fellow.example.com' })
    expect((await bring(fellow, own)).status).toBe(200)
  })

  test('somebody who was switched off, and whoever is not there yet', async () => {
    const leaving = await createPerson(server)
    expect((await bring(service, await assertion({ sub: leaving.id }))).status).toBe(200)
    await disableAccount(db, leaving.id, 'left', operator.actor)
    expect(refused(await bring(service, await assertion({ sub: leaving.id })))).toEqual(invalid)
  })

  test('an issuer that is trusted no longer', async () => {
    await trust('https://gone.example.com')
    await noticed()
    const claims = { iss: 'https://gone.example.com' }
    expect((await bring(service, await assertion(claims))).status).toBe(200)
    await deleteIssuer(db, 'https://gone.example.com', operator)
    expect(refused(await bring(service, await assertion(claims)))).toEqual(invalid)
  })
})

describe('once', () => {
  test('the second time an assertion is worth nothing, to whichever client', async () => {
    const value = await assertion()
    expect((await bring(service, value)).status).toBe(200)
    expect(refused(await bring(service, value))).toEqual(invalid)
    expect(refused(await bring(web, value, { resource: undefined }))).toEqual(invalid)
  })

  test('what was refused for another reason is not used up', async () => {
    const value = await assertion()
    expect((await bring(service, value, { scope: 'wipe' })).status).toBe(400)
    expect((await bring(service, value)).status).toBe(200)
  })

  test('the ids of two issuers are two', async () => {
    await trust('https://second.example.com')
    await noticed()
    const jti = randomToken()
    expect((await bring(service, await assertion({ jti }))).status).toBe(200)
    const second = await assertion({ jti, iss: 'https://second.example.com' })
    expect((await bring(service, second)).status).toBe(200)
  })

  test('of twenty at once over two servers exactly one is accepted', async () => {
    const nodes = await startNodes(2)
    const one = await createPerson(nodes)
    await createApi(nodes.database.db, { identifier: api, scopes: ['read'] }, operator)
    const by = await createApp(nodes, { preset: 'service', apis: [api] })
    const made = await createIssuer(
      nodes.database.db,
      {
        issuer: 'https://partner.example.com',
        jwks: { keys: [key.publicJwk] },
        algorithms: ['ES256'],
        subject: 'account',
        scopes: ['read'],
        maxLifetimeSeconds: 300,
        clients: [await getClient(nodes.database.db, by.id)],
      },
      operator,
    )
    expect(made.ok).toBe(true)
    await noticed()
    for (let round = 0; round < rounds; round++) {
      const value = await assertion({ sub: one.id, aud: nodes.origin })
      const answers = await Promise.all(Array.from({ length: 20 }, () => bring(by, value)))
      const good = answers.filter(({ status }) => status === 200)
      expect([
        good.length,
        answers.filter((answer) => refused(answer)[1] === 'invalid_grant').length,
      ]).toEqual([1, 19])
    }
  })
})

describe('published keys', () => {
  const uri = `http://127.0.0.1:${port}/jwks`
  const claims = { iss: 'https://published.example.com' }

  test('are fetched through the guard, seldom', async () => {
    published.keys = [key.publicJwk]
    await trust('https://published.example.com', { jwksUri: uri })
    await noticed()
    expect((await bring(service, await assertion(claims))).status).toBe(200)
    expect((await bring(service, await assertion(claims))).status).toBe(200)
    const strange = await assertion(claims, { kid: 'unknown' })
    for (let n = 0; n < 3; n++) expect(refused(await bring(service, strange))).toEqual(invalid)
    expect(published.asked).toBe(1)
  })

  test.each([
    ['an address that the guard does not allow', 'http://127.0.0.1:1/jwks'],
    ['an answer that is an error', `${uri}?missing`],
    ['keys that are shared secrets', `${uri}?shared`],
  ])('%s is no key', async (name, jwksUri) => {
    published.status = name.includes('error') ? 404 : 200
    published.keys = name.includes('shared') ? [{ kty: 'oct', k: 'c2VjcmV0' }] : [key.publicJwk]
    const issuer = `https://${randomToken(6)}.example.com`
    await trust(issuer, { jwksUri })
    await noticed()
    expect(refused(await bring(service, await assertion({ iss: issuer })))).toEqual(invalid)
    published.status = 200
  })
})

test('what was accepted and refused is in the audit, and a refusal can be explained', async () => {
  const value = await assertion()
  await bring(service, value, { scope: 'read' })
  const again = await bring(service, value)
  expect((await auditOf(db, 'assertion.accepted', service.id)).at(-1)).toMatchObject({
    accountId: person.id,
    detail: { issuer: 'https://partner.example.com', scopes: ['read'], resource: api },
  })
  const reason = 'the assertion was used before'
  expect((await auditOf(db, 'assertion.refused', service.id)).at(-1)).toMatchObject({
    detail: { error: 'invalid_grant', reason },
  })
  expect(again.body.error_description).not.toContain('used before')
  const reference = String(again.body.error_uri).split('/').at(-1) ?? ''
  const row = await db
    .selectFrom('refusals')
    .selectAll()
    .where('reference', '=', reference)
    .executeTakeFirstOrThrow()
  expect(row.detail).toMatchObject({ cause: reason })
})
