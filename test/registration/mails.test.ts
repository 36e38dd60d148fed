import { beforeEach, describe, expect, test } from 'vitest'
import { AppError } from '../../src/errors.ts'
import { mailsPerRegistration, resend, waitsInSeconds } from '../../src/registration/mails.ts'
import { verifyCode } from '../../src/registration/proofs.ts'
import { read } from '../../src/registration/read.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, deliver, letTimePass, mustBegin, waitingMails } from './newcomers.ts'

const { db } = await createDatabase()
const deps = createDeps(db)

// Every test begins with an empty queue.
beforeEach(async () => {
  await deliver(deps)
})

const auditOf = (type: string) =>
  db.selectFrom('auditEvents').select('detail').where('type', '=', type).orderBy('id').execute()

describe('another mail', () => {
  test('can be had after a while that grows, told by the database', async () => {
    const key = await mustBegin(deps)
    const waits = [(await read(db, key))?.waitSeconds]
    for (let number = 2; number <= 6; number++) {
      await letTimePass(db, key.id, '600 seconds')
      const answer = await resend(deps, key)
      expect(answer).toMatchObject({ ok: true, sent: true })
      waits.push(answer.ok ? answer.retryAfterSeconds : -1)
    }
    expect(waits).toEqual([60, 60, 120, 300, 600, 600])
    expect(waits.slice(0, 5)).toEqual(waitsInSeconds)
  })

  test('asked for ten times at once is sent once', async () => {
    const key = await mustBegin(deps)
    await deliver(deps)
    await letTimePass(db, key.id, '60 seconds')
    const answers = await Promise.all(Array.from({ length: 10 }, () => resend(deps, key)))
    expect(answers.filter((answer) => answer.ok && answer.sent)).toHaveLength(1)
    for (const answer of answers) expect(answer).toMatchObject({ ok: true, retryAfterSeconds: 60 })
    expect(await deliver(deps)).toHaveLength(1)
  })

  test('too early sends none, and says how long it takes', async () => {
    const key = await mustBegin(deps)
    await deliver(deps)
    await letTimePass(db, key.id, '20 seconds')
    expect(await resend(deps, key)).toEqual({ ok: true, sent: false, retryAfterSeconds: 40 })
    expect(await waitingMails(db)).toEqual([])
  })

  test('replaces one that still waits', async () => {
    const key = await mustBegin(deps)
    await letTimePass(db, key.id, '60 seconds')
    await resend(deps, key)
    expect(await deliver(deps)).toHaveLength(1)
  })

  test('is not without end', async () => {
    const key = await mustBegin(deps)
    await db
      .updateTable('registrations')
      .set({ mailNumber: mailsPerRegistration })
      .where('id', '=', key.id)
      .execute()
    await letTimePass(db, key.id, '1 hour')
    expect(await resend(deps, key)).toEqual({ ok: false, code: 'too_many_attempts' })
  })

  test('is for the holder of the handle, and for who is waiting', async () => {
    const key = await mustBegin(deps)
    const stranger = { id: key.id, handle: 'x' }
    expect(await resend(deps, stranger)).toEqual({ ok: false, code: 'registration_not_found' })
    const mail = (await deliver(deps)).at(-1)
    await verifyCode(deps, key, mail?.code ?? '')
    await letTimePass(db, key.id, '1 hour')
    expect(await resend(deps, key)).toEqual({ ok: false, code: 'registration_not_waiting' })
  })
})

describe('the job', () => {
  test('run twice sends the same mail, and keeps the guesses', async () => {
    const key = await mustBegin(deps)
    let tried: string | undefined
    const down = async ({ id }: { id?: string }) => {
      tried = id
      throw new AppError('mail_unavailable', 503)
    }
    await expect(deliver(deps, { send: down })).rejects.toMatchObject({ code: 'mail_unavailable' })
    const row = () =>
      db.selectFrom('registrations').selectAll().where('id', '=', key.id).executeTakeFirstOrThrow()
    const stored = await row()
    expect(await verifyCode(deps, key, '000000')).toMatchObject({ guessesLeft: 4 })

    const [mail] = await deliver(deps)
    const after = await row()
    expect(after.codeHash).toEqual(stored.codeHash)
    expect(after.guesses).toBe(1)
    // One id for every try, and not the registration's own (AC-20).
    expect(mail?.id).toMatch(/^[\w-]{43}$/)
    expect(mail?.id).toBe(tried)
    expect(await verifyCode(deps, key, mail?.code ?? '')).toMatchObject({ ok: true })
  })

  test('counts a recipient once for each mail, however often it is tried', async () => {
    await mustBegin(deps)
    let counted = 0
    const allowMail = async () => ++counted > 0
    const down = async () => {
      throw new AppError('mail_unavailable', 503)
    }
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(deliver(deps, { send: down, allowMail })).rejects.toThrow()
    }
    expect(await deliver(deps, { allowMail })).toHaveLength(1)
    expect(counted).toBe(1)
  })

  test('says from where each mail was asked for, so that everybody has a share of their own (AC-13)', async () => {
    const key = await mustBegin(deps)
    await letTimePass(db, key.id, '2 minutes')
    await resend(deps, key, { address: '203.0.113.7' })
    const asked: (string | undefined)[] = []
    await deliver(deps, {
      allowMail: async (_recipient, askedFrom) => {
        asked.push(askedFrom)
        return true
      },
    })
    expect(asked).toEqual(['203.0.113.7'])
  })

  test('gives up when the server will never take the mail, and says so in the audit trail (RL-18)', async () => {
    const key = await mustBegin(deps)
    const send = async () => {
      throw new AppError('mail_refused', 502, { detail: 'SMTP 550' })
    }
    expect(await deliver(deps, { send })).toEqual([])
    expect(await waitingMails(db)).toEqual([])
    const refused = { registrationId: key.id, mailNumber: 1, reason: 'SMTP 550' }
    expect((await auditOf('mail.refused')).at(-1)?.detail).toEqual(refused)
  })

  test('sends nothing once the registration has run out or been verified (RL-18)', async () => {
    const key = await mustBegin(deps)
    await letTimePass(db, key.id, '1 day')
    expect(await deliver(deps)).toEqual([])
  })

  test('sends nothing beyond what one address may get; no code exists then (AC-13)', async () => {
    const key = await mustBegin(deps)
    expect(await deliver(deps, { allowMail: async () => false })).toEqual([])
    expect((await auditOf('mail.held_back')).at(-1)?.detail).toEqual({ registrationId: key.id })
    expect(await read(db, key)).toMatchObject({ status: 'verification_sent', proof: 'open' })
    expect(await verifyCode(deps, key, '123456')).toMatchObject({ code: 'code_wrong' })
  })
})
