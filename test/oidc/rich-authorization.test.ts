/** Rich authorization requests (RFC 9396): asked for, shown, granted once, carried, narrowed, and refused. */
import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import type { JsonSchema } from '../../src/clients/authorization-types.ts'
import { deleteApi, updateApi } from '../../src/clients/change-api.ts'
import { updateClient } from '../../src/clients/update-client.ts'
import { createClientCheck } from '../../src/oidc/validate-client.ts'
import { auditOf } from '../support/audit.ts'
import { createKey, signRequest } from '../support/client-keys.ts'
import { askForCode, poll, typeCode } from '../support/device.ts'
import { authorize, createBrowser, createPerson, isConsent, obtainCode } from '../support/person.ts'
import { type App, createApp, type Parameters, push } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db, pool } = server.database
const actor = { kind: 'operator' } as const
const bank = 'https://bank.example.com'
const files = 'https://files.example.com'

const payment: JsonSchema = {
  title: 'A payment',
  description: 'Money leaves your account.',
  type: 'object',
  required: ['amount', 'to'],
  properties: {
    to: { type: 'string', title: 'Payee', maxLength: 70 },
    amount: {
      type: 'object',
      title: 'Amount',
      properties: { value: { type: 'string' }, currency: { type: 'string', enum: ['EUR', 'CNY'] } },
    },
    urgent: { type: 'boolean', title: 'At once' },
    actions: { type: 'array', items: { enum: ['initiate', 'status', 'cancel'] } },
    locations: { type: 'array', items: { type: 'string' } },
  },
}
const folder: JsonSchema = { properties: { folder: { type: 'string' } } }

const person = await createPerson(server)
let app: App
let both: App
let stranger: App
let service: App

beforeAll(async () => {
  const type = (name: string, schema: JsonSchema) => ({ name, schema })
  await createApi(
    db,
    {
      identifier: bank,
      name: 'Our Bank',
      scopes: ['accounts'],
      authorizationType: type('payment', payment),
    },
    { actor },
  )
  await createApi(
    db,
    { identifier: files, scopes: ['read'], authorizationType: type('folder_access', folder) },
    { actor },
  )
  app = await createApp(server, { apis: [bank] })
  both = await createApp(server, { apis: [bank, files] })
  stranger = await createApp(server)
  service = await createApp(server, { preset: 'service', apis: [bank] })
  // Both have been made when the later one is promised.
  while (!JSON.stringify(await promised())?.includes('folder_access'))
    await new Promise((resolve) => setTimeout(resolve, 50))
})

async function promised(): Promise<unknown> {
  const response = await fetch(`${origin}/.well-known/openid-configuration`)
  return ((await response.json()) as Record<string, unknown>).authorization_details_types_supported
}

const order = {
  type: 'payment',
  to: '北京图书馆',
  amount: { value: '12.50', currency: 'EUR' },
  actions: ['initiate', 'status'],
}
const asking = (...details: unknown[]) => ({ authorization_details: JSON.stringify(details) })
const visitor = createBrowser(server)

/** The error that an app is answered with at the authorization endpoint. */
async function refusal(parameters: Parameters, by = app) {
  const request = by.begin(parameters)
  return by.answerOf(request, await visitor.get(request.url))
}

test('granted details come with the tokens, in the JWT and at introspection', async () => {
  const { answer } = await authorize(createBrowser(server), app, person, asking(order))
  expect(answer.body.authorization_details).toEqual([order])
  const token = decodeJwt(answer.body.access_token ?? '')
  expect(token).toMatchObject({ aud: bank, authorization_details: [order], sub: person.id })
  for (const by of [app, service]) {
    const { body } = await by.introspect(answer.body.access_token)
    expect(body).toMatchObject({ active: true, aud: bank, authorization_details: [order] })
  }
  const refreshed = await app.refresh(answer.body.refresh_token)
  expect(refreshed.body.authorization_details).toEqual([order])
  const own = await app.introspect(refreshed.body.refresh_token)
  expect(own.body.authorization_details).toEqual([order])
})

