import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { findAccount } from '../../src/accounts/accounts.ts'
import { AppError } from '../../src/errors.ts'
import { begin } from '../../src/registration/begin.ts'
import type {
  Provisioning,
  ProvisioningStep,
  RegistrationDeps,
} from '../../src/registration/deps.ts'
import { expireRegistrations } from '../../src/registration/expire.ts'
import { verifyCode } from '../../src/registration/proofs.ts'
import { read } from '../../src/registration/read.ts'
import { retry } from '../../src/registration/resume.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, deliver, letTimePass, mustBegin, newcomer, waitingMails } from './newcomers.ts'

const { db } = await createDatabase()
const deps = createDeps(db)

/** Two configured steps; those named in `broken` write something and then throw. */
function provisioning(broken: Set<string>): Provisioning {
  const step =
    (name: string): ProvisioningStep =>
    async (trx, person) => {
      await trx
        .updateTable('accounts')
        .set({ zoneinfo: sql`coalesce(zoneinfo, '') || ${name}` })
        .where('id', '=', person.accountId)
        .execute()
      if (broken.has(name)) throw new Error(`no ${name} today`)
    }
  return { system_user_created: step('system_user '), mail_configured: step('mail ') }
}

const workDone = async (deps: RegistrationDeps, accountId: string | null) =>
  (await findAccount(deps.db, accountId ?? ''))?.zoneinfo ?? null

test('configured steps are passed in their order, each with its work', async () => {
  const key = await mustBegin({ ...deps, provisioning: provisioning(new Set()) })
  const view = await read(db, key)
  expect(view?.status).toBe('verification_sent')
  expect(await workDone(deps, view?.accountId ?? null)).toBe('system_user mail ')
  const history = await db
    .selectFrom('registrationTransitions')
    .select('toStatus')
    .where('registrationId', '=', key.id)
    .orderBy('at')
    .execute()
  expect(history.map(({ toStatus }) => toStatus)).toEqual([
    'initiated',
    'username_validated',
    'user_created',
    'system_user_created',
    'mail_configured',
    'verification_sent',
  ])
})

describe('a failing step', () => {
  test.each([
    ['system_user ', 'user_created', 45, null],
    ['mail ', 'system_user_created', 55, 'system_user '],
  ])('%s is rolled back whole and can be retried', async (name, lastStep, progress, done) => {
    const broken = new Set([name])
    const faults: unknown[] = []
    const shaky = {
      ...deps,
      provisioning: provisioning(broken),
      observer: { fault: (error: unknown) => faults.push(error) },
    }
    const key = await mustBegin(shaky)
    const failed = await read(db, key)
    expect(failed).toMatchObject({
      status: 'failed',
      lastStep,
      progress,
      error: 'internal',
      canProceed: true,
      canRetry: true,
    })
    expect(faults).toHaveLength(1)
    expect(await workDone(deps, failed?.accountId ?? null)).toBe(done)

    const again = await retry(shaky, key)
    expect(again).toMatchObject({ ok: true, registration: { status: 'failed', lastStep } })
    expect(await workDone(deps, failed?.accountId ?? null)).toBe(done)

    broken.clear()
    expect(await retry(shaky, key)).toMatchObject({
      ok: true,
      registration: { status: 'verification_sent', error: null, progress: 80 },
    })
    expect(await workDone(deps, failed?.accountId ?? null)).toBe('system_user mail ')
    const mail = (await deliver(shaky)).at(-1)
    expect(await verifyCode(shaky, key, mail?.code ?? '')).toMatchObject({ ok: true })
  })

  test('says why when it knows', async () => {
    const full: Provisioning = {
      mail_configured: async () => {
        throw new AppError('mailbox_store_full', 507)
      },
    }
    const key = await mustBegin({ ...deps, provisioning: full })
    expect(await read(db, key)).toMatchObject({ status: 'failed', error: 'mailbox_store_full' })
    const transitions = await db
      .selectFrom('registrationTransitions')
      .select(['fromStatus', 'toStatus', 'error'])
      .where('registrationId', '=', key.id)
      .orderBy('at', 'desc')
      .limit(1)
      .execute()
    expect(transitions).toEqual([
      { fromStatus: 'user_created', toStatus: 'failed', error: 'mailbox_store_full' },
    ])
  })

  test('that makes the account leaves none, and the retry makes it', async () => {
    // The constraint refuses the account as a full disk would, whatever our code thinks.
    await sql`alter table accounts add constraint broken check (username not like 'unlucky%')`.execute(
      db,
    )
    const key = await mustBegin(deps, { username: 'unlucky-one' })
    expect(await read(db, key)).toMatchObject({
      status: 'failed',
      lastStep: 'username_validated',
      error: 'internal',
      accountId: null,
    })
    await sql`alter table accounts drop constraint broken`.execute(db)
    expect(await retry(deps, key)).toMatchObject({
      ok: true,
      registration: { status: 'verification_sent' },
    })
  })

  test('of the mail queue leaves an account without mail, and the retry sends one', async () => {
    // For this task alone: the trail tells others of the account by the same queue.
    const { rows } = await sql<{ id: number }>`
      insert into graphile_worker._private_tasks (identifier) values ('mail.verification')
      on conflict (identifier) do update set identifier = excluded.identifier returning id`.execute(
      db,
    )
    await sql`alter table graphile_worker._private_jobs
      add constraint broken check (task_id <> ${sql.lit(rows[0]?.id)}) not valid`.execute(db)
    const key = await mustBegin(deps)
    expect(await read(db, key)).toMatchObject({ status: 'failed', lastStep: 'user_created' })
    await sql`alter table graphile_worker._private_jobs drop constraint broken`.execute(db)
    const before = (await waitingMails(db)).length
    await retry(deps, key)
    expect(await waitingMails(db)).toHaveLength(before + 1)
    expect(await read(db, key)).toMatchObject({ status: 'verification_sent', mailNumber: 1 })
  })
})

