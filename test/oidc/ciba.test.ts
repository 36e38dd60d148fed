/** Backchannel authentication (CIBA Core 1.0): who may ask whom, how they answer, what the app gets, and when nothing. */
import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { listMailbox } from '../../src/mail/mailbox.ts'
import {
  ask,
  backchannelGrant,
  buttonsOf,
  decide,
  pollFor,
  startNotificationEndpoint,
} from '../support/asking-app.ts'
import { auditOf } from '../support/audit.ts'
import { createKey, signRequest } from '../support/client-keys.ts'
import { eventually } from '../support/logout-app.ts'
import { startNodes } from '../support/nodes.ts'
import { authorize, createBrowser, createPerson, type Person, signInAt } from '../support/person.ts'
import { type Answer, createApp } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const endpoint = await startNotificationEndpoint([500, 302])
const server = await startNodes(2, { ALLOW_PRIVATE_TARGETS: endpoint.host })
const { origin } = server
const { db, pool } = server.database
const till = await createApp(server, { preset: 'ciba', name: 'Till' })

async function signedIn(person: Pick<Person, 'username' | 'password'>) {
  const browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${origin}/sign-in`), person)
  return browser
}
const person = await createPerson(server)
const login_hint = person.username
const visitor = await signedIn(person)
const fast = () =>
  pool.query(
    'update backchannel_authentication_requests set polled_at = null, interval_seconds = 5',
  )

beforeEach(async () => {
  await pool.query('delete from backchannel_authentication_requests')
})

describe('asking', () => {
  test('is answered by an id, ten minutes and an interval; the person by username, address or ID token', async () => {
    const { answer } = await ask(till, { login_hint })
    expect(answer).toMatchObject({ status: 200, body: { expires_in: 600, interval: 5 } })
    expect(Buffer.from(String(answer.body.auth_req_id), 'base64url').length).toBeGreaterThanOrEqual(
      20,
    )
    expect((await ask(till, { login_hint: person.email.toUpperCase() })).answer.status).toBe(200)
    const both = await createApp(server, {
      preset: 'web',
      grantTypes: ['authorization_code', 'refresh_token', backchannelGrant],
    })
    const { answer: known } = await authorize(visitor, both, person)
    const { id_token: id_token_hint } = known.body
    expect((await ask(both, { id_token_hint })).answer.status).toBe(200)
    expect((await ask(till, { id_token_hint })).answer.body.error).toBe('invalid_request')
    const { rows } = await pool.query('select account_id from backchannel_authentication_requests')
    expect(rows).toEqual(Array(3).fill({ account_id: person.id }))
  })

  test('nobody, somebody switched off and somebody unproven are unknown_user_id', async () => {
    const gone = await createPerson(server)
    await pool.query("update accounts set status = 'disabled' where id = $1", [gone.id])
    for (const hint of [
      'nobody',
      'nobody@example.org',
      gone.username,
      '\u0000',
      'x'.repeat(5000),
    ]) {
      const { answer } = await ask(till, { login_hint: hint })
      expect([hint.slice(0, 20), answer.status, answer.body.error]).toEqual([
        hint.slice(0, 20),
        400,
        'unknown_user_id',
      ])
    }
  })

  test('who proves nothing, or has another grant, learns nothing of anybody', async () => {
    const other = await createApp(server)
    const forged = { authorization: `Basic ${Buffer.from(`${till.id}:wrong`).toString('base64')}` }
    const answers: Answer[] = []
    for (const hint of [login_hint, 'nobody']) {
      const fields = { scope: 'openid', login_hint: hint }
      answers.push(await other.post('bc-authorize', fields))
      answers.push(await till.post('bc-authorize', fields, forged))
    }
    const errors = answers.map(({ status, body }) => [status, body.error])
    expect(errors.slice(0, 2)).toEqual(errors.slice(2))
    expect(errors[0]).toEqual([400, 'unauthorized_client'])
    expect(errors[1]).toEqual([401, 'invalid_client'])
    const open = { preset: 'ciba', authMethod: 'none' }
    await expect(createApp(server, open)).rejects.toThrow(/auth_method_public/)
  })

  test.each([
    ['no hint', { login_hint: undefined }, 'invalid_request'],
    ['two hints', { id_token_hint: 'x.y.z' }, 'invalid_request'],
    ['a token as a hint', { login_hint: undefined, login_hint_token: 'x' }, 'invalid_request'],
    ['no openid scope', { scope: undefined }, 'invalid_request'],
    ['an expiry that is none', { requested_expiry: '-1' }, 'invalid_request'],
    ['a long message', { binding_message: 'x'.repeat(61) }, 'invalid_binding_message'],
    [
      'a message that turns text around',
      { binding_message: 'a\u202eb' },
      'invalid_binding_message',
    ],
    ['a message of two lines', { binding_message: 'a\nb' }, 'invalid_binding_message'],
    ['an unknown API', { resource: 'https://nowhere.example' }, 'invalid_target'],
  ])('%s is refused', async (_, changes, error) => {
    const { answer } = await ask(till, { login_hint, ...changes })
    expect([answer.status, answer.body.error]).toEqual([400, error])
  })

  test('an app says how long it waits, within reason', async () => {
    expect((await ask(till, { login_hint, requested_expiry: '60' })).answer.body.expires_in).toBe(
      60,
    )
    expect(
      (await ask(till, { login_hint, requested_expiry: '999999' })).answer.body.expires_in,
    ).toBe(1800)
  })

  test('an app that signs its requests is held to it, with all that CIBA asks of them', async () => {
    const key = await createKey()
    const signing = await createApp(server, {
      preset: 'ciba',
      backchannelRequestAlg: 'ES256',
      jwks: { keys: [key.publicJwk] },
    })
    expect((await ask(signing, { login_hint })).answer.body.error).toBe('invalid_request')
    const claims = new URLSearchParams({ scope: 'openid', login_hint, binding_message: 'Signed 7' })
    const request = await signRequest(
      key,
      { clientId: signing.id, audience: origin },
      new URLSearchParams([...claims, ['jti', 'one']]),
    )
    const answer = await signing.post('bc-authorize', { request, login_hint: 'nobody' })
    expect([answer.status, answer.body.error]).toEqual([200, undefined])
    const bare = await signing.post('bc-authorize', {
      request: await signRequest(
        key,
        { clientId: signing.id, audience: 'https://other.example' },
        claims,
      ),
    })
    expect([bare.status, bare.body.error]).toEqual([400, 'invalid_request'])
    expect((await visitor.get(`${origin}/account/requests`)).body).toContain('Signed 7')
  })

  test('a person is not worn down, and hints are not tried out', async () => {
    const strict = await startTestServer({ env: { LIMIT_FACTOR: '1' } })
    const known = await createPerson(strict)
    const asking = await createApp(strict, { preset: 'ciba' })
    const hints = await Promise.all(
      Array.from({ length: 15 }, () => ask(asking, { login_hint: known.username })),
    )
    expect(hints.map(({ answer }) => answer.status).toSorted()).toEqual([
      ...Array(10).fill(200),
      ...Array(5).fill(429),
    ])
    const statuses: number[] = []
    for (let n = 0; n < 31; n++)
      statuses.push((await ask(asking, { login_hint: `nobody${n}` })).answer.status)
    expect(statuses).toEqual([...Array(30).fill(400), 429])
    const other = await createPerson(strict)
    expect((await ask(asking, { login_hint: other.username })).answer.status).toBe(429)
  })
})

describe('answering', () => {
  test('pending, then tokens for whoever said yes, once; nothing in clear on the way', async () => {
    const question = await ask(till, { login_hint, binding_message: 'Table 4' })
    expect((await pollFor(till, question)).body.error).toBe('authorization_pending')
    const { rows } = await pool.query('select t::text from backchannel_authentication_requests t')
    expect(JSON.stringify(rows)).not.toContain(question.id)
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(question.id).toString('hex'))
    const page = await decide(visitor, origin, 'continue')
    expect(page.body).toContain('Till is told that you said yes.')
    const { status, body } = await pollFor(till, question)
    expect([status, body.error]).toEqual([200, undefined])
    expect(decodeJwt(body.id_token ?? '')).toMatchObject({
      sub: person.id,
      aud: till.id,
      acr: '1fa',
      amr: ['pwd'],
      auth_time: expect.any(Number),
    })
    expect((await till.userinfo(body.access_token)).body.preferred_username).toBe(person.username)
    expect((await till.refresh(body.refresh_token)).status).toBe(200)
    const [event] = await auditOf(db, 'backchannel.allowed', till.id)
    expect(event).toMatchObject({ accountId: person.id, actorKind: 'person' })

    expect((await pollFor(till, question)).body.error).toBe('invalid_grant')
    expect((await till.userinfo(body.access_token)).status).toBe(401)
  })

  test('a no is access_denied, silence is expired_token, haste is slow_down', async () => {
    const refused = await ask(till, { login_hint })
    expect((await decide(visitor, origin, 'cancel')).body).toContain(
      'Till is told that you said no',
    )
    expect((await pollFor(till, refused)).body.error).toBe('access_denied')

    const late = await ask(till, { login_hint })
    await pool.query(
      "update backchannel_authentication_requests set expires_at = now() - interval '1 second'",
    )
    expect((await pollFor(till, late)).body.error).toBe('expired_token')
    expect((await visitor.get(`${origin}/account/requests`)).body).toContain(
      'No app is waiting for you',
    )

    const hasty = await ask(till, { login_hint })
    await pollFor(till, hasty)
    expect((await pollFor(till, hasty)).body.error).toBe('slow_down')
    const stranger = await createApp(server, { preset: 'ciba' })
    expect((await pollFor(stranger, hasty)).body.error).toBe('invalid_grant')
  })

  test('DF-05: only whoever is asked sees the question and can answer it', async () => {
    const question = await ask(till, { login_hint, binding_message: 'Only for me' })
    const mine = await visitor.get(`${origin}/account/requests`)
    const [button = ''] = buttonsOf(mine.body, 'continue')
    const other = await signedIn(await createPerson(server))
    const theirs = await other.get(`${origin}/account/requests`)
    expect(theirs.body).not.toContain('Only for me')
    await ask(till, { login_hint: (await createPerson(server)).username })
    const own = await createPerson(server)
    const third = await signedIn(own)
    await ask(till, { login_hint: own.username })
    const page = await third.get(`${origin}/account/requests`)
    const forged = {
      ...page,
      body: page.body.replaceAll(/[0-9a-f]{64}/g, button.slice('continue-'.length)),
    }
    expect((await third.press(forged, button)).error).toMatch(/not waiting any more/)
    expect((await pollFor(till, question)).body.error).toBe('authorization_pending')
    expect(
      (
        await fetch(`${origin}/account/requests`, {
          method: 'POST',
          body: new URLSearchParams({ allow: 'x' }),
        })
      ).status,
    ).toBe(403)
  })

  test('DF-06: who is switched off meanwhile gives nothing; who is signed out has to sign in first', async () => {
    const leaving = await createPerson(server)
    const browser = await signedIn(leaving)
    const question = await ask(till, { login_hint: leaving.username })
    await decide(browser, origin, 'continue')
    await pool.query("update accounts set status = 'disabled' where id = $1", [leaving.id])
    expect((await pollFor(till, question)).body.error).toBe('invalid_grant')

    await ask(till, { login_hint, binding_message: 'After sign-in' })
    const out = createBrowser(server)
    const signIn = await out.get(`${origin}/account/requests`)
    expect(signIn.url).toContain('/sign-in/')
    const page = await signInAt(out, signIn, person)
    expect(page.url).toBe(`${origin}/account/requests`)
    expect(page.body).toContain('After sign-in')
    expect((await out.get(`${origin}/account`)).body).toMatch(/1 app is waiting for your answer/)
  })

  test('what an app requires of the sign-in is refused at once, or asked of whoever answers', async () => {
    const required = (level: string) =>
      JSON.stringify({ id_token: { acr: { essential: true, values: [level] } } })
    const { answer } = await ask(till, { login_hint, claims: required('urn:example:never') })
    expect(answer.body.error).toBe('unmet_authentication_requirements')
    const wished = await ask(till, { login_hint, acr_values: '2fa 1fa' })
    await decide(visitor, origin, 'continue')
    expect(decodeJwt((await pollFor(till, wished)).body.id_token ?? '').acr).toBe('1fa')

    const question = await ask(till, { login_hint, claims: required('2fa') })
    expect((await decide(visitor, origin, 'continue')).error).toMatch(/stronger sign-in/)
    expect((await pollFor(till, question)).body.error).toBe('authorization_pending')
  })

  test('tokens without offline_access end with the session in which the person said yes', async () => {
    const browser = await signedIn(person)
    const question = await ask(till, { login_hint, scope: 'openid email' })
    await decide(browser, origin, 'continue')
    const { body } = await pollFor(till, question)
    expect((await till.userinfo(body.access_token)).status).toBe(200)
    await browser.press(await browser.get(`${origin}/account`), 'sign-out')
    expect((await till.userinfo(body.access_token)).status).toBe(401)
  })

  test('RC: a yes and a no at once, and twenty questions for the tokens: one of each', async () => {
    for (let round = 0; round < rounds; round++) {
      const question = await ask(till, { login_hint })
      const page = await visitor.get(`${origin}/account/requests`)
      const buttons = (['continue', 'cancel'] as const).map(
        (one) => buttonsOf(page.body, one)[0] ?? '',
      )
      const pages = await Promise.all(
        [...buttons, ...buttons].map((button) => visitor.press(page, button)),
      )
      expect(pages.filter(({ status }) => status === 200)).toHaveLength(1)
      await fast()
      const answers = await Promise.all(Array.from({ length: 20 }, () => pollFor(till, question)))
      const allowed = pages.some(({ body }) => body.includes('that you said yes'))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(allowed ? 1 : 0)
      const errors = answers.map(({ body }) => body.error)
      expect(errors.filter((error) => error === 'access_denied')).toHaveLength(allowed ? 0 : 1)
      expect(errors.filter((error) => error === 'invalid_grant')).toHaveLength(19)
    }
  })
})

describe('telling', () => {
  const inbox = async (to: string) =>
    (await listMailbox(server.config.dataDir)).filter((mail) => mail.to === to)

  test('the person, by a mail that names the app and leads to our page', async () => {
    const reader = await createPerson(server, { locale: 'zh-CN' })
    await ask(till, { login_hint: reader.username, binding_message: 'www.evil.example' })
    const mail = await eventually(async () => (await inbox(reader.email))[0])
    expect(mail.subject).toContain('Till')
    expect(mail.text).toContain(`\n${origin}/account/requests\n`)
    expect(mail.text).toContain('请在 10 分钟内答复')
    expect(mail.text).not.toContain('www.evil.example')
  })

  test('the app, by a ping with its own token, again after it failed; the token lies sealed till then', async () => {
    const pinged = await createApp(server, {
      preset: 'ciba',
      backchannelNotificationEndpoint: endpoint.url,
    })
    const token = 'a-token-of-the-app-1234567890'
    const missing = await ask(pinged, { login_hint })
    expect(missing.answer.body.error).toBe('invalid_request')
    const question = await ask(pinged, { login_hint, client_notification_token: token })
    const { rows } = await pool.query('select t::text from backchannel_authentication_requests t')
    expect(JSON.stringify(rows)).not.toContain(token)
    await decide(visitor, origin, 'continue')
    const expected = { authorization: `Bearer ${token}`, body: { auth_req_id: question.id } }
    await eventually(() => endpoint.pings.length >= 1)
    expect(endpoint.pings[0]).toEqual(expected)
    // Its retry is due in seconds; brought forward, as the clock would.
    for (const count of [2, 3]) {
      await eventually(async () => {
        await pool.query(
          'update graphile_worker._private_jobs set run_at = now() where attempts < max_attempts and locked_at is null',
        )
        await pool.query('notify "jobs:insert", \'{"count":1}\'')
        return endpoint.pings.length >= count
      })
    }
    expect(endpoint.pings).toEqual([expected, expected, expected])
    expect((await pollFor(pinged, question)).status).toBe(200)
    expect(server.log.join('\n')).not.toContain(token)
  })

  test('an address inside the network is not called; the app can still ask', async () => {
    const before = endpoint.pings.length
    const inside = await createApp(server, {
      preset: 'ciba',
      backchannelNotificationEndpoint: 'https://127.0.0.1:9443/ping',
    })
    const question = await ask(inside, { login_hint, client_notification_token: 'abcdefghijkl' })
    await decide(visitor, origin, 'continue')
    // An app that could not be reached would be called again.
    await eventually(async () => {
      const { rows } = await pool.query(
        "select 1 from graphile_worker.jobs where task_identifier = 'backchannel.ping'",
      )
      return rows.length === 0 || undefined
    })
    expect(endpoint.pings).toHaveLength(before)
    expect((await pollFor(inside, question)).status).toBe(200)
  })

  test('an address without https is not registered, nor a way of delivery that is none', async () => {
    const input = { preset: 'ciba', backchannelNotificationEndpoint: 'http://localhost:9/ping' }
    await expect(createApp(server, input)).rejects.toThrow(/uri_insecure/)
    await expect(
      createApp(server, { preset: 'ciba', backchannelDelivery: 'push' }),
    ).rejects.toThrow(/delivery_mode_unknown/)
    await expect(
      createApp(server, { preset: 'ciba', backchannelDelivery: 'ping' }),
    ).rejects.toThrow(/notification_endpoint_missing/)
    await expect(createApp(server, { backchannelDelivery: 'poll' })).rejects.toThrow(
      /backchannel_unused/,
    )
  })
})
