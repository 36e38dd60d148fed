/**
 * Clients whose id is the address of a document (draft-ietf-oauth-client-id-metadata-document): only of allowed hosts,
 * fetched through the guard and seldom, judged as every client is, and shown to people as what they are.
 */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { deleteApi, updateApi } from '../../src/clients/change-api.ts'
import { addMetadataHost, removeMetadataHost } from '../../src/clients/metadata-hosts.ts'
import { documentSeconds } from '../../src/oidc/metadata-documents.ts'
import { createIdp } from '../cli/support.ts'
import { listenAt } from '../outgoing/listener.ts'
import { createKey } from '../support/client-keys.ts'
import { createDocumentHost, redirectPath } from '../support/document-host.ts'
import { authorize, createBrowser, createPerson, isConsent, obtainCode } from '../support/person.ts'
import { createApp, playApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const [agents, strangers] = [await createDocumentHost(), await createDocumentHost()]
const redirected = await listenAt('127.0.0.1', (_, response) => response.end('{}'))
const env = { ALLOW_PRIVATE_TARGETS: `${agents.host},127.0.0.1:${redirected.port}` }
const server = await startTestServer({ env })
const other = await startTestServer({
  env,
  database: server.database,
  dataDir: server.config.dataDir,
})
const { origin, database } = server
const { db } = database
const operator = { actor: { kind: 'operator' as const } }
const standard = ['openid', 'profile', 'email', 'offline_access']
const resource = 'https://notes.example.org'
const person = await createPerson(server)

beforeAll(async () => {
  await createApi(db, { identifier: resource, scopes: ['notes:read', 'notes:write'] }, operator)
  await allow()
})
afterEach(() => void vi.useRealTimers())

async function allow(scopes = [...standard, 'notes:read'], host = agents.host) {
  const done = await addMetadataHost(db, { host, scopes, apis: [] }, operator)
  expect(done.ok).toBe(true)
  await settled()
}

/** Both processes look once a second. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 1500))

const played = (id: string, at = origin, redirectUri = `https://${agents.host}${redirectPath}`) =>
  playApp({ origin: at, id, secret: undefined, method: 'none', scope: 'openid', redirectUri })

const start = (id: string, at = origin, parameters = {}) =>
  fetch(played(id, at).begin(parameters).url, { redirect: 'manual' })

/** The error of an authorization request with this id: nobody is sent anywhere. */
async function refusalOf(id: string, at = origin): Promise<string> {
  const response = await start(id, at)
  expect([id, response.status, response.headers.get('location')]).toEqual([id, 400, null])
  const page = await response.text()
  return page
}

const timesAsked = (path: string) => agents.asked.filter((asked) => asked === path).length

const discovery = async (at = origin) =>
  (await (await fetch(`${at}/.well-known/oauth-authorization-server`)).json()) as Record<
    string,
    unknown
  >

test('an app that nobody registered signs a person in, and is one fetch', async () => {
  const id = agents.publish('/agent.json')
  const app = { ...played(id) }
  const visitor = createBrowser(server)
  const { answer } = await authorize(visitor, app, person, { scope: 'openid offline_access' })
  expect(answer.status).toBe(200)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
  expect((await app.refresh(answer.body.refresh_token)).status).toBe(200)
  expect((await app.revoke(answer.body.access_token)).status).toBe(200)
  expect(timesAsked('/agent.json')).toBe(1)
  const elsewhere = await start(id, other.origin)
  expect(elsewhere.headers.get('location')).toContain('/sign-in/')
  expect(timesAsked('/agent.json')).toBe(2)
})

test('a native app: any port of this machine, without saying what it is', async () => {
  const id = agents.publish('/native.json', {
    redirect_uris: ['http://127.0.0.1/cb', 'http://[::1]/cb'],
  })
  const app = played(id, origin, 'http://127.0.0.1:51004/cb')
  const { answer } = await authorize(createBrowser(server), app, person)
  expect(answer.status).toBe(200)
})

test('a key of its own proves an app that has one', async () => {
  const key = await createKey()
  const id = agents.publish('/keyed.json', {
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [key.publicJwk] },
  })
  const { redirectUri } = played(id)
  const app = playApp({
    origin,
    id,
    secret: undefined,
    method: 'private_key_jwt',
    redirectUri,
    key,
  })
  const asked = await obtainCode(createBrowser(server), app, person)
  expect((await played(id).redeem(asked.request, asked.code)).status).toBe(401)
  expect((await app.redeem(asked.request, asked.code)).status).toBe(200)
})

