import { describe, expect, test } from 'vitest'
import { findAccount } from '../../src/accounts/accounts.ts'
import { begin } from '../../src/registration/begin.ts'
import { verifyCode } from '../../src/registration/proofs.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, deliver, mustBegin, newcomer, password, waitingMails } from './newcomers.ts'

const { db } = await createDatabase()
const deps = createDeps(db)

const countOf = async (table: 'accounts' | 'registrations') =>
  Number(
    (
      await db
        .selectFrom(table)
        .select((the) => the.fn.countAll().as('count'))
        .executeTakeFirstOrThrow()
    ).count,
  )

const historyOf = (id: string) =>
  db
    .selectFrom('registrationTransitions')
    .select(['fromStatus', 'toStatus', 'error'])
    .where('registrationId', '=', id)
    .orderBy('at')
    .execute()

test('a newcomer registers, reads the mailed code and has an account', async () => {
  const seen: unknown[] = []
  const observer = {
    transition: (from: unknown, to: unknown) => seen.push(`${from} ${to}`),
    finished: (status: unknown, seconds: number) => seen.push(status, seconds >= 0),
  }
  const begun = await begin(
    { ...deps, observer },
    newcomer({ username: 'alice', name: 'Alice Liddell', locale: 'zh-CN' }),
  )
  if (!begun.ok) throw new Error('refused')
  expect(begun.registration).toMatchObject({
    status: 'verification_sent',
    progress: 80,
    canProceed: true,
    maskedEmail: 'a•••@example.org',
    proof: 'open',
    waitSeconds: 60,
  })

  const [mail] = await deliver(deps)
  expect(mail?.to).toBe('alice@example.org')
  const verified = await verifyCode({ ...deps, observer }, begun.key, mail?.code ?? '')
  expect(verified).toMatchObject({ ok: true, first: true })
  if (!verified.ok) return

  expect(await findAccount(db, verified.accountId)).toMatchObject({
    username: 'alice',
    status: 'active',
    email: 'alice@example.org',
    emailCanonical: 'alice@example.org',
    name: 'Alice Liddell',
    givenName: 'Alice',
    familyName: 'Liddell',
    locale: 'zh-CN',
  })
  expect(await historyOf(begun.key.id)).toEqual([
    { fromStatus: null, toStatus: 'initiated', error: null },
    { fromStatus: 'initiated', toStatus: 'username_validated', error: null },
    { fromStatus: 'username_validated', toStatus: 'user_created', error: null },
    { fromStatus: 'user_created', toStatus: 'verification_sent', error: null },
    { fromStatus: 'verification_sent', toStatus: 'verified', error: null },
  ])
  expect(seen).toEqual([
    'null initiated',
    'initiated username_validated',
    'username_validated user_created',
    'user_created verification_sent',
    'verification_sent verified',
    'verified',
    true,
  ])
  const events = await db.selectFrom('auditEvents').select('type').orderBy('id').execute()
  expect(events.map(({ type }) => type)).toEqual([
    'registration.started',
    'account.created',
    'registration.verified',
  ])
})

describe('what is refused stores nothing', () => {
  test('every mistake is told at once', async () => {
    const before = await countOf('registrations')
    const begun = await begin(deps, {
      username: 'Not A Name',
      email: 'a@b.com,mallory@evil.com',
      password: '12345678',
      name: 'line\nbreak',
    })
    expect(begun).toEqual({
      ok: false,
      errors: [
        { field: 'username', code: 'username_invalid' },
        { field: 'email', code: 'email_invalid' },
        { field: 'password', code: 'password_common' },
        { field: 'name', code: 'name_invalid' },
      ],
    })
    expect(await countOf('registrations')).toBe(before)
  })

  test('empty fields are asked for by name', async () => {
    expect(await begin(deps, { username: '', email: '', password: '' })).toEqual({
      ok: false,
      errors: [
        { field: 'username', code: 'username_required' },
        { field: 'email', code: 'email_required' },
        { field: 'password', code: 'password_required' },
      ],
    })
  })

  test.each([
    ['postmaster', 'username_reserved'],
    ['op', 'username_reserved'],
    ['Alice', 'username_invalid'],
    ['аlice', 'username_invalid'],
    ['alice ', 'username_invalid'],
    ['alice', 'username_taken'],
    ['a1ice', 'username_taken'],
  ])('the username %j: %s (AC-03)', async (username, code) => {
    const before = await countOf('registrations')
    const begun = await begin(deps, newcomer({ username, email: 'somebody@example.org' }))
    expect(begun).toEqual({ ok: false, errors: [{ field: 'username', code }] })
    expect(await countOf('registrations')).toBe(before)
  })

  test('a password made of the own names is refused', async () => {
    const begun = await begin(deps, newcomer({ username: 'winterfell', password: 'winterfell99' }))
    expect(begun).toMatchObject({ errors: [{ field: 'password', code: 'password_personal' }] })
  })

  test('registration closed (AC-26), with an invitation too', async () => {
    const shut = { ...deps, config: { ...deps.config, registration: 'closed' as const } }
    await expect(begin(shut, newcomer({ invite: 'ABCD' }))).rejects.toMatchObject({
      code: 'registration_closed',
      status: 403,
    })
  })
})

test('an unverified account owns no address, and the password stands in one place', async () => {
  const { id } = await mustBegin(deps, { username: 'bob' })
  const registration = await db
    .selectFrom('registrations')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const account = await findAccount(db, registration.accountId ?? '')
  expect(account).toMatchObject({ status: 'unverified', email: null, emailCanonical: null })
  expect(registration.passwordHash).toBe(null)
  expect(account?.passwordHash).toMatch(/^\$argon2id\$/)
})

test('no row and no waiting job holds the code, the link or the handle', async () => {
  const key = await mustBegin(deps, { username: 'canary-bird' })
  const payloads = JSON.stringify(await waitingMails(db))
  const sent = await deliver(deps)
  const mail = sent.find(({ to }) => to.startsWith('canary-bird'))
  const rows = JSON.stringify([
    await db.selectFrom('registrations').selectAll().where('id', '=', key.id).execute(),
    await db.selectFrom('auditEvents').selectAll().execute(),
    payloads,
  ])
  for (const secret of [mail?.token, key.handle, password]) expect(rows).not.toContain(secret)
  expect(payloads).not.toContain(mail?.code)
})

describe('the same form sent twice', () => {
  test('one after the other is one registration and one mail', async () => {
    const fields = newcomer()
    const [first, second] = [await begin(deps, fields), await begin(deps, fields)]
    expect(first.ok && second.ok && second.key).toEqual(first.ok && first.key)
    expect((await deliver(deps)).filter(({ to }) => to === fields.email)).toHaveLength(1)
  })

  test('at once as well', async () => {
    const fields = newcomer()
    const both = await Promise.all([begin(deps, fields), begin(deps, fields), begin(deps, fields)])
    const ids = both.map((begun) => (begun.ok ? begun.key.id : 'refused'))
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).not.toBe('refused')
    expect((await deliver(deps)).filter(({ to }) => to === fields.email)).toHaveLength(1)
  })

  test('with another password or another address it is somebody else', async () => {
    const fields = newcomer()
    await begin(deps, fields)
    const refused = { ok: false, errors: [{ field: 'username', code: 'username_taken' }] }
    expect(await begin(deps, { ...fields, password: 'another quiet river' })).toEqual(refused)
    expect(await begin(deps, { ...fields, email: 'other@example.org' })).toEqual(refused)
  })
})
