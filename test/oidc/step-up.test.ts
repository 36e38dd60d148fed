/** Sign-ins as strong and as recent as an app asks: wishes, what is essential, and challenges of userinfo (RFC 9470). */
import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import type { ClientInput } from '../../src/clients/create-client.ts'
import { createClient } from '../../src/clients/create-client.ts'
import type { Visitor } from '../../src/demo/visitor.ts'
import { createClientCheck } from '../../src/oidc/validate-client.ts'
import { createIdp } from '../cli/support.ts'
import { createKey } from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson, obtainCode, walk } from '../support/person.ts'
import { type App, createApp, type Parameters, push } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db, pool, url } = server.database
const person = await createPerson(server)
const operator = { actor: { kind: 'operator' } } as const
const unmet = 'unmet_authentication_requirements'
const api = 'https://api.example.com'
let app: App

beforeAll(async () => {
  await createApi(db, { identifier: api, scopes: ['read'] }, operator)
  app = await createApp(server, { apis: [api] })
})

const asking = (acr: unknown, more: Parameters = {}): Parameters => ({
  claims: JSON.stringify({ id_token: { acr } }),
  ...more,
})
const essential = (...values: string[]) =>
  asking(values.length === 1 ? { essential: true, value: values[0] } : { essential: true, values })

async function signedIn(): Promise<Visitor> {
  const visitor = createBrowser(server)
  await authorize(visitor, app, person)
  return visitor
}

/** What a way to sign in that is still to come leaves in the session. */
async function proveMore(acr: string, amr: string[]): Promise<void> {
  await pool.query('update sessions set acr = $1, amr = $2 where account_id = $3', [
    acr,
    amr,
    person.id,
  ])
}

async function outcome(visitor: Visitor, parameters: Parameters, by = app) {
  const request = by.begin(parameters)
  const page = await visitor.get(request.url)
  return page.url.startsWith(by.redirectUri) ? by.answerOf(request, page) : { page: page.url }
}

describe('a wish', () => {
  test.each<[string, Parameters]>([
    ['acr_values', { acr_values: 'phr 2fa' }],
    ['a claim', asking({ values: ['2fa'] })],
    ['a claim without a value', asking(null)],
    ['an essential claim without a value', asking({ essential: true })],
    ['a level of somebody else\u2019s', { acr_values: 'urn:mace:incommon:iap:silver' }],
    ['what is there', { acr_values: '1fa' }],
  ])('as %s gives what was reached, and asks nobody twice', async (_, parameters) => {
    const visitor = createBrowser(server)
    const { answer } = await authorize(visitor, app, person, parameters)
    expect(decodeJwt(answer.body.id_token ?? '')).toMatchObject({ acr: '1fa', amr: ['pwd'] })
    expect((await outcome(visitor, { ...parameters, prompt: 'none' })).code).toBeTruthy()
  })
})

