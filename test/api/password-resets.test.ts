/** A new password by mail for programs: the same steps and the same silence as the pages. */
import { beforeAll, describe, expect, test } from 'vitest'
import { isSignedIn, mailTo } from '../support/account.ts'
import { createProgram, expectSeen, nowhere, type Signed } from '../support/own-api.ts'
import { createPerson } from '../support/person.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let api: ReturnType<typeof createProgram>
let other: Signed
const codeIn = /^ {4}(\d{6})$/m
const another = 'quite another password'
const codesOf = (body: { errors: { field: string; code: string }[] }) =>
  body.errors.map(({ field, code }) => `${field} ${code}`)

beforeAll(async () => {
  server = await startTestServer({ crontab: '' })
  api = createProgram(server)
  other = await api.newcomer()
})

describe('a new password by mail', () => {
  const begin = (identifier: string) =>
    api.call('beginPasswordReset', undefined, { json: { identifier } })

  test('is set once by the code, ends every session, and signs nobody in', async () => {
    const { person, token, browser } = await api.newcomer()
    const { status, body } = await begin(person.email)
    expect(status).toBe(202)
    const { id, handle } = body
    const params = { id }
    expect(
      (await api.call('sendPasswordResetMail', handle, { params })).body.retryAfter,
    ).toBeGreaterThan(50)
    const code = await mailTo(server, person.email, codeIn)
    const set = (newPassword: string, given = code) =>
      api.call('resetPassword', handle, { params, json: { code: given, newPassword } })
    expect(codesOf((await set(another, '000000')).body)).toEqual(['code code_wrong'])
    expect(codesOf((await set('short')).body)).toEqual(['newPassword password_too_short'])
    const race = await Promise.all([set(another), set(another), set(another)])
    expect(race.filter((each) => each.status === 204)).toHaveLength(1)
    expect((await set(another)).status).toBe(400)
    expect((await api.call('readAccount', token)).body.code).toBe('invalid_token')
    expect(await isSignedIn(server, browser)).toBe(false)
  })

  test('is set by the link as well, in the reset that it belongs to', async () => {
    const [one, two] = [await createPerson(server), await createPerson(server)]
    const [mine, theirs] = [(await begin(one.email)).body, (await begin(two.email)).body]
    const token = await mailTo(server, one.email, /\/reset-password\?token=([\w-]+)/)
    const json = { token, newPassword: another }
    const elsewhere = await api.call('resetPassword', theirs.handle, {
      params: { id: theirs.id },
      json,
    })
    expect(codesOf(elsewhere.body)).toEqual(['token link_expired'])
    expect(
      (await api.call('resetPassword', mine.handle, { params: { id: mine.id }, json })).status,
    ).toBe(204)
  })

  test('is begun in the same way for whoever is unknown', async () => {
    const known = await begin(other.person.email)
    const unknown = await begin('nobody-at-all@example.org')
    expect(Object.keys(known.body)).toEqual(Object.keys(unknown.body))
    expect([known.status, known.body.retryAfter]).toEqual([unknown.status, unknown.body.retryAfter])
    const json = { code: '123456', newPassword: another }
    const guesses = [known.body, unknown.body].map(async ({ id, handle }) => {
      const { status, body } = await api.call('resetPassword', handle, { params: { id }, json })
      return [status, codesOf(body)]
    })
    const [first, second] = await Promise.all(guesses)
    expect(first).toEqual(second)
    expect(codesOf((await begin('no address')).body)).toEqual(['identifier email_invalid'])
  })

  test('does not exist without its handle', async () => {
    const { id, handle } = (await begin(other.person.email)).body
    const { handle: strange } = (await begin(other.person.email)).body
    const json = { code: '123456', newPassword: another }
    for (const bearer of [undefined, strange, 'x']) {
      const params = { id }
      expect((await api.call('resetPassword', bearer, { params, json })).body.code).toBe(
        'reset_not_found',
      )
      expect((await api.call('sendPasswordResetMail', bearer, { params })).body.code).toBe(
        'reset_not_found',
      )
    }
    const params = { id: nowhere }
    expect((await api.call('sendPasswordResetMail', handle, { params })).status).toBe(404)
  })
})

test('every operation has been seen to succeed and to refuse', () => {
  for (const how of ['done', 'refused'] as const) expectSeen(how, api.seen, 'password reset')
})
