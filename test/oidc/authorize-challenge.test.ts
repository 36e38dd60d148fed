/** Native sign-in (OAuth 2.0 for First-Party Applications): what an app of ours is given, and everything it is refused. */
import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { createApi } from '../../src/clients/apis.ts'
import { disableClient } from '../../src/clients/client-life.ts'
import { createClient } from '../../src/clients/create-client.ts'
import { updateClient } from '../../src/clients/update-client.ts'
import { changeSignInPolicy } from '../../src/credentials/policy-setting.ts'
import { defaultPolicy } from '../../src/credentials/sign-in-policy.ts'
import { randomToken, sha256 } from '../../src/crypto.ts'
import { endSessions } from '../../src/sessions/end-sessions.ts'
import { createIdp } from '../cli/support.ts'
import { auditOf } from '../support/audit.ts'
import { createProver, type Prover } from '../support/client-keys.ts'
import { createHolder } from '../support/factors.ts'
import { startNodes } from '../support/nodes.ts'
import { authorize, createBrowser, createPerson, type Person } from '../support/person.ts'
import { type Answer, type App, createApp, type Parameters } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db, pool, url } = server.database
const operator = { actor: { kind: 'operator' } } as const
const endpoint = `${origin}/oauth2/authorize-challenge`
const api = 'https://api.example.com'
const person = await createPerson(server)
const verifier = randomToken()
const login = (who: Person = person) => ({ username: who.username, password: who.password })

const pkce = {
  code_challenge: sha256(verifier).toString('base64url'),
  code_challenge_method: 'S256',
}
const request = { response_type: 'code', scope: 'openid email offline_access', ...pkce }

let app: App
let confidential: App
const settings = { firstParty: true, authorizationChallenge: true }

beforeAll(async () => {
  await createApi(db, { identifier: api, scopes: ['read', 'write'] }, operator)
  app = await createApp(server, { preset: 'native', ...settings, apis: [api] })
  confidential = await createApp(server, settings)
  await noticed()
})

const noticed = () => new Promise((resolve) => setTimeout(resolve, 1300))

/** As the app asks; `changes` replace, undefined leaves out. */
const ask = (changes: Parameters = {}, by = app, headers = {}): Promise<Answer> =>
  by.post('authorize-challenge', { client_id: by.id, ...request, ...changes }, headers)

const redeem = (code: unknown, changes: Parameters = {}, by = app, headers = {}): Promise<Answer> =>
  by.post(
    'token',
    {
      grant_type: 'authorization_code',
      code: String(code),
      code_verifier: verifier,
      client_id: by.id,
      ...changes,
    },
    headers,
  )

const refused = ({ status, body }: Answer) => [status, body.error, body.authorization_code]

