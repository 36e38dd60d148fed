/** Token exchange (RFC 8693): who gets what for which token, who is said to act, and everything that is refused. */
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { createApi } from '../../src/clients/apis.ts'
import { disableClient } from '../../src/clients/client-life.ts'
import { getClient } from '../../src/clients/clients.ts'
import { allowExchange, type ExchangeInput, removeExchange } from '../../src/clients/exchanges.ts'
import { endSessions } from '../../src/sessions/end-sessions.ts'
import { createIdp } from '../cli/support.ts'
import { auditOf } from '../support/audit.ts'
import { makeAuthority, makeCertificate } from '../support/certificates.ts'
import { createProver } from '../support/client-keys.ts'
import { createForger } from '../support/forged-tokens.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { type Answer, type App, createApp, type Parameters } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const operator = { actor: { kind: 'operator' } } as const
const person = await createPerson(server)
const visitor = createBrowser(server)
const front = 'https://front.example.com'
const files = 'https://files.example.com'
const notes = 'https://notes.example.com'
const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
const idToken = 'urn:ietf:params:oauth:token-type:id_token'

let shop: App
let gateway: App
let next: App
let keySet: ReturnType<typeof createLocalJWKSet>
const forger = await createForger(server)

beforeAll(async () => {
  await createApi(db, { identifier: front, scopes: ['buy', 'read'] }, operator)
  await createApi(db, { identifier: files, scopes: ['read', 'write', 'wipe'] }, operator)
  await createApi(db, { identifier: notes, scopes: ['read'], tokenLifetimeSeconds: 30 }, operator)
  shop = await createApp(server, { apis: [front] })
  gateway = await createApp(server, { preset: 'service', apis: [front] })
  next = await createApp(server, { preset: 'service', apis: [files] })
  keySet = createLocalJWKSet((await (await fetch(`${origin}/oauth2/jwks`)).json()) as JSONWebKeySet)
  await allow(gateway, files, { scopes: ['read', 'write'] })
  await allow(next, notes, { scopes: ['read'] })
})

async function allow(
  by: App,
  audience: string,
  more: Partial<Omit<ExchangeInput, 'source'>> & { source?: App } = {},
) {
  const source = more.source && (await getClient(db, more.source.id))
  const client = await getClient(db, by.id)
  const allowed = await allowExchange(
    db,
    { client, audience, mode: 'delegation', ...more, source },
    operator,
  )
  if (!allowed.ok) throw new Error(JSON.stringify(allowed))
  await noticed()
}

/** A running server knows of a change within a second. */
const noticed = () => new Promise((resolve) => setTimeout(resolve, 1300))

async function tokenFor(api: string, scope: string, by = shop): Promise<string> {
  const parameters = { resource: api, scope: `openid ${scope}` }
  const { request, code } = await obtainCode(visitor, by, person, parameters)
  const { body } = await by.redeem(request, code, { resource: api })
  return body.access_token ?? expect.fail(JSON.stringify(body))
}

function exchange(by: App, token: string | undefined, more: Parameters = {}): Promise<Answer> {
  return by.post('token', {
    grant_type: grantType,
    subject_token: token,
    subject_token_type: accessToken,
    ...more,
  })
}

const refused = ({ status, body }: Answer) => [status, body.error, body.access_token]

