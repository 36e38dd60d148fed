import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { deliver, letTimePass, newcomer, password } from '../registration/newcomers.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { expectSeen } from '../support/own-api.ts'
import { begin, db, deps, root, seen, start } from './programs.ts'

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

describe('with a passkey alone', () => {
  const origin = deps.config.issuer

  /** Verified by the code, without any way in. */
  async function proven(call: Awaited<ReturnType<typeof start>>, how: 'code' | 'token' = 'code') {
    const { body } = await call(root, { json: newcomer({ password: null }) })
    const mail = (await deliver(deps)).at(-1)
    const { id, handle } = body as { id: string; handle: string }
    const json = how === 'code' ? { code: mail?.code } : { token: mail?.token }
    await call(`${root}/${id}/verification`, { handle, json })
    return { id, handle, path: `${root}/${id}/passkey` }
  }

  test('null in place of a password is said, and a passkey made with the handle is the way in', async () => {
    const call = await start()
    const { handle, path } = await proven(call)
    const device = createAuthenticator(origin)
    const { status, body } = await call(`${path}/options`, { method: 'POST', handle })
    expect([status, body]).toMatchObject([200, { challenge: expect.any(String) }])
    const json = { answer: JSON.parse(device.create(body)) }
    const answers = await Promise.all([1, 2, 3].map(() => call(path, { handle, json })))
    expect(answers.filter((one) => one.status === 201)).toHaveLength(1)
    const late = await call(`${path}/options`, { method: 'POST', handle })
    expect([late.status, late.body.code]).toEqual([404, 'registration_not_found'])
  })

  test('is for nobody without the handle, before the proof, or after a link that anybody may have pressed', async () => {
    const call = await start()
    const first = await proven(call)
    const other = await proven(call)
    for (const handle of [undefined, 'wrong', other.handle]) {
      const asked = { method: 'POST', ...(handle === undefined ? {} : { handle }) }
      expect((await call(`${first.path}/options`, asked)).status).toBe(404)
    }
    const { body: early } = await call(root, { json: newcomer({ password: null }) })
    const waiting = `${root}/${early.id}/passkey/options`
    expect((await call(waiting, { method: 'POST', handle: early.handle })).status).toBe(404)
    const linked = await proven(call, 'token')
    const asked = { method: 'POST', handle: linked.handle }
    expect((await call(`${linked.path}/options`, asked)).status).toBe(404)
  })

  test('takes no answer to a challenge of another registration, or from another origin', async () => {
    const call = await start()
    const [one, two] = [await proven(call), await proven(call)]
    const ask = async ({ path, handle }: typeof one) =>
      (await call(`${path}/options`, { method: 'POST', handle })).body
    const foreign = JSON.parse(createAuthenticator(origin).create(await ask(two)))
    const evil = JSON.parse(
      createAuthenticator(origin).create(await ask(one), { origin: 'https://evil.example' }),
    )
    for (const [answer, code] of [
      [foreign, 'passkey_expired'],
      [evil, 'passkey_refused'],
      [{}, 'passkey_refused'],
    ]) {
      const told = await call(one.path, { handle: one.handle, json: { answer } })
      expect([told.status, told.body.errors]).toEqual([400, [{ field: 'answer', code }]])
    }
  })

  test('is never the meaning of a password that was left out or is empty', async () => {
    const call = await start()
    const { password: _, ...without } = newcomer()
    for (const json of [without, newcomer({ password: '' })]) {
      const told = await call(root, { json })
      expect([told.status, told.body.errors[0].field]).toEqual([400, 'password'])
    }
  })
})

describe('without its handle a registration does not exist (AC-20)', () => {
  test('reading, asking for mail, retrying and guessing are all the same 404', async () => {
    const call = await start()
    const [mine, yours] = [await begin(call), await begin(call)]
    const unknown = '019a0000-0000-7000-8000-000000000000'
    const bodies = new Set<string>()
    for (const id of [mine.id, unknown, 'not-a-uuid', `${mine.id}%27`]) {
      for (const handle of ['', yours.handle, mine.handle.toLowerCase()]) {
        const asked = { handle }
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

  test('its id alone never reads it, and proves it only together with the mailed code', async () => {
    const call = await start()
    const mine = await begin(call)
    expect((await call(`${root}/${mine.id}`, {})).status).toBe(404)
    const path = `${root}/${mine.id}/verification`
    const wrong = mine.mail?.code === '000000' ? '000001' : '000000'
    expect((await call(path, { json: { code: wrong } })).status).toBe(400)
    expect((await call(path, { json: { code: mine.mail?.code } })).body.status).toBe('verified')
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

test('what failed on the way goes on from there when it is asked to', async () => {
  const call = await start()
  await sql`alter table accounts add constraint broken check (username not like 'unlucky%')`.execute(
    db,
  )
  const { body } = await call(root, { json: { ...newcomer(), username: 'unlucky-two' } })
  await sql`alter table accounts drop constraint broken`.execute(db)
  expect(body).toMatchObject({ status: 'failed', canProceed: true })
  const { status, body: again } = await call(`${root}/${body.id}/retry`, {
    method: 'POST',
    handle: body.handle,
  })
  expect([status, again.status]).toEqual([202, 'verification_sent'])
})

test('every operation has been seen to succeed and to refuse', () => {
  for (const how of ['done', 'refused'] as const) expectSeen(how, seen, 'registration')
})
