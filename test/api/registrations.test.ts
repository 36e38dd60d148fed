import { describe, expect, test } from 'vitest'
import { openApiDocument, openApiRoutes } from '../../src/api/openapi.ts'
import { registrationRoutes } from '../../src/api/registrations.ts'
import { createKeyring, randomToken } from '../../src/crypto.ts'
import { createLimits } from '../../src/http/limits.ts'
import { type Ask, above, serve, views } from '../http/support.ts'
import { createDeps, deliver, letTimePass, newcomer, password } from '../registration/newcomers.ts'
import { createDatabase } from '../support/database.ts'

const { db, pool } = await createDatabase()
const deps = createDeps(db)

async function start(
  options: { factor?: number; registration?: 'open' | 'closed' | 'invite' } = {},
) {
  const { factor = 1000, registration = 'open' } = options
  // A key of its own: what other tests have counted does not count here.
  const limits = createLimits({ pool, keyring: createKeyring([randomToken()]), factor })
  const house = { ...deps, config: { ...deps.config, registration } }
  const { ask } = await serve([
    ...above(),
    ...registrationRoutes({ registration: house, limits, views }),
    ...openApiRoutes({ issuer: 'https://id.example.org', brandName: 'Example' }),
  ])
  return async function call(path: string, what: Ask & { json?: unknown; handle?: string } = {}) {
    const { json, handle, headers, ...rest } = what
    const answer = await ask(path, {
      ...(json === undefined ? {} : { method: 'POST', body: JSON.stringify(json) }),
      ...rest,
      headers: {
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(handle === undefined ? {} : { authorization: `Bearer ${handle}` }),
        ...headers,
      },
    })
    const body = answer.body === '' ? undefined : JSON.parse(answer.body)
    return { ...answer, body }
  }
}

const root = '/api/registrations'

test('somebody registers through a program, from the username to the verified account', async () => {
  const call = await start()
  const free = await call(`${root}/usernames/ada`)
  expect([free.status, free.body]).toEqual([
    200,
    { available: true, message: expect.stringMatching(/^\w.*\.$/) },
  ])

  const begun = await call(root, {
    json: {
      username: 'ada',
      email: 'ada@example.org',
      password,
      name: 'Ada Lovelace',
      locale: 'en',
    },
  })
  expect(begun.status).toBe(202)
  expect(begun.body).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    handle: expect.stringMatching(/^[\w-]{43}$/),
    status: 'verification_sent',
    progress: 80,
    message: expect.stringMatching(/^\w.*\.$/),
    canProceed: true,
    details: {
      lastStep: 'verification_sent',
      error: null,
      lastUpdated: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    },
  })
  const { id, handle, ...rest } = begun.body
  expect(begun.headers.location).toBe(`${root}/${id}`)

  const seen = await call(`${root}/${id}`, { handle })
  expect([seen.status, seen.body]).toEqual([200, { id, ...rest }])

  const again = await call(`${root}/${id}/mail`, { method: 'POST', handle })
  expect([again.status, again.body]).toEqual([202, { retryAfter: expect.any(Number) }])
  expect(again.body.retryAfter).toBeGreaterThan(50)

  const [mail] = await deliver(deps)
  const verified = await call(`${root}/${id}/verification`, { handle, json: { code: mail?.code } })
  expect(verified.status).toBe(200)
  expect(verified.body).toMatchObject({ id, status: 'verified', progress: 100, canProceed: true })
  expect(verified.body).not.toHaveProperty('handle')
  const taken = await call(`${root}/usernames/ada`)
  expect(taken.body).toEqual({ available: false, message: expect.stringContaining('taken') })
})

async function begin(call: Awaited<ReturnType<typeof start>>) {
  const { body } = await call(root, { json: newcomer() })
  const mail = (await deliver(deps)).at(-1)
  return { id: body.id as string, handle: body.handle as string, mail }
}

test('the link alone proves the address, and a second click is fine for whoever began', async () => {
  const call = await start()
  const { id, handle, mail } = await begin(call)
  const path = `${root}/${id}/verification`
  const json = { token: mail?.token }
  expect(await call(path, { json })).toMatchObject({ status: 200, body: { status: 'verified' } })
  const used = { status: 400, body: { code: 'link_used' } }
  expect(await call(path, { json })).toMatchObject(used)
  expect(await call(path, { json, handle })).toMatchObject({ status: 200 })
})

test('messages speak the language of the person', async () => {
  const call = await start()
  const headers = { 'accept-language': 'zh-CN,zh;q=0.9' }
  const free = await call(`${root}/usernames/xiaoming`, { headers })
  expect(free.body.message).toMatch(/\p{Script=Han}/u)
  const begun = await call(root, { json: newcomer(), headers })
  expect(begun.body.message).toMatch(/\p{Script=Han}/u)
  expect((await deliver(deps)).at(-1)?.text).toMatch(/\p{Script=Han}/u)
})

