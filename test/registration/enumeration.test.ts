import type { KyselyPlugin } from 'kysely'
import { expect, test } from 'vitest'
import { createAccount } from '../../src/accounts/accounts.ts'
import type { Db } from '../../src/database/connection.ts'
import { begin } from '../../src/registration/begin.ts'
import { resend } from '../../src/registration/mails.ts'
import { verifyCode } from '../../src/registration/proofs.ts'
import { read, toJson } from '../../src/registration/read.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, deliver, letTimePass, newcomer, waitingMails } from './newcomers.ts'

const { db } = await createDatabase()
const deps = createDeps(db)

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
    const view = await read(heard.db, begun.key)
    answers.push(view && toJson(view, (key) => key))
    const shown = JSON.stringify(answers, (key, value) => (key === 'lastUpdated' ? '·' : value))
    return { queued, answers: masked(shown), statements: ear.statements }
  }

  const unknown = await everythingWith('nobody@example.org')
  expect(await everythingWith('known@example.org')).toEqual(unknown)
  expect(unknown.statements.length).toBeGreaterThan(20)
})