describe('what is essential', () => {
  test.each<[string, Parameters]>([
    ['2fa', essential('2fa')],
    ['phr', essential('phr')],
    ['either', essential('2fa', 'phr')],
    ['a level of somebody else\u2019s', essential('urn:gold')],
    ['no value of a list', asking({ essential: true, values: [] })],
    ['2fa beside a wish for less', { ...essential('2fa'), acr_values: '1fa' }],
    ['2fa without a page', { ...essential('2fa'), prompt: 'none' }],
    ['2fa with a new sign-in', { ...essential('2fa'), prompt: 'login' }],
  ])(
    '%s: whoever cannot is not let in, and the app is told with a reference',
    async (_, parameters) => {
      for (const visitor of [createBrowser(server), await signedIn()]) {
        const request = app.begin(parameters)
        // Strangers may have what it takes, and are asked for their password before anybody knows.
        const answer = app.answerOf(request, await walk(visitor, request, person))
        if (answer.error === 'login_required') continue
        expect(answer).toMatchObject({ error: unmet, iss: origin })
        expect(answer.error_uri).toMatch(/\/errors\/[2-9A-Z]{4}-[2-9A-Z]{4}$/)
        expect(answer.code).toBeUndefined()
      }
    },
  )

  test('what nobody can is told to the app at once', async () => {
    expect((await outcome(createBrowser(server), essential('urn:gold'))).error).toBe(unmet)
  })

  test('the refusal can be explained', async () => {
    const answer = await outcome(await signedIn(), { ...essential('2fa'), acr_values: 'phr' })
    const reference = answer.error_uri?.split('/').at(-1) ?? ''
    const { code, stdout } = await createIdp(url, { ISSUER: origin })(['explain', reference])
    expect(code).toBe(0)
    expect(stdout).toContain(unmet)
    expect(stdout).toContain('acr_values_supported')
    expect(stdout).toMatch(/Acr +phr/)
  })

  test('1fa, or one of several that is there, is given', async () => {
    for (const parameters of [essential('1fa'), essential('phr', '1fa')]) {
      const { answer } = await authorize(createBrowser(server), app, person, parameters)
      expect(decodeJwt(answer.body.id_token ?? '').acr).toBe('1fa')
    }
  })

  test('values that are no list are an invalid request', async () => {
    const answer = await outcome(await signedIn(), asking({ essential: true, values: '2fa' }))
    expect(answer.error).toBe('invalid_request')
  })

  test('pushed and signed requests are held to the same', async () => {
    const pushed = await push(app, app.begin(essential('phr')))
    const page = await (await signedIn()).get(pushed.url)
    expect(app.answerOf(pushed, page).error).toBe(unmet)
    const signing = await createApp(server, { requirePar: true }, { key: await createKey() })
    const strict = await push(signing, signing.begin(essential('2fa')))
    expect(signing.answerOf(strict, await (await signedIn()).get(strict.url)).error).toBe(unmet)
  })
})

describe('whoever has proven more', () => {
  test('is let through, and the app is told the value that it asked for', async () => {
    const visitor = await signedIn()
    await proveMore('phr', ['hwk', 'user', 'mfa'])
    const acrOf = async (parameters: Parameters) =>
      decodeJwt((await authorize(visitor, app, person, parameters)).answer.body.id_token ?? '').acr
    expect(await acrOf({})).toBe('phr')
    expect(await acrOf(essential('2fa'))).toBe('2fa')
    expect(await acrOf(essential('2fa', 'phr'))).toBe('phr')
    expect(await acrOf({ acr_values: '1fa' })).toBe('1fa')
    expect(await acrOf({ acr_values: 'urn:gold' })).toBe('phr')
  })

  test('is one factor again after a new sign-in with a password', async () => {
    const visitor = await signedIn()
    await proveMore('2fa', ['pwd', 'otp', 'mfa'])
    expect((await outcome(visitor, essential('2fa'))).code).toBeTruthy()
    const { answer } = await authorize(visitor, app, person, { prompt: 'login' })
    expect(decodeJwt(answer.body.id_token ?? '')).toMatchObject({ acr: '1fa', amr: ['pwd'] })
    expect((await outcome(visitor, essential('2fa'))).error).toBe(unmet)
  })

  test('a session that only says so has not', async () => {
    const visitor = await signedIn()
    await proveMore('phr', ['pwd'])
    expect((await outcome(visitor, essential('phr'))).error).toBe(unmet)
  })
})

test('ID token, signed access token, opaque one and introspection tell the same sign-in', async () => {
  const visitor = await signedIn()
  const parameters = { resource: api, scope: 'openid offline_access read' }
  const { request, code } = await obtainCode(visitor, app, person, parameters)
  const { body } = await app.redeem(request, code, { resource: api })
  const { acr, amr, auth_time: time } = decodeJwt(body.id_token ?? '')
  expect([acr, amr, typeof time]).toEqual(['1fa', ['pwd'], 'number'])
  const told = { acr, amr, auth_time: time }
  expect(decodeJwt(body.access_token ?? '')).toMatchObject(told)
  expect((await app.introspect(body.access_token)).body).toMatchObject(told)
  const opaque = await app.refresh(body.refresh_token)
  expect((await app.introspect(opaque.body.access_token)).body).toMatchObject(told)
  const again = await app.refresh(opaque.body.refresh_token, { resource: api })
  expect(decodeJwt(again.body.access_token ?? '')).toMatchObject(told)
})