test('people are asked each time, with every value in words, and told to nobody who asks silently', async () => {
  const browser = createBrowser(server)
  const evil = { ...order, to: '<img src=x>\u202e', urgent: true }
  await authorize(browser, app, person, asking(order))
  for (const details of [order, order, evil]) {
    const page = await browser.get(app.begin(asking(details)).url)
    expect(isConsent(page)).toBe(true)
  }
  const { body } = await browser.get(app.begin(asking(evil)).url)
  for (const words of [
    'A payment',
    'Money leaves',
    'Our Bank',
    'Payee',
    '12.50',
    'EUR',
    'initiate',
  ]) {
    expect(body).toContain(words)
  }
  expect(body).toContain('What it may do')
  expect(body).toMatch(/At once<\/dt>\s*<dd dir="auto">Yes/)
  expect(body).toContain('&lt;img src=x&gt;\u{fffd}')
  const chinese = createBrowser(server, 'zh-CN')
  await authorize(chinese, app, person)
  const page = await chinese.get(app.begin(asking(order)).url)
  expect(page.body).toContain('可进行的操作')
  expect(page.body).toContain('北京图书馆')
  const silent = app.begin({ ...asking(order), prompt: 'none' })
  expect(app.answerOf(silent, await browser.get(silent.url)).error).toBe('consent_required')
  // What is asked without details is remembered as ever.
  expect((await browser.get(app.begin().url)).url).toContain('code=')
})

test('our own apps are no exception', async () => {
  const house = await createApp(server, { apis: [bank], firstParty: true })
  const browser = createBrowser(server)
  await authorize(browser, house, person)
  expect(isConsent(await browser.get(house.begin(asking(order)).url))).toBe(true)
})

test('a no gives the app nothing; a yes is in the audit trail with what was agreed to', async () => {
  const browser = createBrowser(server)
  await authorize(browser, app, person)
  const request = app.begin(asking(order))
  const page = await browser.get(request.url)
  const refused = app.answerOf(request, await browser.press(page, 'cancel'))
  expect(refused).toMatchObject({ error: 'access_denied' })
  const { request: again, code } = await obtainCode(browser, app, person, asking(order))
  expect((await app.redeem(again, code)).body.authorization_details).toEqual([order])
  const events = await auditOf(db, 'consent.given')
  expect(events.at(-1)?.detail).toMatchObject({ authorizationDetails: [order] })
})

test('without any scope the details alone are granted, and no ID token', async () => {
  const somebody = await createPerson(server)
  const { answer, page } = await authorize(createBrowser(server), app, somebody, {
    ...asking(order),
    scope: undefined,
    nonce: undefined,
  })
  expect(answer.status, page.url).toBe(200)
  expect(answer.body).not.toHaveProperty('id_token')
  expect(decodeJwt(answer.body.access_token ?? '')).toMatchObject({
    aud: bank,
    authorization_details: [order],
  })
})

describe('a token is for one API and carries what concerns it', () => {
  const access = { type: 'folder_access', folder: 'taxes' }

  test('and of two APIs the one that is named', async () => {
    const { request, code } = await obtainCode(
      createBrowser(server),
      both,
      person,
      asking(order, access),
    )
    const { body } = await both.redeem(request, code, { resource: bank })
    expect(decodeJwt(body.access_token ?? '')).toMatchObject({ aud: bank })
    expect(body.authorization_details).toEqual([order])
    const other = await both.refresh(body.refresh_token, { resource: files })
    expect(other.body.authorization_details).toEqual([access])
    const neither = await both.refresh(other.body.refresh_token)
    expect(neither.body.error).toBe('invalid_target')
  })

  test('and a token for another API than the details are about has none', async () => {
    const parameters = { ...asking(order), scope: 'openid offline_access read' }
    const both2 = { ...parameters, resource: files }
    expect((await refusal(both2, both)).error).toBe('invalid_authorization_details')
  })

  test('an opaque token keeps them for introspection', async () => {
    const identifier = 'https://opaque.example.com'
    const authorizationType = { name: 'opaque_access', schema: folder }
    await createApi(
      db,
      { identifier, scopes: [], tokenFormat: 'opaque', authorizationType },
      { actor },
    )
    const by = await createApp(server, { apis: [identifier] })
    const itself = await createApp(server, { preset: 'service', apis: [identifier] })
    await expect.poll(promised, { timeout: 5000 }).toContain('opaque_access')
    const detail = { type: 'opaque_access', folder: 'x' }
    const { answer } = await authorize(createBrowser(server), by, person, asking(detail))
    expect(answer.body.access_token).not.toContain('.')
    const { body } = await itself.introspect(answer.body.access_token)
    expect(body).toMatchObject({ active: true, authorization_details: [detail] })
  })
})

