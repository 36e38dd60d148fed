/** The device flow (RFC 8628): codes, polling, and what guessers, phishers and racers get (DF-01 to DF-07, RC-04). */
import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { randomToken, sha256 } from '../../src/crypto.ts'
import { createVisitor, type Visitor } from '../../src/demo/visitor.ts'
import { auditOf } from '../support/audit.ts'
import { createKey, signRequest } from '../support/client-keys.ts'
import { askForCode, connect, poll, type Shown, typeCode } from '../support/device.ts'
import { startNodes } from '../support/nodes.ts'
import { authorize, createBrowser, createPerson, isConsent, signInAt } from '../support/person.ts'
import { type Answer, createApp } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const server = await startNodes(2)
const { db, pool } = server.database
const person = await createPerson(server)
const app = await createApp(server, { preset: 'device', name: 'TV' })
const visitor = createBrowser(server)
await signInAt(visitor, await visitor.get(`${server.origin}/sign-in`), person)

/** As if the device had waited long enough. */
const rest = () => pool.query('update device_codes set polled_at = null')
const age = (seconds: number) =>
  pool.query('update device_codes set expires_at = expires_at - make_interval(secs => $1)', [
    seconds,
  ])

describe('a device that asks', () => {
  test('gets a code of consonants, our addresses, ten minutes and an interval', async () => {
    const { answer, userCode, uri, complete, deviceCode } = await askForCode(app)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(userCode).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
    expect(uri).toBe(`${server.origin}/device`)
    expect(complete).toBe(`${server.origin}/device?user_code=${userCode}`)
    expect(answer.body).toMatchObject({ expires_in: 600, interval: 5 })
    expect(Buffer.from(deviceCode, 'base64url').length).toBeGreaterThanOrEqual(32)
  })

  test('is refused when its client has another grant, proves nothing or asks by a strange PKCE', async () => {
    const plain = await createApp(server)
    expect((await askForCode(plain)).answer).toMatchObject({
      status: 400,
      body: { error: 'unauthorized_client' },
    })
    const wrongGrant = { grant_type: 'client_credentials' }
    expect((await plain.post('token', wrongGrant)).body.error).toBe('unauthorized_client')
    const secret = await createApp(server, { preset: 'device', authMethod: 'client_secret_post' })
    const forged = await app.post('device', { client_id: secret.id, client_secret: 'wrong' })
    expect(forged).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    for (const challenge of [
      { code_challenge: 'short', code_challenge_method: 'S256' },
      { code_challenge: randomToken() },
    ]) {
      const { answer } = await askForCode(app, challenge)
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    }
    const { rows } = await pool.query('select client_id from device_codes where client_id <> $1', [
      app.id,
    ])
    expect(rows).toEqual([])
  })

  test('may ask by a signed request', async () => {
    const key = await createKey()
    const signing = await createApp(server, { preset: 'device', jwks: { keys: [key.publicJwk] } })
    const claims = new URLSearchParams({ client_id: signing.id, scope: 'openid' })
    const request = await signRequest(
      key,
      { clientId: signing.id, audience: server.origin },
      claims,
    )
    expect((await askForCode(signing, { scope: undefined, request })).answer.status).toBe(200)
  })

  test('keeps only hashes of both codes, and what is sealed opens nothing else', async () => {
    const { deviceCode, userCode } = await askForCode(app)
    const { rows } = await pool.query('select t::text from device_codes t')
    const all = JSON.stringify(rows)
    for (const secret of [deviceCode, userCode, userCode.replace('-', '')]) {
      expect(all).not.toContain(secret)
      expect(all).not.toContain(Buffer.from(secret).toString('hex'))
    }
  })
})