describe('RFC 9470: userinfo', () => {
  test('answers an old sign-in with a challenge that leads to a new one', async () => {
    const careful = await createApp(server, { userinfoMaxAgeSeconds: 60 })
    const visitor = createBrowser(server)
    const before = (await authorize(visitor, careful, person)).answer.body
    expect((await careful.userinfo(before.access_token)).status).toBe(200)
    await pool.query(
      `update access_tokens set rest = jsonb_set(rest, '{extra,auth_time}', to_jsonb(
        (rest -> 'extra' ->> 'auth_time')::int - 61)) where client_id = $1`,
      [careful.id],
    )
    await pool.query(`update sessions set signed_in_at = signed_in_at - interval '61 seconds'`)
    const { status, headers, body } = await careful.userinfo(before.access_token)
    expect([status, body.error, body.sub]).toEqual([
      401,
      'insufficient_user_authentication',
      undefined,
    ])
    const challenge = headers.get('www-authenticate') ?? ''
    expect(challenge).toMatch(
      /^Bearer realm=.*error="insufficient_user_authentication".*max_age="60"/,
    )
    expect(challenge).not.toContain('acr_values')
    const maxAge = /max_age="(\d+)"/.exec(challenge)?.[1]
    expect((await outcome(visitor, { max_age: maxAge, prompt: 'none' }, careful)).error).toBe(
      'login_required',
    )
    const after = (await authorize(visitor, careful, person, { max_age: maxAge })).answer.body
    expect((await careful.userinfo(after.access_token)).status).toBe(200)
  })

  test('answers a weak sign-in with the level, and a strong one with claims', async () => {
    const careful = await createApp(server, { userinfoAcr: '2fa' })
    const visitor = createBrowser(server)
    const { access_token: weak } = (await authorize(visitor, careful, person)).answer.body
    const refused = await careful.userinfo(weak)
    expect([refused.status, refused.body.error]).toEqual([401, 'insufficient_user_authentication'])
    const challenge = refused.headers.get('www-authenticate') ?? ''
    expect(challenge).toContain('acr_values="2fa"')
    const acrValues = /acr_values="([^"]+)"/.exec(challenge)?.[1]
    const wished = await authorize(visitor, careful, person, { acr_values: acrValues })
    expect((await careful.userinfo(wished.answer.body.access_token)).status).toBe(401)
    await proveMore('phr', ['swk', 'user', 'mfa'])
    const strong = await authorize(visitor, careful, person, { acr_values: acrValues })
    expect((await careful.userinfo(strong.answer.body.access_token)).body.sub).toBe(person.id)
    expect((await careful.userinfo(weak)).status).toBe(401)
  })

  test('asks nothing of other apps', async () => {
    const { answer } = await authorize(createBrowser(server), app, person)
    expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
  })
})

describe('default values of a client', () => {
  const create = (input: Partial<ClientInput>) =>
    createClient(
      db,
      {
        name: `Default ${Math.random()}`,
        preset: 'generic',
        appUrl: 'https://d.example.com',
        ...input,
      },
      { ...operator, engineCheck: createClientCheck(origin) },
    )

  test('are a wish like acr_values, and give way to it', async () => {
    const wishing = await createApp(server, { defaultAcrValues: ['1fa'] })
    const visitor = createBrowser(server)
    await authorize(visitor, wishing, person)
    await proveMore('2fa', ['pwd', 'otp', 'mfa'])
    const acrOf = async (parameters: Parameters) =>
      decodeJwt((await authorize(visitor, wishing, person, parameters)).answer.body.id_token ?? '')
        .acr
    expect(await acrOf({})).toBe('1fa')
    expect(await acrOf({ acr_values: '2fa' })).toBe('2fa')
  })

  test('are levels that can be reached here', async () => {
    expect((await create({ defaultAcrValues: ['1fa'] })).ok).toBe(true)
    for (const acr of ['silver', 'gold'])
      expect((await create({ defaultAcrValues: [acr] })).ok).toBe(false)
  })

  test('discovery names the levels that somebody can reach', async () => {
    const metadata = await (await fetch(`${origin}/.well-known/openid-configuration`)).json()
    expect(metadata).toMatchObject({
      acr_values_supported: ['1fa', '2fa', 'phr'],
      claims_supported: expect.arrayContaining(['acr', 'amr', 'auth_time']),
    })
  })
})