describe('a retry', () => {
  test('of what has not failed changes nothing', async () => {
    const key = await mustBegin(deps)
    const before = await read(db, key)
    expect(await retry(deps, key)).toEqual({ ok: true, registration: before })
  })

  test('with a wrong handle finds nothing', async () => {
    const key = await mustBegin(deps)
    const answer = await retry(deps, { id: key.id, handle: 'wrong' })
    expect(answer).toEqual({ ok: false, code: 'registration_not_found' })
  })

  test('twenty times at once takes each step once', async () => {
    const broken = new Set(['system_user '])
    const shaky = { ...deps, provisioning: provisioning(broken) }
    const key = await mustBegin(shaky)
    const before = (await waitingMails(db)).length
    broken.clear()
    await Promise.all(Array.from({ length: 20 }, () => retry(shaky, key)))
    const view = await read(db, key)
    expect(view).toMatchObject({ status: 'verification_sent', mailNumber: 1 })
    expect(await workDone(deps, view?.accountId ?? null)).toBe('system_user mail ')
    expect(await waitingMails(db)).toHaveLength(before + 1)
  })
})

test.each(['initiated', 'username_validated', 'user_created', 'verification_sent'])(
  'a process that dies after %s leaves nothing that the same form does not finish (RL-01)',
  async (last) => {
    const fields = newcomer()
    const dying = {
      ...deps,
      observer: {
        transition: (_from: unknown, to: string) => {
          if (to === last) throw new Error('kill -9')
        },
      },
    }
    await expect(begin(dying, fields)).rejects.toThrow('kill -9')
    const again = await begin(deps, fields)
    expect(again).toMatchObject({ ok: true, registration: { status: 'verification_sent' } })
    const mails = (await deliver(deps)).filter(({ to }) => to === fields.email)
    expect(mails).toHaveLength(1)
    const proof = again.ok && (await verifyCode(deps, again.key, mails[0]?.code ?? ''))
    expect(proof).toMatchObject({ ok: true, first: true })
  },
)

test('what has expired goes, in batches; verified people stay', async () => {
  const [stale, fresh, done] = [await mustBegin(deps), await mustBegin(deps), await mustBegin(deps)]
  const mail = (await deliver(deps)).at(-1)
  await verifyCode(deps, done, mail?.code ?? '')
  const views = await Promise.all([stale, fresh, done].map((key) => read(db, key)))
  const others = await Promise.all(Array.from({ length: 5 }, () => mustBegin(deps)))
  for (const { id } of [stale, done, ...others]) await letTimePass(db, id, '1 day')

  expect(await expireRegistrations(db, 2)).toEqual({ registrations: 7, accounts: 6 })
  expect(await expireRegistrations(db, 2)).toEqual({ registrations: 0, accounts: 0 })
  const accounts = await Promise.all(views.map((view) => findAccount(db, view?.accountId ?? '')))
  expect(accounts.map((account) => account?.status)).toEqual([undefined, 'unverified', 'active'])
  expect(await read(db, fresh)).toBeDefined()
})