describe('a person gives the password to an app of ours', () => {
  test('and the app gets a code, and for that tokens, without a redirect URI', async () => {
    const { status, body, headers } = await ask(login())
    expect([status, body]).toEqual([200, { authorization_code: expect.any(String) }])
    expect(headers.get('cache-control')).toContain('no-store')
    expect(headers.get('set-cookie')).toBeNull()
    const tokens = await redeem(body.authorization_code)
    expect([tokens.status, tokens.body.scope]).toEqual([200, 'openid email offline_access'])
    expect(decodeJwt(tokens.body.id_token ?? '')).toMatchObject({
      sub: person.id,
      aud: app.id,
      acr: '1fa',
      amr: ['pwd'],
      auth_time: expect.any(Number),
    })
    expect((await app.userinfo(tokens.body.access_token)).body.email).toBe(person.email)
    const next = await app.post('token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.body.refresh_token,
      client_id: app.id,
    })
    expect(next.status).toBe(200)
  })

  test('in two steps, what was asked for at the beginning is what counts', async () => {
    const first = await ask({ nonce: 'n-1' })
    expect(refused(first)).toEqual([403, 'insufficient_authorization', undefined])
    const second = await app.post('authorize-challenge', {
      client_id: app.id,
      auth_session: String(first.body.auth_session),
      scope: 'openid email offline_access groups',
      nonce: 'another',
      ...login(),
    })
    const { body } = await redeem(second.body.authorization_code)
    expect([body.scope, decodeJwt(body.id_token ?? '').nonce]).toEqual([request.scope, 'n-1'])
  })

  test('by an address too, and for an API', async () => {
    const { body } = await ask({
      ...login(),
      username: person.email.toUpperCase(),
      resource: api,
      scope: 'openid read',
    })
    const tokens = await redeem(body.authorization_code, { resource: api })
    expect(decodeJwt(tokens.body.access_token ?? '')).toMatchObject({ aud: api, scope: 'read' })
  })

  test('an app with a secret proves itself here as well', async () => {
    const { body } = await ask({ ...login(), client_id: undefined }, confidential)
    expect(
      (await redeem(body.authorization_code, { client_id: undefined }, confidential)).status,
    ).toBe(200)
    const basic = Buffer.from(`${confidential.id}:wrong`).toString('base64')
    const wrong = await ask(login(), confidential, { authorization: `Basic ${basic}` })
    expect(refused(wrong)).toEqual([401, 'invalid_client', undefined])
  })

  test('the sign-in is a session that can be seen and ended, with all that hangs on it', async () => {
    const one = await createPerson(server)
    const { body } = await ask({ ...login(one), scope: 'openid email' })
    const tokens = await redeem(body.authorization_code)
    expect((await app.userinfo(tokens.body.access_token)).status).toBe(200)
    const { stdout } = await createIdp(url, { ISSUER: origin })([
      'sessions',
      'list',
      '--account',
      one.username,
      '--json',
    ])
    expect(JSON.parse(stdout).sessions).toHaveLength(1)
    await endSessions(db, { accountId: one.id }, { offline: 'stays' })
    expect((await app.userinfo(tokens.body.access_token)).status).toBe(401)
  })

  test('it is audited like a sign-in at our pages', async () => {
    const one = await createPerson(server)
    await ask({ ...login(one), password: 'wrong' })
    await ask(login(one))
    const events = (type: string) =>
      auditOf(db, type, app.id).then((all) => all.filter(({ accountId }) => accountId === one.id))
    expect(await events('sign_in.refused')).toHaveLength(1)
    expect(await events('sign_in.succeeded')).toMatchObject([
      { detail: { amr: ['pwd'], by: 'authorization_challenge' } },
    ])
  })
})

describe('default levels of the app (--default-acr)', () => {
  const strong = { ...settings, preset: 'native', defaultAcrValues: ['2fa'] }

  test('are asked of whoever can reach them: the person goes on in the browser', async () => {
    const wishing = await createApp(server, strong)
    const asking = await createApp(server, { ...settings, preset: 'native' })
    const holder = await createHolder(server)
    // The operator asks nothing here, so that the app alone does.
    await changeSignInPolicy(db, { when: 'asked' }, { kind: 'operator' })
    await noticed()
    const all = [
      await ask(login(holder), wishing),
      await ask({ ...login(holder), acr_values: '1fa' }, wishing),
      await ask(login(holder), asking),
      await ask({ ...login(holder), acr_values: '2fa' }, asking),
    ].map(({ status, body }) => [status, body.error])
    await changeSignInPolicy(db, defaultPolicy, { kind: 'operator' })
    await noticed()
    const toWeb = [403, 'redirect_to_web']
    expect(all).toEqual([toWeb, [200, undefined], [200, undefined], toWeb])
  })

  test('are a wish: who has one factor alone is let in, and the app is told so', async () => {
    const wishing = await createApp(server, strong)
    const { body } = await ask(login(), wishing)
    const tokens = await redeem(body.authorization_code, {}, wishing)
    expect(decodeJwt(tokens.body.id_token ?? '').acr).toBe('1fa')
  })
})

