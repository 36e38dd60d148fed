import { describe, expect, test } from 'vitest'
import { refusalStatuses } from '../../src/api/registrations.ts'
import { views } from '../http/support.ts'
import { newcomer } from '../registration/newcomers.ts'
import { begin, deps, root, start } from './programs.ts'

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
    [{ username: 1, email: {}, password: 7 }, ['invalid', 'invalid', 'invalid']],
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

  test('in words of its own in each language, whichever code it is', () => {
    const codes = [
      ...Object.keys(refusalStatuses),
      'username_taken',
      'email_required',
      'name_too_long',
    ]
    for (const code of codes) {
      const [english, chinese] = [
        views.t('en', `errors.${code}`),
        views.t('zh-CN', `errors.${code}`),
      ]
      expect(chinese, code).not.toBe(english)
    }
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
    const without = {
      status: 400,
      body: { errors: [{ field: 'invite', code: 'invite_required' }] },
    }
    const answer = await call(root, { json: newcomer() })
    expect(answer).toMatchObject(registration === 'closed' ? refused : without)
    expect(await call(`${root}/usernames/free`)).toMatchObject(refused)
  },
)
