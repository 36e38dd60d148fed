/** How long tokens of one app live, and whether its refresh tokens rotate: by its own settings, within what holds for all. */
import { decodeJwt } from 'jose'
import { afterEach, expect, test, vi } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { createClient } from '../../src/clients/create-client.ts'
import { lifetimeRanges } from '../../src/clients/rules/tokens.ts'
import { updateClient } from '../../src/clients/update-client.ts'
import { lifetimes } from '../../src/oidc/lifetimes.ts'
import { createProver } from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { type Answer, type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
const by = { actor: { kind: 'operator' } } as const
const person = await createPerson(server)
const visitor = createBrowser(server)
const minute = 60_000

afterEach(() => vi.useRealTimers())

/** Only `Date` moves; the database keeps its own time and is not asked for any here. */
function later(ms: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms })
}

const tokens = async (app: App) => (await authorize(visitor, app, person)).answer
const works = async (app: App, answer: Answer) =>
  (await app.userinfo(answer.body.access_token)).status === 200

test('access tokens live as long as the app says', async () => {
  const app = await createApp(server, { accessTokenSeconds: 120 })
  const answer = await tokens(app)
  expect(answer.body.expires_in).toBe(120)
  later(1.9 * minute)
  expect(await works(app, answer)).toBe(true)
  later(0.3 * minute)
  expect(await works(app, answer)).toBe(false)
})

test('for an API the shorter of its time and the app’s holds', async () => {
  const identifier = 'https://lifetimes.example.com'
  await createApi(db, { identifier, scopes: ['read'], tokenLifetimeSeconds: 300 }, by)
  for (const [accessTokenSeconds, expected] of [
    [60, 60],
    [3600, 300],
    [null, 300],
  ] as const) {
    const app = await createApp(server, { scope: 'openid read', accessTokenSeconds })
    const parameters = { resource: identifier, scope: 'openid read' }
    const { request, code } = await obtainCode(visitor, app, person, parameters)
    const { body } = await app.redeem(request, code, { resource: identifier })
    const { exp = 0, iat = 0 } = decodeJwt(body.access_token ?? '')
    expect(exp - iat).toBe(expected)
    const service = await createApp(server, {
      preset: 'service',
      apis: [identifier],
      accessTokenSeconds,
    })
    const own = await service.post('token', {
      grant_type: 'client_credentials',
      resource: identifier,
    })
    expect(own.body.expires_in).toBe(expected)
  }
})

test('a refresh token that is not used ends after the idle time; each use begins it anew', async () => {
  const app = await createApp(server, { refreshIdleSeconds: 600 })
  let answer = await tokens(app)
  for (let n = 0; n < 4; n++) {
    later(8 * minute)
    answer = await app.refresh(answer.body.refresh_token)
    expect(answer.status).toBe(200)
  }
  later(11 * minute)
  expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
})

test('TK-07: however often it is used, a family ends after its total time', async () => {
  for (const refreshRotation of [true, false]) {
    const app = await createApp(server, {
      refreshIdleSeconds: 600,
      refreshTotalSeconds: 1500,
      refreshRotation,
    })
    const start = Date.now()
    let answer = await tokens(app)
    for (const at of [8, 16, 24]) {
      later(start + at * minute - Date.now())
      const next = await app.refresh(answer.body.refresh_token)
      expect([at, next.status]).toEqual([at, 200])
      answer = next
    }
    later(start + 25.2 * minute - Date.now())
    expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
    vi.useRealTimers()
  }
})

test('without rotation the same refresh token stays, lives on by being used, and ends idle', async () => {
  const app = await createApp(server, { refreshRotation: false, refreshIdleSeconds: 600 })
  const { body } = await tokens(app)
  for (let n = 0; n < 4; n++) {
    later(8 * minute)
    const next = await app.refresh(body.refresh_token)
    expect(next.status).toBe(200)
    expect(next.body.refresh_token).toBe(body.refresh_token)
    expect(await works(app, next)).toBe(true)
  }
  later(11 * minute)
  expect((await app.refresh(body.refresh_token)).body.error).toBe('invalid_grant')
})