describe('a wrong password', () => {
  test('and an unknown name are answered alike, with a way to try again', async () => {
    const answers = await Promise.all([
      ask({ ...login(), password: 'wrong' }),
      ask({ username: 'nobody-here', password: 'wrong' }),
      ask({ username: 'nobody@example.net', password: 'wrong' }),
    ])
    for (const answer of answers) {
      expect(refused(answer)).toEqual([403, 'insufficient_authorization', undefined])
      expect(answer.body.error_description).toBe(answers[0]?.body.error_description)
      const again = await ask({ auth_session: String(answer.body.auth_session), ...login() })
      expect(again.status).toBe(200)
    }
  })

  test('posted by a page of somebody else’s is nobody’s: their visitors are not made suspects', async () => {
    const { rows: before } = await pool.query('select count(*)::int as n from rate_limits')
    for (const page of ['https://evil.example', 'null', origin]) {
      const answer = await ask({ username: 'whoever', password: 'x' }, app, { origin: page })
      expect(refused(answer)).toEqual([400, 'invalid_request', undefined])
    }
    const { rows: after } = await pool.query('select count(*)::int as n from rate_limits')
    expect(after).toEqual(before)
  })

  test('PW-14: is counted together with those at our pages', async () => {
    const strict = await startTestServer({ env: { LIMIT_FACTOR: '1' } })
    const one = await createPerson(strict)
    const own = await createApp(strict, { preset: 'native', ...settings })
    const guess = () =>
      own.post('authorize-challenge', {
        client_id: own.id,
        ...request,
        username: one.username,
        password: 'wrong',
      })
    const burst = await Promise.all(Array.from({ length: 30 }, guess))
    const counted = (status: number) => burst.filter((answer) => answer.status === status).length
    expect(counted(403)).toBeGreaterThan(0)
    expect(counted(403)).toBeLessThanOrEqual(10)
    expect(counted(429)).toBeGreaterThan(0)
    expect(counted(403) + counted(429) + counted(503)).toBe(30)
    const limited = burst.find(({ status }) => status === 429)
    expect(Number(limited?.headers.get('retry-after'))).toBeGreaterThan(0)
    const visitor = createBrowser(strict)
    const page = await visitor.get(own.begin().url)
    const right = { identifier: one.username, password: one.password }
    expect((await visitor.press(page, 'continue', right)).status).toBe(429)
  })
})