describe('a refresh may ask for less', () => {
  test('fewer actions of the same detail, and no more afterwards', async () => {
    const { answer } = await authorize(createBrowser(server), app, person, asking(order))
    const less = { ...order, actions: ['status'] }
    const { body } = await app.refresh(answer.body.refresh_token, asking(less))
    expect(body.authorization_details).toEqual([less])
    expect(decodeJwt(body.access_token ?? '').authorization_details).toEqual([less])
    // RFC 6749 §6: the refresh token keeps what was granted.
    const whole = await app.refresh(body.refresh_token)
    expect(whole.body.authorization_details).toEqual([order])
  })

  test.each<[string, unknown]>([
    ['another action', { ...order, actions: ['initiate', 'cancel'] }],
    ['another amount', { ...order, amount: { value: '99.00', currency: 'EUR' } }],
    ['no limit of actions', { type: 'payment', to: order.to, amount: order.amount }],
    ['one member more', { ...order, urgent: true }],
  ])('but not for %s', async (_, more) => {
    const { answer } = await authorize(createBrowser(server), app, person, asking(order))
    const { status, body } = await app.refresh(answer.body.refresh_token, asking(more))
    expect([status, body.error]).toEqual([400, 'invalid_authorization_details'])
    // Nothing was spent by the attempt.
    expect((await app.refresh(answer.body.refresh_token)).status).toBe(200)
  })

  test('nor for details at all where none were granted, at a refresh or a redemption', async () => {
    const { request, code } = await obtainCode(createBrowser(server), app, person)
    const { body } = await app.redeem(request, code, asking(order))
    expect(body.error).toBe('invalid_target')
    const granted = await authorize(createBrowser(server), app, person, { resource: bank })
    const refused = await app.refresh(granted.answer.body.refresh_token, asking(order))
    expect(refused.body.error).toBe('invalid_authorization_details')
  })
})

describe('refused with invalid_authorization_details', () => {
  test.each<[string, string]>([
    ['what is no JSON', 'payment'],
    ['what is no list', JSON.stringify(order)],
    ['a type that nobody has', JSON.stringify([{ type: 'made-up' }])],
    ['a type of every object', JSON.stringify([{ type: 'constructor' }])],
    ['no type', JSON.stringify([{ to: 'x' }])],
    ['a member that the type does not have', JSON.stringify([{ ...order, extra: 1 }])],
    ['a nested one', JSON.stringify([{ ...order, amount: { ...order.amount, x: 1 } }])],
    ['a missing member', JSON.stringify([{ type: 'payment' }])],
    ['a value of another kind', JSON.stringify([{ ...order, to: 7 }])],
    ['a value that is not offered', JSON.stringify([{ ...order, actions: ['steal'] }])],
    ['another place', JSON.stringify([{ ...order, locations: [files] }])],
    ['a prototype', `[{"type":"payment","__proto__":{"to":"x","amount":{}}}]`],
    ['one wrong among right ones', JSON.stringify([order, { type: 'payment' }])],
    ['too much', JSON.stringify(Array.from({ length: 60 }, () => order))],
    ['a type of an API that is not the client\u2019s', JSON.stringify([{ type: 'folder_access' }])],
  ])('%s', async (_, authorization_details) => {
    // What is longer than an address can only be pushed.
    if (authorization_details.length < 2000) {
      const answer = await refusal({ authorization_details })
      expect(answer.error).toBe('invalid_authorization_details')
      expect(answer.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/)
    }
    const pushed = await app.post('par', {
      ...Object.fromEntries(app.begin().parameters),
      authorization_details,
    })
    expect([pushed.status, pushed.body.error]).toEqual([400, 'invalid_authorization_details'])
  })

  test('a client without any API, though it names one', async () => {
    expect((await refusal(asking(order), stranger)).error).toBe('invalid_authorization_details')
  })

  test('what is nested without end, sent in every way', async () => {
    const nest = `[{"type":"payment","to":${'['.repeat(6000)}${']'.repeat(6000)}}]`
    const plain = await app.post('par', {
      ...Object.fromEntries(app.begin().parameters),
      authorization_details: nest,
    })
    expect(plain.status).toBe(400)
    const key = await createKey()
    const signing = await createApp(server, { apis: [bank], jwks: { keys: [key.publicJwk] } })
    const { parameters } = signing.begin()
    parameters.set('authorization_details', nest)
    const object = await signRequest(key, { clientId: signing.id, audience: origin }, parameters)
    const { status } = await signing.post('par', { request: object })
    expect(status).toBe(400)
    const token = await service.post('token', {
      grant_type: 'client_credentials',
      authorization_details: nest,
    })
    expect(token.status).toBe(400)
  })
})

