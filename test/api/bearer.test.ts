/** Whose token opens our own API: ours, for it, alive, with its key and its scope; and what is answered to all others. */
import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { deleteApi, updateApi } from '../../src/clients/change-api.ts'
import { bumpVersion } from '../../src/database/versions.ts'
import type { Visitor } from '../../src/demo/visitor.ts'
import { revokeSessions } from '../../src/sessions/end-sessions.ts'
import { makeCertificate } from '../support/certificates.ts'
import { createProver } from '../support/client-keys.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  obtainCode,
  type Person,
} from '../support/person.ts'
import { type App, createApp, type Parameters } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const header = 'x-client-cert'
let server: TestServer
let app: App
let own: string

beforeAll(async () => {
  const env = {
    CLIENT_CERT_HEADER: header,
    TRUSTED_PROXIES: '127.0.0.0/8,::1',
    BRAND_NAME: 'Hearth',
  }
  server = await startTestServer({ env, crontab: '' })
  own = `${server.origin}/api`
  app = await createApp(server, { scope: 'openid profile account offline_access' })
})

/** A person with a token for our API. */
async function signedIn(of: App = app, scope = 'openid account') {
  const person = await createPerson(server)
  const browser = createBrowser(server)
  const token = await tokenOf(of, person, browser, { scope, resource: own })
  expect(decodeJwt(token).aud).toBe(own)
  return { person, browser, token }
}

async function tokenOf(of: App, person: Person, browser: Visitor, asked: Parameters) {
  const { request, code } = await obtainCode(browser, of, person, asked)
  const { body } = await of.redeem(request, code, { resource: asked.resource })
  return String(body.access_token)
}

async function call(authorization: string | undefined, headers: Record<string, string> = {}) {
  const response = await fetch(`${own}/account`, {
    headers: { ...(authorization === undefined ? {} : { authorization }), ...headers },
  })
  const body = (await response.json()) as { code?: string; id?: string; scopes?: string }
  const { status } = response
  return {
    status,
    body,
    challenge: response.headers.get('www-authenticate'),
    headers: response.headers,
  }
}

const outcome = ({ status, body }: Awaited<ReturnType<typeof call>>) => [status, body.code]
const invalid = [401, 'invalid_token']

async function isPerson(answer: Promise<Awaited<ReturnType<typeof call>>>, person: Person) {
  const { status, body } = await answer
  expect([status, body.id]).toEqual([200, person.id])
}

describe('a token for it', () => {
  test('opens the account of whoever allowed it, after words that say what that is', async () => {
    const person = await createPerson(server)
    const browser = createBrowser(server)
    const page = await browser.get(app.begin({ scope: 'openid account', resource: own }).url)
    const asked = await browser.press(page, 'continue', {
      identifier: person.username,
      password: person.password,
    })
    expect(asked.body).toContain('Use <b dir="auto">Hearth</b> for you')
    expect(asked.body).toContain('Manage your account')
    const chinese = await browser.get(`${asked.url}?ui_locales=zh-CN`)
    expect(chinese.body).toContain('管理你的账号')
    const { person: other, token } = await signedIn()
    await isPerson(call(`Bearer ${token}`), other)
    await isPerson(call(`bearer ${token}`), other)
  })

  test('may be opaque as well', async () => {
    const { db } = server.database
    const by = { actor: { kind: 'operator' as const } }
    await updateApi(db, own, { tokenFormat: 'opaque' }, by)
    await expect
      .poll(async () => {
        const { body } = await (await fetchToken('service-settings')).answer
        return String(body.access_token).includes('.')
      })
      .toBe(false)
    const person = await createPerson(server)
    const asked = { scope: 'openid account', resource: own }
    const token = await tokenOf(app, person, createBrowser(server), asked)
    await isPerson(call(`Bearer ${token}`), person)
    await app.revoke(token)
    expect(outcome(await call(`Bearer ${token}`))).toEqual(invalid)
    await updateApi(db, own, { tokenFormat: 'jwt' }, by)
    await expect
      .poll(async () => {
        const { body } = await (await fetchToken('service-settings')).answer
        return String(body.access_token).includes('.')
      })
      .toBe(true)
  })

  test('has its metadata where RFC 9728 looks for it, and a challenge leads there', async () => {
    const { challenge, status, body } = await call(undefined)
    expect([status, body.code]).toEqual([401, 'token_required'])
    expect(challenge).toContain('Bearer scope="account"')
    expect(challenge).not.toContain('error=')
    const [, at = ''] = /resource_metadata="([^"]+)"/.exec(challenge ?? '') ?? []
    expect(await (await fetch(at)).json()).toMatchObject({
      resource: own,
      resource_name: 'Hearth',
      authorization_servers: [server.origin],
      scopes_supported: [
        'account',
        'admin:read',
        'admin:write',
        'access:evaluate',
        'service-settings',
      ],
    })
  })
})