test('without rotation twenty refreshes at once all succeed, and revoking it ends them all', async () => {
  const app = await createApp(server, { refreshRotation: false })
  const { body } = await tokens(app)
  const all = await Promise.all(Array.from({ length: 20 }, () => app.refresh(body.refresh_token)))
  expect(all.map(({ status }) => status)).toEqual(Array(20).fill(200))
  await app.revoke(body.refresh_token)
  expect(await Promise.all(all.map((answer) => works(app, answer)))).toEqual(Array(20).fill(false))
  expect((await app.refresh(body.refresh_token)).body.error).toBe('invalid_grant')
})

test('a refused refresh does not lengthen a life (TK-05)', async () => {
  const app = await createApp(server, { refreshRotation: false, refreshIdleSeconds: 600 })
  const stranger = await createApp(server)
  const { body } = await tokens(app)
  later(8 * minute)
  expect((await stranger.refresh(body.refresh_token)).body.error).toBe('invalid_grant')
  expect((await app.refresh(body.refresh_token, { scope: 'openid admin' })).status).toBe(400)
  later(3 * minute)
  expect((await app.refresh(body.refresh_token)).body.error).toBe('invalid_grant')
})

test('a change holds for what is issued from then on', async () => {
  const app = await createApp(server)
  const before = await tokens(app)
  const changed = await updateClient(db, app.id, { accessTokenSeconds: 90 }, by)
  expect(changed).toMatchObject({ ok: true, narrowed: false, changed: ['access_token_lifetime'] })
  await expect.poll(async () => (await tokens(app)).body.expires_in, { timeout: 4000 }).toBe(90)
  expect(await works(app, before)).toBe(true)
  await updateClient(db, app.id, { accessTokenSeconds: null }, by)
  await expect
    .poll(async () => (await tokens(app)).body.expires_in, { timeout: 4000 })
    .toBe(lifetimes.accessToken)
})

test('only a public app whose tokens are bound may leave its refresh tokens unrotated', async () => {
  const make = (name: string, dpopBound: boolean) =>
    createClient(
      db,
      {
        name,
        preset: 'spa',
        redirectUris: ['https://spa.example.com/cb'],
        refreshRotation: false,
        dpopBound,
      },
      by,
    )
  const refused = await make('Loose', false)
  expect(refused).toMatchObject({ ok: false, problems: [{ code: 'rotation_needed' }] })
  expect(await make('Bound', true)).toMatchObject({ ok: true })
  const bound = await createApp(
    server,
    { preset: 'spa', refreshRotation: false, dpopBound: true },
    { prover: await createProver() },
  )
  const { body } = await tokens(bound)
  expect((await bound.refresh(body.refresh_token)).body.refresh_token).toBe(body.refresh_token)
})

test('a grant outlives every token that may hang on it', () => {
  const { accessTokenSeconds, refreshIdleSeconds, refreshTotalSeconds } = lifetimeRanges
  const lastSignIn = lifetimes.sessionTotal
  const lastRefresh = Math.max(lifetimes.refreshTokenTotal, refreshTotalSeconds.max)
  expect(refreshIdleSeconds.max).toBeLessThanOrEqual(refreshTotalSeconds.max)
  expect(lastSignIn + lastRefresh + accessTokenSeconds.max).toBeLessThan(lifetimes.grant)
  expect(accessTokenSeconds.max).toBeLessThanOrEqual(lifetimes.longestToken)
  expect(lifetimes.authorizationCode).toBeLessThanOrEqual(60)
})

test.each([
  ['accessTokenSeconds', 29, 'access_token_lifetime'],
  ['accessTokenSeconds', 86_401, 'access_token_lifetime'],
  ['refreshIdleSeconds', 59, 'refresh_idle'],
  ['refreshTotalSeconds', 366 * 86_400, 'refresh_total'],
  ['refreshTotalSeconds', 1.5, 'refresh_total'],
])('%s of %d is refused', async (setting, seconds, field) => {
  const input = {
    name: 'X',
    preset: 'generic',
    appUrl: 'https://x.example.com',
    [setting]: seconds,
  }
  const made = await createClient(db, input, by)
  expect(made).toMatchObject({ ok: false, problems: [{ field, code: 'lifetime_out_of_range' }] })
})

test('an idle time longer than the whole life is refused', async () => {
  const input = { name: 'X', preset: 'generic', appUrl: 'https://x.example.com' }
  const made = await createClient(
    db,
    { ...input, refreshIdleSeconds: 7200, refreshTotalSeconds: 3600 },
    by,
  )
  expect(made).toMatchObject({ ok: false, problems: [{ code: 'idle_exceeds_total' }] })
})