describe('refused is', () => {
  test.each<[string, Parameters, number, string]>([
    ['no PKCE', { code_challenge: undefined }, 400, 'invalid_request'],
    ['plain PKCE', { code_challenge_method: 'plain' }, 400, 'invalid_request'],
    ['a challenge that is none', { code_challenge: 'short' }, 400, 'invalid_request'],
    ['another response type', { response_type: 'token' }, 400, 'invalid_request'],
    ['no response type', { response_type: undefined }, 400, 'invalid_request'],
    [
      'a scope that is not the app\u2019s',
      { scope: 'openid address phone profile' },
      400,
      'invalid_scope',
    ],
    [
      'an API that is not the app\u2019s',
      { resource: 'https://x.example.com' },
      400,
      'invalid_target',
    ],
    ['what a consent page would ask', { prompt: 'consent' }, 403, 'redirect_to_web'],
    [
      'an essential claim',
      { claims: '{"id_token":{"acr":{"essential":true,"value":"phr"}}}' },
      403,
      'redirect_to_web',
    ],
    ['a request object', { request: 'a.b.c' }, 403, 'redirect_to_web'],
    ['an auth_session that is none', { auth_session: 'made-up' }, 400, 'invalid_session'],
  ])('%s', async (_, changes, status, error) => {
    const by = await createApp(server, { preset: 'native', ...settings, scope: 'openid email' })
    const answer = await ask({ scope: 'openid email', ...login(), ...changes }, by)
    expect(refused(answer)).toEqual([status, error, undefined])
  })

  test('an app that was not switched on, and whoever is nobody', async () => {
    const plain = await createApp(server, { preset: 'native', firstParty: true })
    expect(refused(await ask(login(), plain))).toEqual([400, 'unauthorized_client', undefined])
    expect(refused(await ask({ ...login(), client_id: 'nobody' }))[0]).toBe(401)
  })

  test('an app that is somebody else\u2019s cannot be switched on, nor one under stricter rules', async () => {
    const create = (input: object) =>
      createClient(
        db,
        {
          name: `Strict ${Math.random()}`,
          preset: 'web',
          appUrl: 'https://s.example.com',
          authorizationChallenge: true,
          ...input,
        },
        operator,
      )
    for (const input of [
      {},
      { firstParty: true, requirePar: true },
      { firstParty: true, profile: 'fapi2' },
    ]) {
      expect(await create(input)).toMatchObject({ ok: false, reason: 'invalid' })
    }
    const own = await createApp(server, settings)
    expect(await updateClient(db, own.id, { firstParty: false }, operator)).toMatchObject({
      ok: false,
    })
  })

  test('an account that is disabled or not complete', async () => {
    const leaving = await createPerson(server)
    await disableAccount(db, leaving.id, 'left', operator.actor)
    expect(refused(await ask(login(leaving)))[1]).toBe('access_denied')
    const wrong = await ask({ ...login(leaving), password: 'wrong' })
    expect(wrong.body.error).toBe('insufficient_authorization')
    const newcomer = await createPerson(server)
    await pool.query(`update accounts set status = 'unverified' where id = $1`, [newcomer.id])
    expect(refused(await ask(login(newcomer)))).toEqual([403, 'redirect_to_web', undefined])
  })

  test('the grant behind it, asked for at the token endpoint', async () => {
    const grant = 'urn:idp:grant-type:authorization-challenge'
    const direct = await app.post('token', {
      client_id: app.id,
      grant_type: grant,
      ...request,
      ...login(),
    })
    expect(direct.body.error).toBe('unsupported_grant_type')
    const named = await ask({ ...login(), grant_type: 'client_credentials' })
    expect([named.status, named.body.access_token]).toEqual([200, undefined])
    const metadata = (await (await fetch(`${origin}/.well-known/openid-configuration`)).json()) as {
      grant_types_supported: string[]
    }
    expect(metadata.grant_types_supported).not.toContain(grant)
  })

  test('GET, JSON, and a field that comes twice', async () => {
    expect((await fetch(`${endpoint}?client_id=${app.id}`)).status).toBeGreaterThanOrEqual(400)
    const json = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_id: app.id, ...request, ...login() }),
    })
    expect(json.status).toBe(415)
    const body = `${new URLSearchParams({ client_id: app.id, ...request, ...login() })}&username=other`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await fetch(endpoint, { method: 'POST', headers, body })).status).toBe(400)
  })
})

describe('a code', () => {
  const code = async (by = app) => (await ask(login(), by)).body.authorization_code

  test('needs its verifier and its app, and is good once', async () => {
    expect((await redeem(await code(), { code_verifier: randomToken() })).body.error).toBe(
      'invalid_grant',
    )
    expect((await redeem(await code(), {}, confidential)).body.error).toBe('invalid_grant')
    const good = await code()
    const { body } = await redeem(good)
    expect((await redeem(good)).body.error).toBe('invalid_grant')
    expect((await app.userinfo(body.access_token)).status).toBe(401)
  })

  test('of the browser is not redeemed without its redirect URI', async () => {
    const granted = await authorize(createBrowser(server), app, person)
    expect(granted.answer.status).toBe(200)
    const begun = app.begin()
    const visitor = createBrowser(server)
    await authorize(visitor, app, person)
    const { code: theirs } = app.answerOf(begun, await visitor.get(begun.url))
    const without = await redeem(theirs, { code_verifier: begun.verifier })
    expect(without.body.error).toBe('invalid_grant')
    const named = await redeem(await code(), { redirect_uri: app.redirectUri })
    expect(named.body.error).toBe('invalid_grant')
  })
})