test('pushed, and signed and pushed, it is the same request', async () => {
  const browser = createBrowser(server)
  await authorize(browser, app, person)
  const request = await push(app, app.begin(asking(order)))
  const consent = await browser.get(request.url)
  expect(consent.body).toContain('12.50')
  const { code } = app.answerOf(request, await browser.press(consent, 'continue'))
  expect((await app.redeem(request, code)).body.authorization_details).toEqual([order])

  const key = await createKey()
  const signing = await createApp(server, { apis: [bank], jwks: { keys: [key.publicJwk] } })
  const plain = signing.begin()
  // RFC 9396 §3: in a request object it is a list, not text.
  const object = await signRequest(
    key,
    { clientId: signing.id, audience: origin },
    plain.parameters,
    {
      authorization_details: [order],
    },
  )
  const pushed = await signing.post('par', { request: object })
  expect(pushed.status, JSON.stringify(pushed.body)).toBe(201)
  const parameters = new URLSearchParams({
    client_id: signing.id,
    request_uri: String(pushed.body.request_uri),
  })
  const page = await browser.get(`${origin}/oauth2/authorize?${parameters}`)
  expect(page.body).toContain('12.50')
  const granted = signing.answerOf(plain, await browser.press(page, 'continue'))
  expect((await signing.redeem(plain, granted.code)).body.authorization_details).toEqual([order])
})

test('a service gets what it asks for at its own APIs, and nothing elsewhere', async () => {
  const ask = (...details: unknown[]) =>
    service.post('token', { grant_type: 'client_credentials', ...asking(...details) })
  const { body } = await ask(order)
  expect(body.authorization_details).toEqual([order])
  expect(decodeJwt(body.access_token ?? '')).toMatchObject({ aud: bank, sub: service.id })
  const other = await ask({ type: 'folder_access', folder: 'x' })
  expect(other.body.error).toBe('invalid_authorization_details')
})

test('a client that is limited to some types may not ask for others, nor keep them', async () => {
  const by = { actor, engineCheck: createClientCheck(origin) }
  const limited = await createApp(server, { apis: [bank, files] })
  const { answer } = await authorize(createBrowser(server), limited, person, asking(order))
  const change = { authorizationTypes: ['folder_access'] }
  expect(await updateClient(db, limited.id, change, by)).toMatchObject({
    ok: true,
    client: { metadata: { authorization_details_types: ['folder_access'] } },
  })
  const error = async (...details: unknown[]) => (await refusal(asking(...details), limited)).error
  await expect.poll(() => error(order), { timeout: 5000 }).toBe('invalid_authorization_details')
  const refreshed = await limited.refresh(answer.body.refresh_token)
  expect(refreshed.body).not.toHaveProperty('authorization_details')
  const page = await visitor.get(limited.begin(asking({ type: 'folder_access' })).url)
  expect(page.url).toContain('/sign-in/')

  const wrong = await updateClient(db, limited.id, { authorizationTypes: ['made-up'] }, by)
  expect(wrong).toMatchObject({ ok: false, problems: [{ field: 'authorization_details_types' }] })
  const foreign = await updateClient(db, app.id, { authorizationTypes: ['folder_access'] }, by)
  expect(foreign).toMatchObject({ ok: false, problems: [{ code: 'type_unknown' }] })
  expect(await updateClient(db, limited.id, { authorizationTypes: null }, by)).toMatchObject({
    ok: true,
    changed: ['authorization_details_types'],
  })
})

test('on a device: shown before the yes, and in the token that the device gets', async () => {
  const tv = await createApp(server, { preset: 'device', apis: [bank] })
  const shown = await askForCode(tv, { ...asking(order), scope: 'openid' })
  expect(shown.answer.status, JSON.stringify(shown.answer.body)).toBe(200)
  const browser = createBrowser(server)
  await authorize(browser, app, person)
  const consent = await typeCode(browser, shown)
  const asked = consent.url.includes('/consent')
    ? consent
    : await browser.press(consent, 'continue')
  expect(asked.body).toContain('12.50')
  expect((await browser.press(asked, 'continue')).body).toContain('Your device is connected')
  const { body } = await poll(tv, shown)
  expect(body.authorization_details, JSON.stringify(body)).toEqual([order])
  expect(decodeJwt(body.access_token ?? '')).toMatchObject({ authorization_details: [order] })
})

test('no row keeps a value of what was agreed to once its tokens are gone', async () => {
  const { rows } = await pool.query('select resources::text || claims::text as text from consents')
  expect(rows.length).toBeGreaterThan(0)
  expect(rows.filter(({ text }) => text.includes('12.50'))).toEqual([])
})

test('a type that is taken away, or goes with its API, is refused and leaves the next refresh', async () => {
  const { answer } = await authorize(createBrowser(server), both, person, asking(order))
  await updateApi(db, bank, { removeTypes: ['payment'] }, { actor })
  await expect.poll(promised, { timeout: 5000 }).not.toContain('payment')
  expect((await refusal(asking(order))).error).toBe('invalid_authorization_details')
  const { body } = await both.refresh(answer.body.refresh_token)
  expect(body).not.toHaveProperty('authorization_details')
  await deleteApi(db, files, { actor })
  await expect.poll(promised, { timeout: 5000 }).not.toContain('folder_access')
})
