/** Secrets of apps: how they may come, how often they may be wrong, and what happens while they change. */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { expect, test } from 'vitest'
import { rotateSecret } from '../../src/clients/client-life.ts'
import { secretMatches } from '../../src/clients/clients.ts'
import { randomToken, sha256 } from '../../src/crypto.ts'
import { type App, createApp, type Parameters } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({
  env: { LIMIT_FACTOR: '1', TRUSTED_PROXIES: '127.0.0.1,::1' },
})
const { db } = server.database
const by = { actor: { kind: 'operator' } } as const
const grant = { grant_type: 'refresh_token', refresh_token: 'unknown' }

/** The answer to a proven app is `invalid_grant`, to anybody else one of these. */
const unproven = /^invalid_(client|request)$/
const asBasic = (app: App, secret: string | undefined, headers = {}) =>
  app.post('token', grant, {
    authorization: `Basic ${Buffer.from(`${app.id}:${secret}`).toString('base64')}`,
    ...headers,
  })
const asForm = (app: App, secret: string | undefined) =>
  app.post('token', { ...grant, client_id: app.id, client_secret: secret } as Parameters, {
    authorization: '',
  })

test('a generic app may send its secret by Basic or in the form', async () => {
  const generic = await createApp(server)
  expect((await asBasic(generic, generic.secret)).body.error).toBe('invalid_grant')
  expect((await asForm(generic, generic.secret)).body.error).toBe('invalid_grant')
})

test('a public app cannot pass for a confidential one, nor the other way round', async () => {
  const spa = await createApp(server, { preset: 'spa' })
  const web = await createApp(server, { preset: 'web' })
  const bare = await web.post('token', { ...grant, client_id: web.id }, { authorization: '' })
  expect(bare.body.error).toMatch(unproven)
  expect((await asBasic(spa, 'anything')).body.error).toMatch(unproven)
  expect((await spa.post('token', grant)).body.error).toBe('invalid_grant')
})

test('a secret is compared whole: neither its beginning nor more than it is taken', async () => {
  const app = await createApp(server)
  const { secret = '' } = app
  for (const wrong of [
    '',
    secret.slice(0, -1),
    `${secret} `,
    secret.toLowerCase(),
    `${secret}${secret}`,
  ]) {
    expect((await asBasic(app, wrong)).body.error).toMatch(unproven)
  }
})

test('TK-11: a secret is compared by its hash, with every secret that lives, in constant time', async () => {
  const compared: [Buffer, Buffer][] = []
  const { timingSafeEqual } = crypto
  crypto.timingSafeEqual = (a, b) => {
    compared.push([a as Buffer, b as Buffer])
    return timingSafeEqual(a, b)
  }
  syncBuiltinESMExports()
  const secrets = [randomToken(), randomToken(), randomToken()]
  const [first = '', , last = ''] = secrets
  const client = {
    secrets: secrets.map((secret) => ({
      hash: sha256(secret),
      createdAt: new Date(),
      expiresAt: null,
    })),
  }
  const answerTo = (presented: string) => {
    compared.length = 0
    return [secretMatches(client, presented), compared.length]
  }
  const wrongFirst = `${first.startsWith('x') ? 'y' : 'x'}${first.slice(1)}`
  const wrongLast = `${first.slice(0, -1)}${first.endsWith('x') ? 'y' : 'x'}`
  // The first match ends nothing early, and how much of a secret is right changes nothing.
  expect([first, last, wrongFirst, wrongLast, ''].map(answerTo)).toEqual([
    [true, 3],
    [true, 3],
    [false, 3],
    [false, 3],
    [false, 3],
  ])
  expect(compared.map(([, given]) => given)).toEqual(Array(3).fill(sha256('')))
  crypto.timingSafeEqual = timingSafeEqual
  syncBuiltinESMExports()
})

test('TK-10: too many wrong secrets slow down their sender, and nobody else', async () => {
  const app = await createApp(server)
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const guesses = await Promise.all(
    Array.from({ length: 60 }, () => asBasic(app, randomToken(), from('203.0.113.5'))),
  )
  const statuses = new Set(guesses.map(({ status }) => status))
  expect(statuses).toEqual(new Set([401, 429]))
  const limited = guesses.find(({ status }) => status === 429)
  expect(Number(limited?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(limited?.body.error).toBe('temporarily_unavailable')
  expect((await asBasic(app, app.secret, from('203.0.113.5'))).status).toBe(429)
  expect((await asBasic(app, app.secret, from('203.0.114.5'))).body.error).toBe('invalid_grant')
  const other = await createApp(server)
  expect((await asBasic(other, other.secret, from('203.0.113.5'))).body.error).toBe('invalid_grant')
})

test('TK-19: during a rotation both secrets work, after it the old one is dead', async () => {
  const app = await createApp(server)
  await asBasic(app, app.secret)
  const rotated = await rotateSecret(db, app.id, { ...by, overlapSeconds: 5 })
  const next = rotated?.ok ? rotated.secret : ''
  // Other processes hear of it within two seconds.
  await expect
    .poll(async () => (await asBasic(app, next)).body.error, { timeout: 3000, interval: 200 })
    .toBe('invalid_grant')
  expect((await asBasic(app, app.secret)).body.error).toBe('invalid_grant')
  await expect
    .poll(async () => (await asBasic(app, app.secret)).body.error, { timeout: 8000, interval: 500 })
    .toBe('invalid_client')
  expect((await asBasic(app, next)).body.error).toBe('invalid_grant')
})