describe('without its handle a registration does not exist (AC-20)', () => {
  test('reading, asking for mail, retrying and guessing are all the same 404', async () => {
    const call = await start()
    const [mine, yours] = [await begin(call), await begin(call)]
    const unknown = '019a0000-0000-7000-8000-000000000000'
    const bodies = new Set<string>()
    for (const id of [mine.id, unknown, 'not-a-uuid', `${mine.id}%27`]) {
      for (const handle of [undefined, '', yours.handle, mine.handle.toLowerCase()]) {
        const asked = { ...(handle === undefined ? {} : { handle }) }
        const answers = [
          await call(`${root}/${id}`, asked),
          await call(`${root}/${id}/mail`, { ...asked, method: 'POST' }),
          await call(`${root}/${id}/retry`, { ...asked, method: 'POST' }),
          await call(`${root}/${id}/verification`, { ...asked, json: { code: mine.mail?.code } }),
        ]
        for (const { status, body } of answers) {
          expect(status).toBe(404)
          bodies.add(JSON.stringify({ ...body, requestId: '' }))
        }
      }
    }
    expect(bodies.size).toBe(1)
    expect((await call(`${root}/${mine.id}`, mine)).body.status).toBe('verification_sent')
  })

  test("another's code or link is refused (AC-09)", async () => {
    const call = await start()
    const [mine, yours] = [await begin(call), await begin(call)]
    const path = `${root}/${mine.id}/verification`
    const { handle } = mine
    expect(await call(path, { handle, json: { token: yours.mail?.token } })).toMatchObject({
      status: 400,
      body: { code: 'link_expired', errors: [{ field: 'token', code: 'link_expired' }] },
    })
    const wrong = mine.mail?.code === '000000' ? '000001' : '000000'
    expect(await call(path, { handle, json: { code: wrong } })).toMatchObject({
      status: 400,
      body: {
        code: 'code_wrong',
        detail: expect.stringContaining('code'),
        errors: [{ field: 'code', code: 'code_wrong' }],
      },
    })
  })
})

describe('what is refused is a problem document', () => {
  test('with every field that is wrong', async () => {
    const call = await start()
    const json = { username: 'No Way', email: 'nobody', password: '1' }
    const { status, headers, body } = await call(root, { json })
    expect(status).toBe(400)
    expect(headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(body).toMatchObject({
      code: 'invalid_request',
      requestId: expect.any(String),
      detail: expect.stringContaining('username'),
      errors: [
        { field: 'username', code: 'username_invalid' },
        { field: 'email', code: 'email_invalid' },
        { field: 'password', code: 'password_too_short' },
      ],
    })
  })

  test.each([
    [{}, ['username_required', 'email_required', 'password_required']],
    [null, ['invalid']],
    [[], ['invalid']],
    ['text', ['invalid']],
    [{ username: 1, email: {}, password: null }, ['invalid', 'invalid', 'invalid']],
  ])('%j', async (json, codes) => {
    const call = await start()
    const { status, body } = await call(root, { json })
    expect(status).toBe(400)
    expect(body.errors.map(({ code }: { code: string }) => code)).toEqual(codes)
  })

  test('unknown keys, such as those that would make an admin (AC-25, IN-04)', async () => {
    const call = await start()
    const columns = ['id', 'status', 'roles', 'email_verified', 'emailVerifiedAt', 'isAdmin']
    for (const field of columns) {
      const { status, body } = await call(root, { json: { ...newcomer(), [field]: true } })
      expect(status).toBe(400)
      expect(body.errors).toEqual([{ field, code: 'unknown_field' }])
    }
  })

  test('a verification that is neither code nor link, or both', async () => {
    const call = await start()
    const { id, handle } = await begin(call)
    for (const json of [{}, { code: 1 }, { code: '1', token: '2' }, { code: '123456', id }]) {
      const answer = await call(`${root}/${id}/verification`, { json, handle })
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    }
  })

  test.each([
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'username=x', 415],
    ['no type', {}, '{}', 415],
    ['half a document', { 'content-type': 'application/json' }, '{"username":', 400],
    ['a NUL', { 'content-type': 'application/json' }, '{"username":"a\\u0000"}', 400],
    ['pollution', { 'content-type': 'application/json' }, '{"__proto__":{"isAdmin":true}}', 400],
    ['5,000 levels', { 'content-type': 'application/json' }, '['.repeat(5000), 400],
    ['1 MB', { 'content-type': 'application/json' }, `"${'a'.repeat(1 << 20)}"`, 413],
  ])('%s (IN-02, IN-03, DS-04)', async (_name, headers, body, status) => {
    const call = await start()
    const answer = await call(root, { method: 'POST', headers, body })
    expect(answer.status).toBe(status)
    expect(({} as Record<string, unknown>).isAdmin).toBeUndefined()
  })

  test('a password of 1,025 characters, before it is hashed (PW-03)', async () => {
    const call = await start()
    const before = deps.hasher.stats().done
    const json = { ...newcomer(), password: 'correct horse '.repeat(80) }
    expect(await call(root, { json })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'password', code: 'password_too_long' }] },
    })
    expect(deps.hasher.stats().done).toBe(before)
  })

  test('other verbs', async () => {
    const call = await start()
    const { status, headers } = await call(root, { method: 'DELETE' })
    expect([status, headers.allow]).toEqual([405, 'POST'])
  })
})