let service: Promise<App> | undefined
async function fetchToken(scope: string, resource = own) {
  service ??= createApp(server, {
    preset: 'service',
    scope: 'account admin:read admin:write access:evaluate service-settings',
  })
  const worker = await service
  const answer = worker.post('token', { grant_type: 'client_credentials', scope, resource })
  return { worker, answer }
}

describe('what a service asks for itself', () => {
  test.each(['admin:read admin:write', 'access:evaluate', 'service-settings'])(
    'is %s',
    async (scope) => {
      const { answer } = await fetchToken(scope)
      const { body } = await answer
      expect(decodeJwt(String(body.access_token))).toMatchObject({ aud: own, scope })
    },
  )

  test('is never an account: nobody stands behind it', async () => {
    const { answer } = await fetchToken('admin:read account')
    expect((await answer).body.error).toBe('invalid_scope')
    const { body } = await (await fetchToken('admin:read')).answer
    expect(outcome(await call(`Bearer ${body.access_token}`))).toEqual([403, 'insufficient_scope'])
  })

  test('lets it learn nothing about tokens of others for our API', async () => {
    const { token } = await signedIn()
    const { worker } = await fetchToken('admin:read')
    expect((await worker.introspect(token)).body).toEqual({ active: false })
    expect((await app.introspect(token)).body).toMatchObject({ active: true, aud: own })
  })
})

describe('what does not open it', () => {
  test('tokens of other kinds and for others', async () => {
    const { person, browser } = await signedIn()
    const other = 'https://files.example.org'
    await createApi(
      server.database.db,
      { identifier: other, scopes: ['account'] },
      { actor: { kind: 'operator' } },
    )
    const both = await createApp(server, { scope: 'openid account', apis: [other] })
    const files = await tokenOf(both, person, browser, { scope: 'openid account', resource: other })
    await deleteApi(server.database.db, other, { actor: { kind: 'operator' } })
    const plain = await authorize(browser, app, person, { scope: 'openid profile' })
    const { id_token: idToken, access_token: ofUserinfo } = plain.answer.body
    for (const value of [idToken, ofUserinfo, files, 'x', 'a.b.c', `${files}x`]) {
      const answer = await call(`Bearer ${value}`)
      expect(outcome(answer), value).toEqual(invalid)
      expect(answer.challenge).toContain('error="invalid_token"')
    }
  })

  test('a token anywhere but in the header', async () => {
    const { token } = await signedIn()
    const inQuery = await fetch(`${own}/account?access_token=${token}`)
    const inCookie = await fetch(`${own}/account`, { headers: { cookie: `access_token=${token}` } })
    expect([inQuery.status, inCookie.status]).toEqual([401, 401])
    expect(outcome(await call(`Basic ${token}`))).toEqual([401, 'token_required'])
  })

  test('a session of ours without a token', async () => {
    const { browser } = await signedIn()
    const page = await browser.get(`${own}/account`)
    expect(page.body).toContain('token_required')
  })

  test('a token without the scope', async () => {
    const lesser = await createApp(server, { scope: 'openid account admin:read' })
    const { token } = await signedIn(lesser, 'openid admin:read')
    const answer = await call(`Bearer ${token}`)
    expect(outcome(answer)).toEqual([403, 'insufficient_scope'])
    expect(answer.challenge).toContain('scope="account"')
  })

  test('a token whose app may not ask for the scope any more, whatever it hangs on', async () => {
    const narrowed = await createApp(server, { scope: 'openid account' })
    const { token, person } = await signedIn(narrowed)
    await isPerson(call(`Bearer ${token}`), person)
    const { db, pool } = server.database
    await pool.query("update client_apis set scopes = '{admin:read}' where client_id = $1", [
      narrowed.id,
    ])
    await bumpVersion(db, 'clients')
    await expect
      .poll(async () => outcome(await call(`Bearer ${token}`)), { timeout: 5000 })
      .toEqual([403, 'insufficient_scope'])
  })

  test('an address in another spelling, past what is decided by the path', async () => {
    const { token } = await signedIn()
    const headers = { authorization: `Bearer ${token}` }
    const paths = ['/API/account', '/api/account/', '/api/Account', '/API/openapi.json']
    paths.push('/API/registrations/usernames/ada', '/Register', '/register/', '/reset-password/')
    for (const path of paths) {
      expect([path, (await fetch(`${server.origin}${path}`, { headers })).status]).toEqual([
        path,
        404,
      ])
    }
    for (const path of ['/API/password-resets', '/api/password-resets/', '/api/registrations/']) {
      const posted = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
      expect([path, (await fetch(`${server.origin}${path}`, posted)).status]).toEqual([path, 404])
    }
  })

  test('a token whose session, grant, account or app has ended', async () => {
    const { db } = server.database
    const operator = { actor: { kind: 'operator' as const } }
    const [ended, disabled] = [await signedIn(), await signedIn()]
    await isPerson(call(`Bearer ${disabled.token}`), disabled.person)
    await revokeSessions(db, { accountId: ended.person.id }, operator)
    await db
      .updateTable('accounts')
      .set({ status: 'disabled' })
      .where('id', '=', disabled.person.id)
      .execute()
    expect(outcome(await call(`Bearer ${ended.token}`))).toEqual(invalid)
    expect(outcome(await call(`Bearer ${disabled.token}`))).toEqual(invalid)
  })
})