describe('delegation', () => {
  test('an API calls the next one for the person, and the token says so', async () => {
    const { status, body } = await exchange(gateway, await tokenFor(front, 'buy'), {
      resource: files,
    })
    expect([status, body]).toEqual([200, expect.anything()])
    expect(body).toMatchObject({
      issued_token_type: accessToken,
      token_type: 'Bearer',
      scope: 'read write',
    })
    expect(body.refresh_token).toBeUndefined()
    expect(body.id_token).toBeUndefined()
    const { payload } = await jwtVerify(body.access_token ?? '', keySet, {
      issuer: origin,
      audience: files,
      typ: 'at+jwt',
    })
    expect(payload).toMatchObject({
      sub: person.id,
      client_id: gateway.id,
      scope: 'read write',
      act: { sub: gateway.id },
      acr: '1fa',
      amr: ['pwd'],
      auth_time: expect.any(Number),
    })
  })

  test('what asks the audience learns of it is the same, by introspection', async () => {
    const { body } = await exchange(gateway, await tokenFor(front, 'buy'), { audience: files })
    expect((await next.introspect(body.access_token)).body).toMatchObject({
      active: true,
      sub: person.id,
      client_id: gateway.id,
      aud: files,
      act: { sub: gateway.id },
      acr: '1fa',
    })
    expect((await shop.introspect(body.access_token)).body).toEqual({ active: false })
  })

  test('who acted before stays below who acts', async () => {
    const first = await exchange(gateway, await tokenFor(front, 'buy'), { resource: files })
    const { body } = await exchange(next, first.body.access_token, { resource: notes })
    expect(decodeJwt(body.access_token ?? '')).toMatchObject({
      sub: person.id,
      act: { sub: next.id, act: { sub: gateway.id } },
    })
  })

  test('more than five never act', async () => {
    await allow(next, files, { scopes: ['read'] })
    const first = await exchange(gateway, await tokenFor(front, 'buy'), { resource: files })
    let token = first.body.access_token
    for (let acting = 2; acting <= 5; acting++) {
      const { body } = await exchange(next, token, { resource: files })
      token = body.access_token ?? expect.fail(JSON.stringify(body))
    }
    expect(refused(await exchange(next, token, { resource: files }))).toEqual([
      400,
      'invalid_request',
      undefined,
    ])
    await removeExchange(db, { clientId: next.id, audience: files }, operator)
  })

  test('it lives no longer than what it came from, nor than its API allows', async () => {
    const token = await tokenFor(front, 'buy')
    const { exp = 0 } = decodeJwt(token)
    const soon = await forger.resigned(token, { exp: exp - 570 })
    const { body } = await exchange(gateway, soon, { resource: files })
    expect(decodeJwt(body.access_token ?? '').exp).toBeLessThanOrEqual(exp - 570)
    const short = await exchange(next, body.access_token, { resource: notes })
    expect(Number(short.body.expires_in)).toBeLessThanOrEqual(30)
  })

  test('narrower is what was asked, and more is refused', async () => {
    const token = await tokenFor(front, 'buy')
    const narrow = await exchange(gateway, token, { resource: files, scope: 'read' })
    expect(narrow.body.scope).toBe('read')
    for (const scope of ['wipe', 'read wipe', 'buy', 'openid', 'offline_access']) {
      const answer = await exchange(gateway, token, { resource: files, scope })
      expect(refused(answer)).toEqual([400, 'invalid_scope', undefined])
    }
  })

  test('no way back gives more than the way there held', async () => {
    await allow(next, files, { scopes: ['read', 'write'] })
    await allow(gateway, notes, { scopes: ['read'] })
    const held = await tokenFor(front, 'buy')
    const { body } = await exchange(gateway, held, { resource: files, scope: 'read' })
    const again = await exchange(next, body.access_token, { resource: files })
    expect(again.body.scope).toBe('read')
    const more = await exchange(next, body.access_token, { resource: files, scope: 'write' })
    expect(refused(more)).toEqual([400, 'invalid_scope', undefined])
    await removeExchange(db, { clientId: next.id, audience: files }, operator)
  })

  test('an actor token names who acts, if the client may speak for it', async () => {
    const token = await tokenFor(front, 'buy')
    const own = await gateway.post('token', { grant_type: 'client_credentials', resource: front })
    const actor = { actor_token: own.body.access_token, actor_token_type: accessToken }
    const { body } = await exchange(gateway, token, { resource: files, ...actor })
    expect(decodeJwt(body.access_token ?? '').act).toEqual({
      sub: gateway.id,
      client_id: gateway.id,
    })
    const others = await next.post('token', { grant_type: 'client_credentials', resource: files })
    const stolen = { ...actor, actor_token: others.body.access_token }
    expect(refused(await exchange(gateway, token, { resource: files, ...stolen }))[1]).toBe(
      'invalid_request',
    )
    const lonely = await exchange(gateway, token, { resource: files, actor_token: 'x' })
    expect(refused(lonely)[1]).toBe('invalid_request')
  })

  test('may_act keeps everybody else from acting', async () => {
    const token = await tokenFor(front, 'buy')
    const ask = async (mayAct: unknown) =>
      (
        await exchange(gateway, await forger.resigned(token, { may_act: mayAct }), {
          resource: files,
        })
      ).body.error
    expect(await ask({ sub: gateway.id })).toBeUndefined()
    expect(await ask({ client_id: gateway.id })).toBeUndefined()
    for (const mayAct of [{ sub: next.id }, { sub: gateway.id, client_id: next.id }, {}, 'all'])
      expect(await ask(mayAct)).toBe('invalid_request')
  })
})

