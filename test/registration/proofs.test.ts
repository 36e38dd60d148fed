import { describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/crypto.ts'
import type { RegistrationKey } from '../../src/registration/deps.ts'
import { resend } from '../../src/registration/mails.ts'
import { readLink, verifyCode, verifyToken } from '../../src/registration/proofs.ts'
import { read } from '../../src/registration/read.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, deliver, letTimePass, mustBegin, type Sent } from './newcomers.ts'

const { db } = await createDatabase({ poolSize: 20 })
const deps = createDeps(db)

async function waiting(): Promise<{ key: RegistrationKey; mail: Sent }> {
  const key = await mustBegin(deps)
  const [mail] = (await deliver(deps)).slice(-1)
  if (!mail) throw new Error('no mail')
  return { key, mail }
}

const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0')
const statusOf = async (key: RegistrationKey) => (await read(db, key))?.status

describe('the code', () => {
  test('is read with spaces and full-width digits', async () => {
    const { key, mail } = await waiting()
    const spaced = `${mail.code.slice(0, 3)} ${mail.code.slice(3)}`
    const wide = spaced.replace(/\d/g, (digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0))
    expect(await verifyCode(deps, key, wide)).toMatchObject({ ok: true })
  })

  test('that is none costs no guess', async () => {
    const { key, mail } = await waiting()
    for (const typed of ['', '12345', '1234567', 'abcdef', '１２３'.repeat(1000)]) {
      expect(await verifyCode(deps, key, typed)).toEqual({ ok: false, code: 'code_invalid' })
    }
    expect(await verifyCode(deps, key, mail.code)).toMatchObject({ ok: true })
  })

  test('dies of five wrong guesses (AC-08)', async () => {
    const { key, mail } = await waiting()
    for (const guessesLeft of [4, 3, 2, 1]) {
      const guess = await verifyCode(deps, key, wrong(mail.code))
      expect(guess).toEqual({ ok: false, code: 'code_wrong', guessesLeft })
    }
    expect(await verifyCode(deps, key, wrong(mail.code))).toEqual({
      ok: false,
      code: 'too_many_guesses',
      guessesLeft: 0,
    })
    expect(await verifyCode(deps, key, mail.code)).toEqual({ ok: false, code: 'too_many_guesses' })
    expect(await verifyToken(deps, mail.token)).toEqual({ ok: false, code: 'link_expired' })
    expect(await read(db, key)).toMatchObject({ status: 'verification_sent', proof: 'too-many' })
  })

  test('works at the fifth guess', async () => {
    const { key, mail } = await waiting()
    for (let guess = 0; guess < 4; guess++) await verifyCode(deps, key, wrong(mail.code))
    expect(await verifyCode(deps, key, mail.code)).toMatchObject({ ok: true })
  })

  test('guessed fifty times at once is evaluated five times', async () => {
    const { key, mail } = await waiting()
    const guesses = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        verifyCode(deps, key, String((Number(mail.code) + 1 + index) % 1_000_000).padStart(6, '0')),
      ),
    )
    const evaluated = guesses.filter((guess) => !guess.ok && guess.guessesLeft !== undefined)
    expect(evaluated).toHaveLength(5)
    expect(await verifyCode(deps, key, mail.code)).toMatchObject({ ok: false })
  })

  test('is dead after ten minutes', async () => {
    const { key, mail } = await waiting()
    await letTimePass(db, key.id, '10 minutes')
    expect(await verifyCode(deps, key, mail.code)).toEqual({ ok: false, code: 'code_expired' })
    expect(await verifyToken(deps, mail.token)).toEqual({ ok: false, code: 'link_expired' })
    expect(await read(db, key)).toMatchObject({ proof: 'expired', status: 'verification_sent' })
  })

  test('is dead once a newer one was asked for, which works (AC-08)', async () => {
    const { key, mail: old } = await waiting()
    await letTimePass(db, key.id, '61 seconds')
    expect(await resend(deps, key)).toMatchObject({ ok: true, sent: true })
    expect(await verifyCode(deps, key, old.code)).toMatchObject({ ok: false, code: 'code_wrong' })
    const [mail] = await deliver(deps)
    if (mail?.code !== old.code) {
      expect(await verifyCode(deps, key, old.code)).toMatchObject({ ok: false })
    }
    expect(await verifyToken(deps, old.token)).toEqual({ ok: false, code: 'link_expired' })
    expect(await verifyCode(deps, key, mail?.code ?? '')).toMatchObject({ ok: true })
  })

  test("counts only with its own registration's handle (AC-09)", async () => {
    const [mine, yours] = [await waiting(), await waiting()]
    const swapped = { id: mine.key.id, handle: yours.key.handle }
    const unknown = { ok: false, code: 'registration_not_found' }
    expect(await verifyCode(deps, swapped, mine.mail.code)).toEqual(unknown)
    expect(await verifyCode(deps, { id: 'x', handle: '' }, mine.mail.code)).toEqual(unknown)
    if (mine.mail.code !== yours.mail.code) {
      expect(await verifyCode(deps, mine.key, yours.mail.code)).toMatchObject({ ok: false })
    }
    expect(await statusOf(mine.key)).toBe('verification_sent')
  })

  test('is refused before any mail was sent, and after the registration ran out', async () => {
    const key = await mustBegin(deps)
    expect(await verifyCode(deps, key, '000000')).toMatchObject({ ok: false, code: 'code_wrong' })
    const [mail] = await deliver(deps)
    await letTimePass(db, key.id, '24 hours')
    expect(await verifyCode(deps, key, mail?.code ?? '')).toMatchObject({
      code: 'registration_not_found',
    })
    expect(await verifyToken(deps, mail?.token ?? '')).toMatchObject({ code: 'link_expired' })
  })

  test('mailed under an older secret key still works', async () => {
    const [older, newer] = ['o', 'n'].map((name) => `${name}-secret-of-32-characters-or-more`)
    const before = { ...deps, keyring: createKeyring([older ?? '']) }
    const key = await mustBegin(before)
    const [mail] = await deliver(before)
    const after = { ...deps, keyring: createKeyring([newer ?? '', older ?? '']) }
    expect(await verifyCode(after, key, mail?.code ?? '')).toMatchObject({ ok: true })
  })

  test('cannot be counted inside a transaction, where the count could be taken back', async () => {
    const { key, mail } = await waiting()
    const guess = db
      .transaction()
      .execute((trx) => verifyCode({ ...deps, db: trx }, key, wrong(mail.code)))
    await expect(guess).rejects.toThrow(/outside/)
  })
})