describe('a token that is bound to a key', () => {
  test('comes with a proof, which is good once, for this address and this token', async () => {
    const prover = await createProver()
    const bound = await createApp(server, { scope: 'openid account' }, { prover })
    const { person, token } = await signedIn(bound)
    const url = `${own}/account`
    const proof = () => prover.prove({ method: 'GET', url, accessToken: token })
    const first = await proof()
    await isPerson(call(`DPoP ${token}`, { dpop: first }), person)
    expect(outcome(await call(`DPoP ${token}`, { dpop: first }))).toEqual([
      401,
      'invalid_dpop_proof',
    ])

    expect(outcome(await call(`Bearer ${token}`))).toEqual(invalid)
    expect(outcome(await call(`Bearer ${token}`, { dpop: await proof() }))).toEqual(invalid)
    const without = await call(`DPoP ${token}`)
    expect(outcome(without)).toEqual([401, 'invalid_dpop_proof'])
    expect(without.challenge).toMatch(/^DPoP error="invalid_dpop_proof", algs="ES256 /)
    const others = [
      await prover.prove({ method: 'POST', url, accessToken: token }),
      await prover.prove({ method: 'GET', url: `${own}/other`, accessToken: token }),
      await prover.prove({ method: 'GET', url, accessToken: 'another' }),
      await prover.prove({ method: 'GET', url }),
    ]
    for (const dpop of others) {
      expect(outcome(await call(`DPoP ${token}`, { dpop }))).toEqual([401, 'invalid_dpop_proof'])
    }
    const thief = await createProver()
    const dpop = await thief.prove({ method: 'GET', url, accessToken: token })
    expect(outcome(await call(`DPoP ${token}`, { dpop }))).toEqual(invalid)
  })

  test('of an app that is held to proofs needs our nonce, which it is told', async () => {
    const prover = await createProver()
    const held = await createApp(server, { scope: 'openid account', dpopBound: true }, { prover })
    const { person, token } = await signedIn(held)
    const url = `${own}/account`
    const { nonce } = prover
    prover.nonce = undefined
    const first = await call(`DPoP ${token}`, {
      dpop: await prover.prove({ method: 'GET', url, accessToken: token }),
    })
    expect(outcome(first)).toEqual([401, 'use_dpop_nonce'])
    prover.nonce = first.headers.get('dpop-nonce') ?? undefined
    expect(prover.nonce).toBe(nonce)
    const dpop = await prover.prove({ method: 'GET', url, accessToken: token })
    await isPerson(call(`DPoP ${token}`, { dpop }), person)
  })

  test('of one proof twenty times at once, one is let in', async () => {
    const prover = await createProver()
    const bound = await createApp(server, { scope: 'openid account' }, { prover })
    const { token } = await signedIn(bound)
    const dpop = await prover.prove({ method: 'GET', url: `${own}/account`, accessToken: token })
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => call(`DPoP ${token}`, { dpop })),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  test('or to a certificate comes with that', async () => {
    const [mine, another] = [
      makeCertificate({ subject: [['CN', 'a']] }),
      makeCertificate({ subject: [['CN', 'b']] }),
    ]
    const send: typeof fetch = (url, init) =>
      fetch(url, {
        ...init,
        headers: {
          ...(init?.headers as Record<string, string>),
          [header]: encodeURIComponent(mine.cert),
        },
      })
    const bound = await createApp(
      server,
      { scope: 'openid account', certificateBound: true },
      { send },
    )
    const { person, token } = await signedIn(bound)
    const shown = (made: { cert: string }) => ({ [header]: encodeURIComponent(made.cert) })
    await isPerson(call(`Bearer ${token}`, shown(mine)), person)
    expect(outcome(await call(`Bearer ${token}`))).toEqual(invalid)
    expect(outcome(await call(`Bearer ${token}`, shown(another)))).toEqual(invalid)
  })

  test('or to nothing is no DPoP token', async () => {
    const prover = await createProver()
    const { token } = await signedIn()
    const dpop = await prover.prove({ method: 'GET', url: `${own}/account`, accessToken: token })
    expect(outcome(await call(`DPoP ${token}`, { dpop }))).toEqual(invalid)
  })
})

describe('apps in a browser', () => {
  test('may call it from their own origin with a token, and never by a cookie', async () => {
    const { token } = await signedIn()
    const origin = 'https://spa.example.com'
    const asked = await fetch(`${own}/account`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'PATCH',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(asked.status).toBe(204)
    expect(asked.headers.get('access-control-allow-headers')).toMatch(/authorization.*dpop/i)
    const { headers } = await call(`Bearer ${token}`, { origin })
    const refused = await call('Bearer x', { origin })
    for (const each of [asked.headers, headers, refused.headers]) {
      expect(each.get('access-control-allow-origin')).toBe('*')
      expect(each.get('access-control-allow-credentials')).toBeNull()
    }
    expect(refused.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
  })
})