test.each(['closed', 'invite'] as const)(
  'where registration is %s it is refused by the server (AC-26)',
  async (registration) => {
    const call = await start({ registration })
    const refused = { status: 403, body: { code: 'registration_closed' } }
    expect(await call(root, { json: newcomer() })).toMatchObject(refused)
    expect(await call(`${root}/usernames/free`)).toMatchObject(refused)
  },
)

test('known and unknown addresses get the same answer (EN-03)', async () => {
  const call = await start()
  const owner = await begin(call)
  await call(`${root}/${owner.id}/verification`, {
    handle: owner.handle,
    json: { code: owner.mail?.code },
  })
  const ask = async (email: string) => {
    const { status, headers, body } = await call(root, { json: newcomer({ email }) })
    const known = Object.keys(headers).sort()
    const { id, handle, details, ...rest } = body
    const lengths = [headers['content-length'], id.length, handle.length]
    return { status, known, lengths, rest: { ...rest, ...details, lastUpdated: '' } }
  }
  const answer = await ask('nobody-has-this@example.org')
  expect(await ask(owner.mail?.to ?? '')).toEqual(answer)
})

describe('limits', () => {
  test('on one address: beginnings, guesses and mails (EN-12)', async () => {
    const call = await start({ factor: 0.05 })
    const limited = async (path: string, what: object) => {
      for (let asked = 0; asked < 10; asked++) {
        const { status, headers, body } = await call(path, what)
        if (status !== 429) continue
        expect(Number(headers['retry-after'])).toBeGreaterThan(0)
        expect(body.code).toBe('too_many_requests')
        return asked
      }
      return Number.POSITIVE_INFINITY
    }
    const none = `${root}/019a0000-0000-7000-8000-000000000000`
    expect(await limited(root, { json: newcomer({ username: 'Bad' }) })).toBe(3)
    expect(await limited(`${none}/verification`, { json: { code: '123456' } })).toBe(3)
    expect(await limited(`${none}/mail`, { method: 'POST' })).toBe(3)
    expect(await limited(`${root}/usernames/somebody`, {})).toBe(6)
  })
})

test('an expired registration is gone', async () => {
  const call = await start()
  const { id, handle } = await begin(call)
  await letTimePass(db, id, '1 day')
  expect((await call(`${root}/${id}`, { handle })).status).toBe(404)
})

describe('the OpenAPI document', () => {
  test('is served, and describes every address and every schema that it names', async () => {
    const call = await start()
    const { status, body } = await call('/api/openapi.json')
    expect(status).toBe(200)
    expect(body).toEqual(
      JSON.parse(
        JSON.stringify(openApiDocument({ issuer: 'https://id.example.org', brandName: 'Example' })),
      ),
    )
    expect(body.openapi).toBe('3.1.0')
    expect(Object.keys(body.paths)).toEqual([
      '/api/registrations/usernames/{username}',
      '/api/registrations',
      '/api/registrations/{id}',
      '/api/registrations/{id}/verification',
      '/api/registrations/{id}/mail',
      '/api/registrations/{id}/retry',
    ])
    const named = JSON.stringify(body).matchAll(/#\/components\/schemas\/(\w+)/g)
    for (const [, name] of named) expect(body.components.schemas).toHaveProperty(String(name))
    expect(body.components.schemas.RegistrationRequest).toMatchObject({
      type: 'object',
      required: ['username', 'email', 'password'],
      additionalProperties: false,
    })
    expect(body.components.schemas.VerificationRequest.anyOf).toHaveLength(2)
  })

  test('tells the truth: every described operation answers, with a described status', async () => {
    const call = await start()
    const { paths } = openApiDocument({ issuer: 'https://id.example.org', brandName: 'Example' })
    for (const [path, methods] of Object.entries<Record<string, { responses?: object }>>(paths)) {
      for (const [method, { responses }] of Object.entries(methods)) {
        if (!responses) continue
        const filled = path.replace('{username}', 'x').replace('{id}', 'y')
        const { status } = await call(filled, { method: method.toUpperCase() })
        expect(Object.keys(responses), `${method} ${path}`).toContain(String(status))
      }
    }
  })
})
