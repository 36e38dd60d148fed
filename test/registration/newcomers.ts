/** People on their way into a test's database, and the mails that they would get. */
import { sql } from 'kysely'
import { createPasswordHasher } from '../../src/credentials/password-hasher.ts'
import { createKeyring } from '../../src/crypto.ts'
import type { Db } from '../../src/database/connection.ts'
import type { Mail } from '../../src/mail/transport.ts'
import { begin } from '../../src/registration/begin.ts'
import type { RegistrationDeps, RegistrationKey } from '../../src/registration/deps.ts'
import type { Fields } from '../../src/registration/fields.ts'
import { createVerificationSender } from '../../src/registration/send-verification.ts'
import { createViews } from '../../src/views.ts'

export const password = 'a long and quiet river'

const views = createViews({ brandName: 'Test', issuer: 'https://op.test' })

export function createDeps(db: Db, more: Partial<RegistrationDeps> = {}): RegistrationDeps {
  return {
    db,
    keyring: createKeyring(['a-secret-that-only-tests-know-0123456789']),
    hasher: createPasswordHasher({ maxWaitMs: 60_000 }),
    config: {
      issuer: 'https://op.test',
      brandName: 'Test',
      passwordMinLength: 8,
      registration: 'open',
    },
    ...more,
  }
}

let count = 0

/** Another one each time: `person12`, `person12@example.org`. */
export function newcomer(more: Partial<Fields> = {}): Fields {
  const username = more.username ?? `person${++count}`
  return { username, email: `${username}@example.org`, password, ...more }
}

export async function mustBegin(
  deps: RegistrationDeps,
  more: Partial<Fields> = {},
): Promise<RegistrationKey> {
  const begun = await begin(deps, newcomer(more))
  if (!begun.ok) throw new Error(JSON.stringify(begun.errors))
  return begun.key
}

export type Sent = Mail & { code: string; token: string }

/** Runs every waiting mail job, as often as there are, and returns what left. */
export async function deliver(
  deps: RegistrationDeps,
  options: {
    send?: (mail: Mail) => Promise<void>
    allowMail?: (recipient: string, askedFrom?: string) => Promise<boolean>
  } = {},
): Promise<Sent[]> {
  const { db, keyring } = deps
  const sent: Sent[] = []
  const handle = createVerificationSender({
    db,
    keyring,
    views,
    mailer: {
      async send(mail) {
        await options.send?.(mail)
        const code = /\b\d{6}\b/.exec(mail.text)?.[0] ?? ''
        sent.push({ ...mail, code, token: /token=([\w-]+)/.exec(mail.text)?.[1] ?? '' })
      },
    },
    allowMail: options.allowMail ?? (async () => true),
  })
  for (const { id, payload } of await waitingMails(db)) {
    await handle(payload)
    await sql`select graphile_worker.complete_jobs(array[${id}::bigint])`.execute(db)
  }
  return sent
}

type WaitingMail = { id: string; payload: { registrationId: string; mailNumber: number } }

export async function waitingMails(db: Db): Promise<WaitingMail[]> {
  const { rows } = await sql<WaitingMail>`
    select jobs.id, payload from graphile_worker._private_jobs as jobs
    join graphile_worker._private_tasks as tasks on tasks.id = jobs.task_id
    where tasks.identifier = 'mail.verification' order by jobs.id`.execute(db)
  return rows
}

/** Everything about the registration is as if it had begun that much earlier. */
export async function letTimePass(db: Db, id: string, interval: string): Promise<void> {
  const earlier = (column: string) => sql<Date>`${sql.ref(column)} - ${interval}::interval`
  await db
    .updateTable('registrations')
    .set({
      proofExpiresAt: earlier('proofExpiresAt'),
      nextMailAt: earlier('nextMailAt'),
      expiresAt: earlier('expiresAt'),
      createdAt: earlier('createdAt'),
    })
    .where('id', '=', id)
    .execute()
}