describe('impersonation', () => {
  test('the token says nothing of who asked, but never hides who acted before', async () => {
    const quiet = await createApp(server, { preset: 'service', apis: [front, files] })
    await allow(quiet, notes, { mode: 'impersonation', scopes: ['read'] })
    const { body } = await exchange(quiet, await tokenFor(front, 'buy'), { resource: notes })
    const claims = decodeJwt(body.access_token ?? '')
    expect([claims.sub, claims.act]).toEqual([person.id, undefined])
    const acted = await exchange(gateway, await tokenFor(front, 'buy'), { resource: files })
    const after = await exchange(quiet, acted.body.access_token, { resource: notes })
    expect(decodeJwt(after.body.access_token ?? '').act).toMatchObject({ sub: gateway.id })
    const own = await quiet.post('token', { grant_type: 'client_credentials', resource: front })
    const actor = { actor_token: own.body.access_token, actor_token_type: accessToken }
    const token = await tokenFor(front, 'buy')
    expect((await exchange(quiet, token, { resource: notes, ...actor })).body.error).toBe(
      'invalid_request',
    )
  })
})

describe('whose tokens', () => {
  test('a token of another app is nothing without a row that names it', async () => {
    const other = await createApp(server)
    const mine = (await authorize(visitor, other, person)).answer.body
    const broker = await createApp(server, { preset: 'service' })
    await allow(broker, notes, { scopes: ['read'] })
    const before = await exchange(broker, mine.access_token, { resource: notes })
    expect(refused(before)).toEqual([400, 'invalid_target', undefined])
    await allow(broker, notes, { scopes: ['read'], source: other })
    expect((await exchange(broker, mine.access_token, { resource: notes })).status).toBe(200)
    const byId = { subject_token_type: idToken, resource: notes }
    expect((await exchange(broker, mine.id_token, byId)).body.scope).toBe('read')
    const unnamed = await createApp(server)
    const third = (await authorize(visitor, unnamed, person)).answer.body
    expect((await exchange(broker, third.access_token, { resource: notes })).body.error).toBe(
      'invalid_target',
    )
  })

  test('an app that may call the same API, and does not serve it, gains nothing by a token for it', async () => {
    const fellow = await createApp(server, { apis: [front] })
    await allow(fellow, notes, { scopes: ['read'] })
    const answer = await exchange(fellow, await tokenFor(front, 'buy'), { resource: notes })
    expect(refused(answer)).toEqual([400, 'invalid_target', undefined])
  })

  test('an app turns its own tokens into narrower ones', async () => {
    const own = await createApp(server, { apis: [files] })
    await allow(own, files, { mode: 'impersonation' })
    const { body } = await exchange(own, await tokenFor(files, 'read write', own), {
      resource: files,
      scope: 'read',
    })
    expect(body.scope).toBe('read')
    const narrow = await tokenFor(files, 'read', own)
    const answer = await exchange(own, narrow, { resource: files, scope: 'write' })
    expect(refused(answer)).toEqual([400, 'invalid_scope', undefined])
  })

  test('a client as audience gets an opaque token that it may ask about', async () => {
    const backend = await createApp(server)
    await allow(gateway, backend.id, { scopes: ['jobs', 'openid'] })
    const token = await tokenFor(front, 'buy')
    const { body } = await exchange(gateway, token, { audience: backend.id })
    expect(body.access_token).not.toContain('.')
    expect((await backend.introspect(body.access_token)).body).toMatchObject({
      active: true,
      aud: backend.id,
      sub: person.id,
      scope: 'jobs openid',
      act: { sub: gateway.id },
    })
    expect((await backend.userinfo(body.access_token)).status).toBe(401)
    expect((await shop.introspect(body.access_token)).body).toEqual({ active: false })
  })

  test('who names no audience gets the only one there is, and has to name it where there are two', async () => {
    const single = await createApp(server, { preset: 'service', apis: [front] })
    await allow(single, notes, { scopes: ['read'] })
    const { body } = await exchange(single, await tokenFor(front, 'buy'))
    expect(decodeJwt(body.access_token ?? '').aud).toBe(notes)
    await allow(single, files, { scopes: ['read'] })
    const unclear = await exchange(single, await tokenFor(front, 'buy'))
    expect(refused(unclear)).toEqual([400, 'invalid_target', undefined])
  })

  test('what is allowed no longer is refused at once', async () => {
    const brief = await createApp(server, { preset: 'service', apis: [front] })
    await allow(brief, notes, { scopes: ['read'] })
    await allow(brief, files, { scopes: ['read'] })
    const token = await tokenFor(front, 'buy')
    expect((await exchange(brief, token, { resource: notes })).status).toBe(200)
    await removeExchange(db, { clientId: brief.id, audience: notes }, operator)
    const after = await exchange(brief, token, { resource: notes })
    expect(refused(after)).toEqual([400, 'invalid_target', undefined])
  })

  test('nobody exchanges without being allowed to', async () => {
    const nobody = await createApp(server, { preset: 'service', apis: [front] })
    const answer = await exchange(nobody, await tokenFor(front, 'buy'), { resource: files })
    expect(answer.status).toBe(400)
    expect(answer.body.access_token).toBeUndefined()
  })

  test('a public client is never allowed', async () => {
    const spa = await createApp(server, { preset: 'spa' })
    const client = await getClient(db, spa.id)
    const input = { client, audience: files, mode: 'delegation' } as const
    expect(await allowExchange(db, input, operator)).toMatchObject({
      ok: false,
      problems: [{ code: 'client_public' }],
    })
  })
})