test('people are told which host speaks for it, that nobody has checked it, and are asked', async () => {
  const id = agents.publish('/shown.json', { client_name: 'Your Bank', first_party: true })
  const visitor = createBrowser(server)
  const page = await visitor.press(await visitor.get(played(id).begin().url), 'continue', {
    identifier: person.username,
    password: person.password,
  })
  expect(isConsent(page)).toBe(true)
  const words = page.body.replaceAll(/<[^>]+>/g, '')
  expect(words).toContain(`This app is what ${agents.host} says it is. Nobody here has checked it.`)
})

test('an app of an admin is not called unchecked', async () => {
  const visitor = createBrowser(server)
  const app = await createApp(server)
  const page = await visitor.press(await visitor.get(app.begin().url), 'continue', {
    identifier: person.username,
    password: person.password,
  })
  expect(isConsent(page)).toBe(true)
  expect(page.body).not.toContain('id="unverified"')
})

test('it may ask for what its host may, and an API among that', async () => {
  const id = agents.publish('/api.json', { scope: 'openid notes:read notes:write groups account' })
  const app = played(id)
  const scope = 'openid notes:read notes:write'
  const asked = await obtainCode(createBrowser(server), app, person, { scope, resource })
  const answer = await app.redeem(asked.request, asked.code, { resource })
  expect([answer.status, answer.body.scope]).toEqual([200, 'notes:read'])
  const groups = await start(id, origin, { scope: 'openid groups' })
  expect(groups.headers.get('location')).toContain('error=invalid_scope')
})

test('an API that comes later with a scope of the same name is not meant, and one that goes harms nobody', async () => {
  const later = 'https://later.example.org'
  await createApi(db, { identifier: later, scopes: ['notes:read'] }, operator)
  await settled()
  const app = played(agents.publish('/later.json'))
  const scope = 'openid notes:read'
  const asked = await obtainCode(createBrowser(server), app, person, { scope, resource })
  const answer = await app.redeem(asked.request, asked.code, { resource })
  expect(answer.body.scope).toBe('notes:read')
  const wrong = await start(app.id, origin, { scope, resource: later })
  expect(wrong.headers.get('location')).toContain('error=invalid_target')
  await deleteApi(db, later, operator)
  await updateApi(db, resource, { removeScopes: ['notes:read'] }, operator)
  await settled()
  expect((await start(app.id)).status).toBe(303)
  await updateApi(db, resource, { addScopes: ['notes:read'] }, operator)
  await settled()
})

test('PKCE is required, and nothing that only an admin sets is taken', async () => {
  const id = agents.publish('/planted.json', {
    pkce_required: false,
    first_party: true,
    profile: null,
    access_token_seconds: 86_400,
    apis: [resource],
  })
  const response = await start(id, origin, {
    code_challenge: undefined,
    code_challenge_method: undefined,
  })
  expect(response.headers.get('location')).toContain('error=invalid_request')
})

describe('no other host', () => {
  test('SS: nothing is fetched for one that is not allowed, and the page says no more than for any unknown id', async () => {
    const id = strangers.publish('/agent.json')
    await refusalOf(id)
    const { body, status } = await played(id).post('token', { grant_type: 'authorization_code' })
    expect([status, body.error]).toEqual([401, 'invalid_client'])
    expect(strangers.asked).toEqual([])
  })

  test.each([
    ['another scheme', (host: string) => `http://${host}/a.json`],
    ['no path', (host: string) => `https://${host}/`],
    ['no path at all', (host: string) => `https://${host}`],
    ['a query', (host: string) => `https://${host}/a.json?n=1`],
    ['a fragment', (host: string) => `https://${host}/a.json#f`],
    ['a user name', (host: string) => `https://me@${host}/a.json`],
    ['a dotted path', (host: string) => `https://${host}/x/../a.json`],
    ['an encoded dotted path', (host: string) => `https://${host}/x/%2e%2e/a.json`],
    ['capitals', (host: string) => `HTTPS://${host}/a.json`],
    ['a space', (host: string) => `https://${host}/a .json`],
    ['a backslash', (host: string) => `https://${host}\\@evil.example/a.json`],
    ['another host that begins alike', (host: string) => `https://${host}.evil.example/a.json`],
    ['a long path', (host: string) => `https://${host}/${'a'.repeat(600)}`],
  ])('an id with %s is nobody', async (_, make) => {
    const before = agents.asked.length
    await refusalOf(make(agents.host))
    expect(agents.asked.length).toBe(before)
  })

  test('SS-01, SS-02: an allowed name that leads inside is not connected to', async () => {
    const inside = await listenAt('127.0.0.1')
    await allow(standard, `127.0.0.1:${inside.port}`)
    const page = await refusalOf(`https://127.0.0.1:${inside.port}/latest/meta-data`)
    expect(page).toContain('cannot be fetched (private)')
    expect(inside.connections()).toBe(0)
  })

  test('SS-13: our own issuer is not asked', async () => {
    const { host } = new URL(origin)
    await allow(standard, host)
    expect(await refusalOf(`https://${host}/client.json`)).toContain('cannot be fetched')
  })
})