describe('auth_session', () => {
  const session = async (more: Parameters = {}, by = app, headers = {}) =>
    String((await ask(more, by, headers)).body.auth_session)

  test('is good once, for its app alone, and for ten minutes', async () => {
    const value = await session()
    const stolen = await ask({ auth_session: value, ...login() }, confidential)
    expect(stolen.body.error).toBe('invalid_session')
    expect((await ask({ auth_session: value, ...login() })).status).toBe(200)
    expect((await ask({ auth_session: value, ...login() })).body.error).toBe('invalid_session')
    const late = await session()
    await pool.query(`update auth_sessions set expires_at = now() - interval '1 second'`)
    expect((await ask({ auth_session: late, ...login() })).body.error).toBe('invalid_session')
  })

  test('stands nowhere in clear, nor does a password', async () => {
    const value = await session({ username: person.username, password: 'my-wrong-password' })
    const { rows } = await pool.query('select * from auth_sessions')
    const stored = JSON.stringify(rows) + server.log.join('\n')
    expect(stored).not.toContain(value)
    expect(stored).not.toContain('my-wrong-password')
    expect(rows.some(({ id_hash: hash }) => sha256(value).equals(hash))).toBe(true)
  })

  test('of twenty at once over two servers one goes on', async () => {
    const nodes = await startNodes(2)
    const one = await createPerson(nodes)
    const own = await createApp(nodes, { preset: 'native', ...settings })
    const send = (more: Parameters) =>
      own.post('authorize-challenge', { client_id: own.id, ...request, ...more })
    for (let round = 0; round < rounds; round++) {
      const { body } = await send({})
      const value = String(body.auth_session)
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => send({ auth_session: value, ...login(one) })),
      )
      const errors = answers.map(({ body: answer }) => answer.error ?? 'code')
      expect(errors.toSorted()).toEqual(['code', ...Array(19).fill('invalid_session')])
    }
  })
})

describe('keys', () => {
  const proofFor = (prover: Prover, to: string) =>
    prover.prove({ method: 'POST', url: to }).then((dpop) => ({ dpop }))

  test('a proof binds session, code and tokens to its key', async () => {
    const [prover, thief] = [await createProver(), await createProver()]
    const first = await ask({}, app, await proofFor(prover, endpoint))
    const value = String(first.body.auth_session)
    const session = { auth_session: value, ...login() }
    for (const headers of [{}, await proofFor(thief, endpoint)])
      expect((await ask(session, app, headers)).body.error).toBe('invalid_session')
    const { body } = await ask(session, app, await proofFor(prover, endpoint))
    const token = `${origin}/oauth2/token`
    const stolen = await redeem(body.authorization_code, {}, app, await proofFor(thief, token))
    expect(stolen.body.error).toBe('invalid_grant')
    const again = await ask(login(), app, await proofFor(prover, endpoint))
    expect((await redeem(again.body.authorization_code)).body.error).toBe('invalid_grant')
    const third = await ask(login(), app, await proofFor(prover, endpoint))
    const good = await redeem(third.body.authorization_code, {}, app, await proofFor(prover, token))
    expect([good.status, good.body.token_type]).toEqual([200, 'DPoP'])
  })

  test('a proof for another address or one that was used is refused', async () => {
    const prover = await createProver()
    const elsewhere = await ask(login(), app, await proofFor(prover, `${origin}/oauth2/token`))
    expect(refused(elsewhere)).toEqual([400, 'invalid_dpop_proof', undefined])
    const headers = await proofFor(prover, endpoint)
    expect((await ask(login(), app, headers)).status).toBe(200)
    expect(refused(await ask(login(), app, headers))).toEqual([400, 'invalid_grant', undefined])
  })
})

test('discovery names the endpoint while some app may use it, and not otherwise', async () => {
  const own = await startTestServer()
  const named = async () =>
    (
      (await (await fetch(`${own.origin}/.well-known/openid-configuration`)).json()) as object & {
        authorization_challenge_endpoint?: string
      }
    ).authorization_challenge_endpoint
  expect(await named()).toBeUndefined()
  const only = await createApp(own, { preset: 'native', ...settings })
  await noticed()
  expect(await named()).toBe(`${own.origin}/oauth2/authorize-challenge`)
  await disableClient(own.database.db, only.id, operator)
  await noticed()
  expect(await named()).toBeUndefined()
})
