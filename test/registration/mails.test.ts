import type { KyselyPlugin } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import { createAccount } from '../../src/accounts/accounts.ts'
import type { Db } from '../../src/database/connection.ts'
import { AppError } from '../../src/errors.ts'
import { begin } from '../../src/registration/begin.ts'
import {
  changeAddress,
  mailsPerRegistration,
  resend,
  waitsInSeconds,
} from '../../src/registration/mails.ts'
import { verifyCode, verifyToken } from '../../src/registration/proofs.ts'
import { read, toJson } from '../../src/registration/read.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, deliver, letTimePass, mustBegin, newcomer, waitingMails } from './newcomers.ts'

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
    expect(await changeAddress(deps, key, 'x@example.org')).toMatchObject({ ok: false })
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

describe('a mended address', () => {
  test('gets the next mail at once, and what went to the old one is worthless (AC-08)', async () => {
    const key = await mustBegin(deps, { email: 'typo@example.org' })
    const old = (await deliver(deps)).at(-1)
    expect(await changeAddress(deps, key, ' right@Example.org ')).toMatchObject({
      ok: true,
      sent: true,
    })
    expect(await read(db, key)).toMatchObject({ email: 'right@example.org' })
    expect(await verifyToken(deps, old?.token ?? '')).toMatchObject({ code: 'link_expired' })
    const mail = (await deliver(deps)).at(-1)
    expect(mail?.to).toBe('right@example.org')
    expect(await verifyCode(deps, key, mail?.code ?? '')).toMatchObject({ ok: true })
  })

  test('has to be an address, and another one', async () => {
    const key = await mustBegin(deps, { email: 'same@example.org' })
    expect(await changeAddress(deps, key, 'a@b.com,c@d.com')).toEqual({
      ok: false,
      code: 'invalid_request',
      errors: [{ field: 'email', code: 'email_invalid' }],
    })
    expect(await changeAddress(deps, key, 'SAME@example.org')).toMatchObject({ sent: false })
  })
})

describe('the job', () => {
  test('run twice sends the same mail, and keeps the guesses', async () => {
    const key = await mustBegin(deps)
    const down = async () => {
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
    expect(mail?.id).toBe(`${key.id}.1`)
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

/** Every statement that passes, values left out. */
function listenTo(database: Db): { db: Db; statements: string[] } {
  const statements: string[] = []
  const plugin: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => {
      statements.push(database.getExecutor().compileQuery(node, queryId).sql)
      return node
    },
    transformResult: async ({ result }) => result,
  }
  return { db: database.withPlugin(plugin), statements }
}

test('known and unknown addresses get the same statements, answers and mail-queue work (EN-03, EN-05, EN-13)', async () => {
  await createAccount(
    db,
    {
      username: 'known',
      passwordHash: 'x',
      address: { email: 'known@example.org', canonical: 'known@example.org' },
    },
    { kind: 'operator' },
  )
  const masked = (text: string) => text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|[\w-]{43}/g, '·')

  async function everythingWith(email: string) {
    const ear = listenTo(db)
    const heard = { ...deps, db: ear.db }
    const answers: unknown[] = []
    const begun = await begin(heard, newcomer({ email }))
    if (!begun.ok) throw new Error('refused')
    const { handle } = begun.key
    answers.push(toJson(begun.registration, (key) => key, handle))
    const queued = (await waitingMails(db)).length
    const jobs = { ...heard, db: listenTo(db).db }
    await deliver(jobs)
    for (let guess = 0; guess < 6; guess++) {
      answers.push(await verifyCode(heard, begun.key, 'guess-no-code'))
      answers.push(await verifyCode(heard, begun.key, '111111'))
    }
    await letTimePass(db, begun.key.id, '60 seconds')
    answers.push(await resend(heard, begun.key))
    await deliver(jobs)
    answers.push(await changeAddress(heard, begun.key, `x${email}`))
    await deliver(jobs)
    const view = await read(heard.db, begun.key)
    answers.push(view && toJson(view, (key) => key))
    const shown = JSON.stringify(answers, (key, value) => (key === 'lastUpdated' ? '·' : value))
    return { queued, answers: masked(shown), statements: ear.statements }
  }

  const unknown = await everythingWith('nobody@example.org')
  expect(await everythingWith('known@example.org')).toEqual(unknown)
  expect(unknown.statements.length).toBeGreaterThan(20)
})