describe('a document that is refused makes no client', () => {
  const big = 'a'.repeat(11_000)
  test.each([
    ['names another id', { client_id: 'https://evil.example/a' }, {}, 'another client_id'],
    ['differs by a slash', { client_id: 'https://127.0.0.1/other/' }, {}, 'another client_id'],
    ['holds a secret', { client_secret: 'hush' }, {}, 'client_secret'],
    ['holds the end of one', { client_secret_expires_at: 0 }, {}, 'client_secret_expires_at'],
    ['wants Basic', { token_endpoint_auth_method: 'client_secret_basic' }, {}, 'auth_method'],
    ['wants a shared key', { token_endpoint_auth_method: 'client_secret_jwt' }, {}, 'auth_method'],
    ['has no keys', { token_endpoint_auth_method: 'private_key_jwt' }, {}, 'jwks'],
    [
      'shows a private key',
      { jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AA', d: 'AA' }] } },
      {},
      'jwks',
    ],
    ['leads elsewhere', { redirect_uris: ['https://evil.example/cb'] }, {}, 'redirect_uris'],
    ['leads over http', { redirect_uris: ['http://evil.example/cb'] }, {}, 'redirect_uris'],
    ['leads to a script', { redirect_uris: ['javascript:alert(1)'] }, {}, 'redirect_uris'],
    ['leads to a scheme', { redirect_uris: ['com.example.app:/cb'] }, {}, 'redirect_uris'],
    ['leads nowhere', { redirect_uris: [] }, {}, 'redirect_uris'],
    [
      'leads elsewhere afterwards',
      { post_logout_redirect_uris: ['https://evil.example/'] },
      {},
      'post_logout',
    ],
    [
      'begins sign-ins elsewhere',
      { initiate_login_uri: 'https://evil.example/login' },
      {},
      'initiate_login_uri',
    ],
    ['has a name that is markup', { client_name: '<b>' }, {}, 'client_name'],
    ['has a logo over http', { logo_uri: 'http://127.0.0.1/l.png' }, {}, 'logo_uri'],
    ['has keys over http', { jwks_uri: 'http://127.0.0.1/keys' }, {}, 'jwks_uri'],
    ['wants an algorithm of none', { id_token_signed_response_alg: 'none' }, {}, 'id_token_signed'],
    ['is a list', {}, { body: [] }, 'JSON object'],
    ['is no JSON', {}, { body: '{' }, 'not JSON'],
    ['is a page', {}, { headers: { 'content-type': 'text/html' } }, 'served as JSON'],
    ['is not there', {}, { status: 404 }, 'answers 404'],
    [
      'is a redirect',
      {},
      { status: 302, headers: { location: `http://127.0.0.1:${redirected.port}/` } },
      'answers 302',
    ],
    ['is too large', { padding: big }, {}, 'too-large'],
    ['comes slowly', {}, { slow: true }, 'timeout'],
  ])('it %s', async (name, document, more, words) => {
    const path = `/${name.replaceAll(' ', '-')}`
    const id = agents.publish(path, document, more)
    const page = await refusalOf(id)
    expect(page).toContain(words)
    expect(page).not.toContain('evil.example')
    expect(redirected.connections()).toBe(0)
  })
})

describe('seldom', () => {
  test('fifty people at once are one fetch, and a refusal is not asked for at every try', async () => {
    const id = agents.publish('/crowd.json')
    await Promise.all(Array.from({ length: 50 }, () => start(id)))
    expect(timesAsked('/crowd.json')).toBe(1)
    const bad = agents.publish('/bad.json', { client_secret: 'x' })
    for (let n = 0; n < 5; n++) await refusalOf(bad)
    expect(timesAsked('/bad.json')).toBe(1)
  })

  test.each([
    ['max-age=1', documentSeconds.min],
    ['no-store', documentSeconds.min],
    ['max-age=99999999', documentSeconds.max],
    ['public, max-age=600', 600],
    [undefined, documentSeconds.min],
  ])('Cache-Control: %s keeps it for %i seconds', async (control, seconds) => {
    const path = `/kept-${seconds}-${control?.length}`
    const headers = control ? { 'cache-control': control } : {}
    const id = agents.publish(path, {}, { headers: headers as Record<string, string> })
    const begun = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: begun })
    await start(id)
    vi.setSystemTime(begun + (seconds - 2) * 1000)
    await start(id)
    expect(timesAsked(path)).toBe(1)
    vi.setSystemTime(begun + (seconds + 2) * 1000)
    await start(id)
    expect(timesAsked(path)).toBe(2)
  })

  test('a host that is away takes nothing back; a document that was taken down does', async () => {
    const path = '/away.json'
    const id = agents.publish(path)
    const begun = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: begun })
    const signsIn = async () => (await start(id)).status === 303
    expect(await signsIn()).toBe(true)
    agents.publish(path, {}, { status: 503 })
    vi.setSystemTime(begun + 70_000)
    expect(await signsIn()).toBe(true)
    agents.publish(path, {}, { status: 404 })
    vi.setSystemTime(begun + 140_000)
    expect(await signsIn()).toBe(false)
  })

  test('strangers cannot make us fetch without end, and known apps go on meanwhile', async () => {
    const strict = await startTestServer({
      env: { ...env, LIMIT_FACTOR: '1' },
      database: database,
      dataDir: server.config.dataDir,
    })
    const id = agents.publish('/known.json')
    expect((await start(id, strict.origin)).status).toBe(303)
    const before = agents.asked.length
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const response = await start(`https://${agents.host}/made-up-${n}`, strict.origin)
        return response.status
      }),
    )
    expect(new Set(statuses)).toEqual(new Set([400, 429]))
    expect(agents.asked.length - before).toBeLessThanOrEqual(10)
    expect((await start(id, strict.origin)).status).toBe(303)
  })
})