describe('polling', () => {
  test('authorization_pending, then tokens for the person who said yes, once', async () => {
    const shown = await askForCode(app)
    expect((await poll(app, shown)).body.error).toBe('authorization_pending')
    expect((await connect(visitor, shown, person)).body).toContain('Your device is connected')
    const { status, body } = await poll(app, shown)
    expect([status, body.token_type]).toEqual([200, 'Bearer'])
    expect(decodeJwt(body.id_token ?? '')).toMatchObject({
      sub: person.id,
      aud: app.id,
      acr: '1fa',
    })
    expect((await app.userinfo(body.access_token)).body.preferred_username).toBe(person.username)
    expect((await app.refresh(body.refresh_token)).status).toBe(200)
  })

  test('DF-04: asking too fast is slow_down, and the interval grows; another client learns nothing', async () => {
    const shown = await askForCode(app)
    const stranger = await createApp(server, { preset: 'device' })
    expect((await poll(app, shown)).body.error).toBe('authorization_pending')
    expect((await poll(stranger, shown)).body.error).toBe('invalid_grant')
    const [first, second] = [await poll(app, shown), await poll(app, shown)]
    expect([first, second].map(({ status, body }) => [status, body.error])).toEqual(
      Array(2).fill([400, 'slow_down']),
    )
    const { rows } = await pool.query(
      'select interval_seconds from device_codes where id_hash = $1',
      [sha256(shown.deviceCode)],
    )
    expect(rows).toEqual([{ interval_seconds: 15 }])
    await pool.query("update device_codes set polled_at = now() - interval '10 seconds'")
    expect((await poll(app, shown)).body.error).toBe('slow_down')
    await pool.query("update device_codes set polled_at = now() - interval '21 seconds'")
    expect((await poll(app, shown)).body.error).toBe('authorization_pending')
  })

  test('a stranger does not slow down the device', async () => {
    const shown = await askForCode(app)
    const stranger = await createApp(server, { preset: 'device' })
    for (let n = 0; n < 3; n++) await poll(stranger, shown)
    expect((await poll(app, shown)).body.error).toBe('authorization_pending')
  })

  test('expired_token when nobody came, access_denied when somebody said no', async () => {
    const late = await askForCode(app)
    await age(601)
    expect((await poll(app, late)).body.error).toBe('expired_token')
    expect((await visitor.press(await visitor.get(late.complete), 'continue')).error).toMatch(
      /too old/,
    )

    const refused = await askForCode(app)
    const page = await visitor.press(await typeCode(visitor, refused), 'cancel')
    expect(page.body).toContain('The device was not connected')
    expect((await poll(app, refused)).body.error).toBe('access_denied')
    expect((await poll(app, refused)).body.error).toBe('invalid_grant')
    expect(await auditOf(db, 'device.refused', app.id)).toHaveLength(1)
  })

  test('a code that comes again after its tokens ends them (RFC 6749 §4.1.2)', async () => {
    const shown = await askForCode(app)
    await connect(visitor, shown, person)
    const { body } = await poll(app, shown)
    expect((await poll(app, shown)).body.error).toBe('invalid_grant')
    expect((await app.userinfo(body.access_token)).status).toBe(401)
    expect((await app.refresh(body.refresh_token)).status).toBe(400)
  })

  test('DF-07: a challenge that came with the request has to be met', async () => {
    const verifier = randomToken()
    const challenge = {
      code_challenge: sha256(verifier).toString('base64url'),
      code_challenge_method: 'S256',
    }
    const shown = await askForCode(app, challenge)
    await connect(visitor, shown, person)
    for (const code_verifier of [undefined, randomToken()]) {
      expect((await poll(app, shown, { code_verifier })).body.error).toBe('invalid_grant')
    }
    expect((await poll(app, shown, { code_verifier: verifier })).status).toBe(200)
    const without = await askForCode(app)
    await connect(visitor, without, person)
    expect((await poll(app, without, { code_verifier: verifier })).body.error).toBe('invalid_grant')
  })

  test('tokens for an API, and none for one that is not the client’s', async () => {
    const api = 'https://tv.example.com'
    await createApi(db, { identifier: api, scopes: ['watch'] }, { actor: { kind: 'operator' } })
    const watching = await createApp(server, { preset: 'device', apis: [api] })
    expect((await askForCode(app, { resource: api })).answer.body.error).toBe('invalid_target')
    const shown = await askForCode(watching, { resource: api, scope: 'openid watch' })
    await connect(visitor, shown, person)
    const { body } = await poll(watching, shown, { resource: api })
    expect(decodeJwt(body.access_token ?? '')).toMatchObject({
      aud: api,
      scope: 'watch',
      sub: person.id,
    })
  })

  test('each device has a grant of its own: the end of one is not the end of the other', async () => {
    const devices: [Shown, Answer][] = []
    for (let n = 0; n < 2; n++) {
      const shown = await askForCode(app)
      await connect(visitor, shown, person)
      devices.push([shown, await poll(app, shown)])
    }
    const [one, two] = devices.map(([, answer]) => answer.body)
    expect((await app.revoke(one?.refresh_token)).status).toBe(200)
    expect((await app.refresh(one?.refresh_token)).status).toBe(400)
    expect((await app.refresh(two?.refresh_token)).status).toBe(200)
    expect((await app.userinfo(two?.access_token)).status).toBe(200)
  })

  test('DF-06: a person who may not be here connects nothing', async () => {
    const gone = await createPerson(server)
    const browser = createBrowser(server)
    const shown = await askForCode(app)
    await connect(browser, shown, gone)
    await pool.query("update accounts set status = 'disabled' where id = $1", [gone.id])
    expect((await poll(app, shown)).body.error).toBe('invalid_grant')
  })
})