describe('refused is', () => {
  const ask = async (more: Parameters) =>
    refused(await exchange(gateway, await tokenFor(front, 'buy'), more))

  test.each<[string, Parameters, string]>([
    ['an API that was not allowed', { resource: `${notes}/x` }, 'invalid_target'],
    ['an API that does not exist', { resource: 'https://nowhere.example.com' }, 'invalid_target'],
    ['two audiences', { resource: files, audience: front }, 'invalid_target'],
    [
      'a refresh token',
      { resource: files, requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      'invalid_request',
    ],
    ['an ID token', { resource: files, requested_token_type: idToken }, 'invalid_request'],
    [
      'SAML',
      { resource: files, subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
      'invalid_request',
    ],
    ['no type', { resource: files, subject_token_type: undefined }, 'invalid_request'],
    ['no token', { resource: files, subject_token: undefined }, 'invalid_request'],
    ['a token that is none', { resource: files, subject_token: 'made-up' }, 'invalid_request'],
  ])('%s', async (_, more, error) => {
    expect(await ask(more)).toEqual([400, error, undefined])
  })

  test('a refresh token, whatever it is called', async () => {
    const { answer } = await authorize(visitor, shop, person)
    const types = ['refresh_token', 'access_token', 'id_token', 'jwt']
    for (const type of types) {
      const answered = await exchange(gateway, answer.body.refresh_token, {
        resource: files,
        subject_token_type: `urn:ietf:params:oauth:token-type:${type}`,
      })
      expect(refused(answered)).toEqual([400, 'invalid_request', undefined])
    }
  })

  test('a token of a service: there is nobody to act for', async () => {
    const own = await gateway.post('token', { grant_type: 'client_credentials', resource: front })
    expect(await ask({ subject_token: own.body.access_token, resource: files })).toEqual([
      400,
      'invalid_request',
      undefined,
    ])
  })
})

describe('JW-01: a token is taken for nothing that it is not', () => {
  test('an access token', async () => {
    const token = await tokenFor(front, 'buy')
    const again = await exchange(gateway, await forger.resigned(token), { resource: files })
    expect(again.status, 'the same claims signed again are good').toBe(200)
    for (const [name, forged] of await forger.forgeries(token)) {
      const answer = await exchange(gateway, forged, { resource: files })
      expect([name, answer.status, answer.body.access_token]).toEqual([name, 400, undefined])
    }
  })

  test('an ID token', async () => {
    const broker = await createApp(server)
    await allow(broker, notes, { scopes: ['read'] })
    const { answer } = await authorize(visitor, broker, person)
    const token = answer.body.id_token ?? ''
    const ask = (value: string, type = idToken) =>
      exchange(broker, value, { resource: notes, subject_token_type: type })
    expect((await ask(await forger.resigned(token))).status).toBe(200)
    for (const [name, forged] of await forger.forgeries(token)) {
      const { status, body } = await ask(forged)
      expect([name, status, body.access_token]).toEqual([name, 400, undefined])
    }
    const crossed: [string, string, string][] = [
      ['an ID token as access token', token, accessToken],
      ['an access token as ID token', await tokenFor(front, 'buy'), idToken],
      [
        'one without its time of sign-in',
        await forger.resigned(token, { auth_time: undefined }),
        idToken,
      ],
      ['one for two', await forger.resigned(token, { aud: [broker.id, shop.id] }), idToken],
      ['one about nobody', await forger.resigned(token, { sub: 'nobody' }), idToken],
    ]
    for (const [name, value, type] of crossed) {
      expect([name, (await ask(value, type)).body.error]).toEqual([name, 'invalid_request'])
    }
  })
})

describe('a token that has ended begins nothing, and takes along what it began', () => {
  const chain = async () => {
    const by = await createApp(server, { apis: [front] })
    const parameters = { resource: front, scope: 'openid offline_access buy' }
    const { request, code } = await obtainCode(visitor, by, person, parameters)
    const { body } = await by.redeem(request, code, { resource: front })
    const first = await exchange(gateway, body.access_token, { resource: files })
    const second = await exchange(next, first.body.access_token, { resource: notes })
    expect([first.status, second.status]).toEqual([200, 200])
    return { by, body, tokens: [first.body.access_token, second.body.access_token] }
  }
  const isActive = async (token: string | undefined, by = next) =>
    (await by.introspect(token)).body.active

  test('when its refresh token is revoked', async () => {
    const { by, body, tokens } = await chain()
    expect(await isActive(tokens[0])).toBe(true)
    await by.revoke(body.refresh_token)
    expect(refused(await exchange(gateway, body.access_token, { resource: files }))).toEqual([
      400,
      'invalid_request',
      undefined,
    ])
    expect(await isActive(tokens[0])).toBe(false)
    const third = await createApp(server, { preset: 'service', apis: [notes] })
    expect(await isActive(tokens[1], third)).toBe(false)
  })

  test('when its app is switched off', async () => {
    const { by, body, tokens } = await chain()
    await disableClient(db, by.id, operator)
    await noticed()
    const answer = await exchange(gateway, body.access_token, { resource: files })
    expect(answer.body.error).toBe('invalid_request')
    expect(await isActive(tokens[0])).toBe(false)
  })

  test('when everything of the person is ended', async () => {
    const { body, tokens } = await chain()
    await endSessions(db, { accountId: person.id }, { offline: 'ends' })
    const answer = await exchange(gateway, body.access_token, { resource: files })
    expect(answer.body.error).toBe('invalid_request')
    expect(await isActive(tokens[0])).toBe(false)
  })

  test('when the session ends, for tokens that end with it; opaque and ID tokens too', async () => {
    const own = await createApp(server)
    await allow(own, notes, { scopes: ['read'] })
    const browser = createBrowser(server)
    const { answer } = await authorize(browser, own, person, { scope: 'openid' })
    const { access_token: opaque, id_token: id } = answer.body
    const both = () =>
      Promise.all([
        exchange(own, opaque, { resource: notes }),
        exchange(own, id, { resource: notes, subject_token_type: idToken }),
      ])
    expect((await both()).map(({ status }) => status)).toEqual([200, 200])
    await endSessions(db, { accountId: person.id }, { offline: 'stays' })
    expect((await both()).map(({ body }) => body.error)).toEqual([
      'invalid_request',
      'invalid_request',
    ])
  })

  test('when the account is switched off', async () => {
    const leaving = await createPerson(server)
    const own = await createApp(server)
    await allow(own, notes, { scopes: ['read'] })
    const { answer } = await authorize(createBrowser(server), own, leaving)
    await disableAccount(db, leaving.id, 'left', operator.actor)
    for (const [token, type] of [
      [answer.body.access_token, accessToken],
      [answer.body.id_token, idToken],
    ] as const) {
      const { body } = await exchange(own, token, { resource: notes, subject_token_type: type })
      expect(body.error).toBe('invalid_request')
    }
  })
})

describe('keys', () => {
  test('a token that is bound to a key is exchanged by whoever holds it, and nobody else', async () => {
    const prover = await createProver()
    const bound = await createApp(server, { apis: [files], dpopBound: true }, { prover })
    await allow(bound, notes, { scopes: ['read'] })
    await allow(gateway, notes, { scopes: ['read'], source: bound })
    const token = await tokenFor(files, 'read', bound)
    const { status, body } = await exchange(bound, token, { resource: notes })
    expect([status, body.token_type]).toEqual([200, 'DPoP'])
    expect(decodeJwt(body.access_token ?? '').cnf).toEqual({ jkt: prover.thumbprint })
    const answer = await exchange(gateway, token, { resource: notes })
    expect(refused(answer)).toEqual([400, 'invalid_request', undefined])
    const thief = await createProver()
    const proof = await thief.prove({ method: 'POST', url: `${origin}/oauth2/token` })
    const stolen = await gateway.post(
      'token',
      {
        grant_type: grantType,
        subject_token: token,
        subject_token_type: accessToken,
        resource: notes,
      },
      { dpop: proof },
    )
    expect(refused(stolen)).toEqual([400, 'invalid_request', undefined])
  })

  test('a token that is bound to a certificate is exchanged with that certificate alone', async () => {
    const behind = await startTestServer({
      env: {
        CLIENT_CERT_HEADER: 'x-client-cert',
        MTLS_ORIGIN: 'https://mtls.example.com',
        TRUSTED_PROXIES: '127.0.0.0/8,::1',
      },
    })
    const who = await createPerson(behind)
    await createApi(behind.database.db, { identifier: notes, scopes: ['read'] }, operator)
    const authority = makeAuthority()
    const makeWith = (name: string) =>
      makeCertificate({ subject: [['CN', name]], issuer: authority })
    const [own, other] = [makeWith('app'), makeWith('other')]
    let shown: string | undefined = own.cert
    const send: typeof fetch = (url, init) =>
      fetch(url, {
        ...init,
        headers: {
          ...(init?.headers as Record<string, string>),
          ...(shown ? { 'x-client-cert': encodeURIComponent(shown) } : {}),
        },
      })
    const bound = await createApp(behind, { certificateBound: true }, { send })
    const client = await getClient(behind.database.db, bound.id)
    const mode = 'impersonation' as const
    const input = { client, audience: notes, mode, scopes: ['read'] }
    expect((await allowExchange(behind.database.db, input, operator)).ok).toBe(true)
    await noticed()
    const { answer } = await authorize(createBrowser(behind), bound, who)
    const good = await exchange(bound, answer.body.access_token, { resource: notes })
    expect([good.status, good.body]).toEqual([200, expect.anything()])
    expect(decodeJwt(good.body.access_token ?? '').cnf).toHaveProperty('x5t#S256')
    shown = other.cert
    const stolen = await exchange(bound, answer.body.access_token, { resource: notes })
    expect(refused(stolen)).toEqual([400, 'invalid_request', undefined])
    shown = undefined
    const bare = await exchange(bound, answer.body.access_token, { resource: notes })
    expect(refused(bare)).toEqual([400, 'invalid_grant', undefined])
  })

  test('a proof binds the new token, once', async () => {
    const prover = await createProver()
    const proof = await prover.prove({ method: 'POST', url: `${origin}/oauth2/token` })
    const fields = {
      grant_type: grantType,
      subject_token: await tokenFor(front, 'buy'),
      subject_token_type: accessToken,
      resource: files,
    }
    const { body } = await gateway.post('token', fields, { dpop: proof })
    expect(decodeJwt(body.access_token ?? '').cnf).toEqual({ jkt: prover.thumbprint })
    const replay = await gateway.post('token', fields, { dpop: proof })
    expect(refused(replay)).toEqual([400, 'invalid_grant', undefined])
  })
})

test('what was exchanged and what was refused is in the audit, without a token', async () => {
  const token = await tokenFor(front, 'buy')
  await exchange(gateway, token, { resource: files, scope: 'read' })
  await exchange(gateway, 'made-up', { resource: files })
  const events = await auditOf(db, 'token.exchanged')
  expect(events.at(-1)).toMatchObject({
    clientId: gateway.id,
    accountId: person.id,
    detail: { audience: files, mode: 'delegation', scopes: ['read'], from: shop.id },
  })
  expect((await auditOf(db, 'token.exchange_refused')).at(-1)).toMatchObject({
    clientId: gateway.id,
    detail: { error: 'invalid_request' },
  })
  const everything = JSON.stringify(await db.selectFrom('auditEvents').selectAll().execute())
  expect(everything).not.toContain(token)
})

test('a refusal can be explained by its reference', async () => {
  const { body } = await exchange(gateway, 'made-up', { resource: files })
  const reference = String(body.error_uri).split('/').at(-1) ?? ''
  const row = await db
    .selectFrom('refusals')
    .selectAll()
    .where('reference', '=', reference)
    .executeTakeFirstOrThrow()
  expect(row).toMatchObject({ clientId: gateway.id, error: 'invalid_request' })
  expect(row.detail).toMatchObject({
    grantType,
    cause: expect.stringContaining('not a token of ours'),
  })
  const { stdout } = await createIdp(server.database.url, { ISSUER: origin })([
    'explain',
    reference,
  ])
  expect(stdout).toContain(`idp exchanges list --client ${gateway.id}`)
  expect(stdout).toContain('not a token of ours')
})