test('a host that is removed is nobody’s within two seconds, in every process, with its tokens and consents', async () => {
  const id = agents.publish('/removed.json')
  const app = played(id)
  const { answer } = await authorize(createBrowser(server), app, person, {
    scope: 'openid offline_access',
  })
  const keeps = await createApp(server)
  const kept = await authorize(createBrowser(server), keeps, person)
  expect((await start(id, other.origin)).status).toBe(303)
  expect((await discovery()).client_id_metadata_document_supported).toBe(true)
  await removeMetadataHost(db, agents.host, operator)
  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
  const statuses = async () => [(await start(id)).status, (await start(id, other.origin)).status]
  await expect.poll(statuses, { timeout: 2000 }).toEqual([400, 400])
  expect((await app.refresh(answer.body.refresh_token)).status).toBe(401)
  expect((await keeps.userinfo(kept.answer.body.access_token)).status).toBe(200)
  const { rows } = await database.pool.query(
    `select 1 from grants where client_id like 'https://%' union all select 1 from consents where client_id like 'https://%'`,
  )
  expect(rows).toEqual([])
  // Nothing of before comes back with the host.
  await allow()
  expect((await start(id)).status).toBe(303)
  expect((await app.refresh(answer.body.refresh_token)).status).toBe(400)
})

test('a refused request is explained, and who is signed in there can be ended by the id', async () => {
  const idp = createIdp(database.url, { ISSUER: origin })
  const referenceIn = (text: string) => /[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}/.exec(text)?.[0] ?? ''
  const id = agents.publish('/explained.json')
  const wrong = await start(id, origin, { redirect_uri: `https://${agents.host}${redirectPath}/` })
  const told = await idp(['explain', referenceIn(await wrong.text())])
  expect(told.stdout).toContain('a slash at the end')
  expect(told.stdout).toContain('whoever runs it has to mend that')
  const unknown = await idp(['explain', referenceIn(await refusalOf(strangers.publish('/x.json')))])
  expect(unknown.stdout).toContain(`idp metadata-hosts add ${strangers.host}`)
  const app = played(id)
  const { answer } = await authorize(createBrowser(server), app, person)
  const ended = await idp(['sessions', 'revoke', '--client', id])
  expect([ended.code, ended.stderr]).toEqual([
    0,
    expect.stringContaining('grants with their tokens: 1'),
  ])
  expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
})

test('discovery says so exactly while there is a host', async () => {
  const fresh = await startTestServer()
  const promised = async () => (await discovery(fresh.origin)).client_id_metadata_document_supported
  expect(await promised()).toBeUndefined()
  await addMetadataHost(
    fresh.database.db,
    { host: 'a.example', scopes: standard, apis: [] },
    operator,
  )
  await expect.poll(promised, { timeout: 2000 }).toBe(true)
  await removeMetadataHost(fresh.database.db, 'a.example', operator)
  await expect.poll(promised, { timeout: 2000 }).toBeUndefined()
})