describe('the link', () => {
  test('read by a scanner, again and again, changes nothing (AC-06)', async () => {
    const { key, mail } = await waiting()
    const row = () => db.selectFrom('registrations').selectAll().where('id', '=', key.id).execute()
    const before = await row()
    for (let scan = 0; scan < 3; scan++) {
      expect(await readLink(deps, mail.token)).toMatchObject({ state: 'ready' })
    }
    expect(await row()).toEqual(before)
    expect(await verifyToken(deps, mail.token)).toMatchObject({ ok: true })
    expect(await readLink(deps, mail.token)).toEqual({ state: 'used' })
  })

  test('verifies once; again it is used, or fine for whoever began', async () => {
    const { key, mail } = await waiting()
    expect(await verifyToken(deps, mail.token)).toMatchObject({ ok: true, first: true })
    expect(await verifyToken(deps, mail.token)).toEqual({ ok: false, code: 'link_used' })
    expect(await verifyToken(deps, mail.token, { key })).toMatchObject({ ok: true, first: false })
    const stranger = { id: key.id, handle: 'somebody else' }
    expect(await verifyToken(deps, mail.token, { key: stranger })).toMatchObject({ ok: false })
  })

  test("of one registration proves nothing about another's (AC-09)", async () => {
    const [mine, yours] = [await waiting(), await waiting()]
    const swapped = await verifyToken(deps, yours.mail.token, { key: mine.key })
    expect(swapped).toEqual({ ok: false, code: 'link_expired' })
    expect(await statusOf(mine.key)).toBe('verification_sent')
    expect(await statusOf(yours.key)).toBe('verification_sent')
  })

  test.each(['', 'x'.repeat(43), 'x'.repeat(5000), "' or 1=1 --", '\0'])(
    'that is none (%j) is simply too old',
    async (token) => {
      expect(await readLink(deps, token)).toEqual({ state: 'expired' })
      expect(await verifyToken(deps, token)).toEqual({ ok: false, code: 'link_expired' })
    },
  )
})
