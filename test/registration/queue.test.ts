import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { AppError } from '../../src/errors.ts'
import { startWorker } from '../../src/jobs/worker.ts'
import { createLogger } from '../../src/logger.ts'
import { begin } from '../../src/registration/begin.ts'
import { createVerificationSender } from '../../src/registration/send-verification.ts'
import { createViews } from '../../src/views.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, newcomer, waitingMails } from './newcomers.ts'

const { db, pool } = await createDatabase({ poolSize: 40 })
const deps = createDeps(db)
const views = createViews({ brandName: 'Test', issuer: 'https://op.test' })

async function startWorkers(count: number, send: (to: string) => Promise<void>) {
  const sender = createVerificationSender({
    db,
    keyring: deps.keyring,
    views,
    mailer: { send: ({ to }) => send(to) },
    allowMail: async () => true,
  })
  const options = {
    pool,
    handlers: {
      'mail.verification': sender,
      'mail.proof': async () => {},
      'mail.notice': async () => {},
      'logout.backchannel': async () => {},
      'mail.passkey': async () => {},
      'mail.invite': async () => {},
      'webhook.deliver': async () => {},
      'mail.factor': async () => {},
      'mail.sign-in-code': async () => {},
      'mail.question': async () => {},
      'backchannel.ping': async () => {},
      cleanup: async () => {},
      'rotate-keys': async () => {},
    },
    logger: createLogger({ level: 'silent' }),
  }
  const workers = await Promise.all(Array.from({ length: count }, () => startWorker(options)))
  return () => Promise.all(workers.map((worker) => worker.stop()))
}

async function drained(): Promise<void> {
  while ((await waitingMails(db)).length > 0) await sleep(20)
}

test('five workers on one queue send each mail once and lose none (RC-16)', async () => {
  const sent: string[] = []
  const stop = await startWorkers(5, async (to) => {
    await sleep(Math.random() * 20)
    sent.push(to)
  })
  const people = Array.from({ length: 40 }, () => newcomer())
  await Promise.all(people.map((person) => begin(deps, person)))
  await drained()
  await stop()
  expect(sent.sort()).toEqual(people.map(({ email }) => email).sort())
})

test('a mail server that is down delays mails and nothing else (RL-18)', async () => {
  let down = true
  const sent: string[] = []
  const stop = await startWorkers(1, async (to) => {
    if (down) throw new AppError('mail_unavailable', 503)
    sent.push(to)
  })
  const person = newcomer()
  expect(await begin(deps, person)).toMatchObject({
    ok: true,
    registration: { status: 'verification_sent' },
  })
  await sleep(300)
  expect(sent).toEqual([])
  down = false
  await drained()
  await stop()
  expect(sent).toEqual([person.email])
})