describe('RC-04: over two processes', () => {
  beforeEach(rest)

  test('twenty redemptions of one code: exactly one is accepted, and nothing of it lives', async () => {
    for (let round = 0; round < rounds; round++) {
      const shown = await askForCode(app)
      await connect(visitor, shown, person)
      const answers = await Promise.all(Array.from({ length: 20 }, () => poll(app, shown)))
      const accepted = answers.filter(({ status }) => status === 200)
      expect(accepted).toHaveLength(1)
      const errors = answers.filter(({ status }) => status !== 200).map(({ body }) => body.error)
      expect([...new Set(errors)]).toEqual(['invalid_grant'])
      expect((await app.userinfo(accepted[0]?.body.access_token)).status).toBe(401)
    }
  })

  test('a yes and a no at once: one of them holds, and the other is told', async () => {
    for (let round = 0; round < rounds; round++) {
      const shown = await askForCode(app)
      const page = await typeCode(visitor, shown)
      const pages = await Promise.all([
        visitor.press(page, 'continue'),
        visitor.press(page, 'cancel'),
        visitor.press(page, 'continue'),
      ])
      const decided = pages.filter(({ body }) => /is connected|was not connected/.test(body))
      expect(decided).toHaveLength(1)
      expect(pages.filter(({ error }) => /used already/.test(error ?? ''))).toHaveLength(2)
      const { status, body } = await poll(app, shown)
      expect(decided[0]?.body).toContain(status === 200 ? 'is connected' : 'was not connected')
      if (status !== 200) expect(body.error).toBe('access_denied')
    }
  })

  test('of many questions at once one is pending and the others are too fast', async () => {
    const shown = await askForCode(app)
    const answers = await Promise.all(Array.from({ length: 10 }, () => poll(app, shown)))
    const errors = answers.map(({ body }) => body.error).toSorted()
    expect(errors).toEqual(['authorization_pending', ...Array(9).fill('slow_down')])
  })
})

test('what was allowed before is not asked again, and still the device has to be confirmed', async () => {
  const browser = createBrowser(server)
  const somebody = await createPerson(server)
  const both = await createApp(server, {
    preset: 'device',
    grantTypes: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
    redirectUris: ['https://tv.example.com/cb'],
    scope: 'openid profile offline_access',
  })
  await authorize(browser, both, somebody)
  const confirm = await typeCode(browser, await askForCode(both))
  expect(confirm.body).toContain('Connect ')
  const done = await browser.press(confirm, 'continue')
  expect(done.body).toContain('is connected')
  const own = await createApp(server, { preset: 'device', firstParty: true, name: 'Our TV' })
  const asked = await typeCode(browser, await askForCode(own))
  expect(asked.body).toContain('Connect Our TV?')
  expect((await browser.press(asked, 'continue')).body).toContain('is connected')
  const other = await createApp(server, { preset: 'device' })
  const next = await browser.press(await typeCode(browser, await askForCode(other)), 'continue')
  expect(isConsent(next)).toBe(true)
})

test('DF-01: two hundred addresses that guess stop other strangers, and nobody who is signed in', async () => {
  // The count of everybody is then 10, the others 1.
  const few = { LIMIT_FACTOR: '0.005', TRUSTED_PROXIES: '127.0.0.1,::1' }
  const strict = await startTestServer({ env: few })
  const guessed = await createApp(strict, { preset: 'device' })
  let addresses = 0
  const somewhere = () =>
    createVisitor({
      at: [strict.origin],
      headers: { 'x-forwarded-for': `203.0.${++addresses}.7` },
    })
  const type = async (browser: Visitor, user_code: string) =>
    browser.press(await browser.get(`${strict.origin}/device`), 'continue', { user_code })
  const person = await createPerson(strict)
  const own = somewhere()
  await signInAt(own, await own.get(`${strict.origin}/sign-in`), person)
  const { userCode } = await askForCode(guessed)
  for (let n = 0; n < 10; n++) expect((await type(somewhere(), 'BCDF-GHJK')).status).toBe(422)
  const stranger = await type(somewhere(), userCode)
  expect(stranger).toMatchObject({ status: 429, error: expect.stringMatching(/Sign in first/) })
  expect((await type(own, userCode)).body).toContain('device')
  expect((await type(own, userCode)).status).toBe(200)
})

test('DF-01: wrong codes are counted by address and by account, right ones are not', async () => {
  const strict = await startTestServer({ env: { LIMIT_FACTOR: '1' } })
  const guessed = await createApp(strict, { preset: 'device' })
  const browser = createBrowser(strict)
  const type = async (user_code: string) =>
    browser.press(await browser.get(`${strict.origin}/device`), 'continue', { user_code })
  for (let n = 0; n < 15; n++) {
    const { userCode } = await askForCode(guessed)
    expect((await type(userCode)).status).toBe(200)
  }
  const answers = await Promise.all(Array.from({ length: 15 }, () => type('BCDF-GHJK')))
  const statuses = answers.map(({ status }) => status).toSorted()
  expect(statuses).toEqual([...Array(10).fill(422), ...Array(5).fill(429)])
  const { userCode } = await askForCode(guessed)
  const late = await type(userCode)
  expect(late).toMatchObject({ status: 429, error: expect.stringMatching(/Too many tries/) })
  expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0)
})
