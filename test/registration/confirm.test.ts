import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { createAccount, findAccount } from '../../src/accounts/accounts.ts'
import { begin } from '../../src/registration/begin.ts'
import { verifyCode, verifyToken } from '../../src/registration/proofs.ts'
import { read } from '../../src/registration/read.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'
import { createDeps, deliver, mustBegin, newcomer } from './newcomers.ts'

const { db } = await createDatabase({ poolSize: 20 })
const deps = createDeps(db)

async function waiting() {
  const key = await mustBegin(deps)
  const mail = (await deliver(deps)).at(-1)
  if (!mail) throw new Error('no mail')
  return { key, mail }
}

test('fifty clicks on code and link at once verify once (RC-09)', async () => {
  for (let round = 0; round < rounds; round++) {
    const { key, mail } = await waiting()
    const clicks = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        index % 2 === 0 ? verifyCode(deps, key, mail.code) : verifyToken(deps, mail.token, { key }),
      ),
    )
    expect(clicks.filter((click) => click.ok && click.first)).toHaveLength(1)
    const events = await db
      .selectFrom('auditEvents')
      .select('id')
      .where('type', '=', 'registration.verified')
      .where(sql`detail ->> 'registrationId'`, '=', key.id)
      .execute()
    expect(events).toHaveLength(1)
    expect(await read(db, key)).toMatchObject({ status: 'verified' })
  }
})

describe('one address, many registrations', () => {
  test('fifty begin with it and all prove it at once: one account has it (RC-06)', async () => {
    const email = 'shared@example.org'
    const begun = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        begin(deps, newcomer({ username: `sh-${index}x`, email })),
      ),
    )
    const keys = begun.flatMap((one) => (one.ok ? [one.key] : []))
    expect(keys).toHaveLength(50)
    const mails = await deliver(deps)
    expect(mails.filter(({ to }) => to === email)).toHaveLength(50)

    const proofs = await Promise.all(mails.map(({ token }) => verifyToken(deps, token)))
    expect(proofs.filter(({ ok }) => ok)).toHaveLength(1)
    const losers = proofs.filter(({ ok }) => !ok)
    expect(new Set(losers.map((proof) => !proof.ok && proof.code))).toEqual(
      new Set(['email_taken']),
    )
    const owners = await db
      .selectFrom('accounts')
      .select('status')
      .where('username', 'like', 'sh-%')
      .execute()
    expect(owners).toEqual([{ status: 'active' }])
  })

  test('the loser says why, cannot be retried and gives the username back', async () => {
    const email = 'contested@example.org'
    const [first, second] = [
      await mustBegin(deps, { username: 'first-one', email }),
      await mustBegin(deps, { username: 'second-one', email }),
    ]
    const mails = await deliver(deps)
    expect(await verifyCode(deps, first, mails[0]?.code ?? '')).toMatchObject({ ok: true })
    const refused = { ok: false, code: 'email_taken' }
    expect(await verifyCode(deps, second, mails[1]?.code ?? '')).toEqual(refused)
    expect(await verifyCode(deps, second, mails[1]?.code ?? '')).toEqual(refused)
    expect(await read(db, second)).toMatchObject({
      status: 'failed',
      lastStep: 'verification_sent',
      error: 'email_taken',
      canProceed: false,
      canRetry: false,
      accountId: null,
    })
    expect(await begin(deps, newcomer({ username: 'second-one' }))).toMatchObject({ ok: true })
  })
})

test('an address with an owner: no code is made, and the owner alone is told', async () => {
  const made = await createAccount(
    db,
    {
      username: 'owner',
      passwordHash: 'x',
      address: { email: 'Owner@example.org', canonical: 'owner@example.org' },
    },
    { kind: 'operator' },
  )
  const key = await mustBegin(deps, { username: 'mallory', email: 'OWNER@example.org' })
  const mail = (await deliver(deps)).at(-1)
  expect(mail).toMatchObject({ to: 'Owner@example.org', code: '', token: '' })
  expect(mail?.text).toContain('already')
  expect(mail?.text).toContain('owner')
  expect(mail?.text).not.toContain('mallory')

  // Guessing against it looks like guessing against any other.
  for (const guessesLeft of [4, 3, 2, 1]) {
    expect(await verifyCode(deps, key, '123456')).toEqual({
      ok: false,
      code: 'code_wrong',
      guessesLeft,
    })
  }
  expect(await verifyCode(deps, key, '123456')).toMatchObject({ code: 'too_many_guesses' })
  expect(made.ok && (await findAccount(db, made.id))?.username).toBe('owner')
})

test('an account that was switched off meanwhile is not switched on by a proof', async () => {
  const { key, mail } = await waiting()
  const view = await read(db, key)
  await db
    .updateTable('accounts')
    .set({ status: 'disabled' })
    .where('id', '=', view?.accountId ?? '')
    .execute()
  expect(await verifyCode(deps, key, mail.code)).toEqual({ ok: false, code: 'account_disabled' })
  expect(await findAccount(db, view?.accountId ?? '')).toMatchObject({ status: 'disabled' })
})
