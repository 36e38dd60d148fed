import { sql } from 'kysely'
import { beforeEach, expect, test } from 'vitest'
import { createAccount, disableAccount } from '../../src/accounts/accounts.ts'
import { record } from '../../src/audit/audit.ts'
import { mostWaiting, published, publishedTypes } from '../../src/audit/published.ts'
import { createKeyring, newId } from '../../src/crypto.ts'
import { transact } from '../../src/database/transact.ts'
import { createLogger } from '../../src/logger.ts'
import { createOutgoing } from '../../src/outgoing/outgoing.ts'
import {
  listDeliveries,
  removeSettled,
  replay,
  resumeWebhooks,
  settle,
  takeDue,
} from '../../src/webhooks/deliveries.ts'
import { createWebhookSender, testWebhook } from '../../src/webhooks/send.ts'
import {
  createWebhook,
  deleteWebhook,
  findWebhook,
  updateWebhook,
} from '../../src/webhooks/webhooks.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'
import { startReceiver } from '../support/webhook-receiver.ts'

const { db, pool } = await createDatabase({ poolSize: 20 })
const keyring = createKeyring(['a-secret-that-only-tests-know-0123456789'])
const receiver = await startReceiver()
const { fetch } = createOutgoing({
  issuer: 'https://op.test',
  allowPrivateTargets: [receiver.target],
})
const logger = createLogger({ level: 'silent' })
const send = createWebhookSender({ db, keyring, fetch, logger })
const by = { actor: { kind: 'operator', id: 'ada' } } as const
const accountId = newId()

const make = async (events = ['*'], url = receiver.url) => {
  const { secret, webhook } = await createWebhook({ db, keyring }, { url, events }, by)
  receiver.secret = secret
  return webhook.id
}
const happens = (type: string, more: object = {}) => record(db, { type, accountId, ...more })
const states = async (webhookId: string) =>
  (await listDeliveries(db, { webhookId, limit: 100 })).map(({ state, error }) => error ?? state)
/** As if so much time had gone by. */
const pass = (interval: string) =>
  sql`update webhook_deliveries set next_attempt_at = next_attempt_at - ${interval}::interval,
    attempted_at = attempted_at - ${interval}::interval, settled_at = settled_at - ${interval}::interval`.execute(
    db,
  )
const jobs = async () => {
  const { rows } = await pool.query<{ webhook: string }>(
    `select payload ->> 'webhookId' as webhook from graphile_worker._private_jobs as jobs
      join graphile_worker._private_tasks as tasks on tasks.id = jobs.task_id
      where tasks.identifier = 'webhook.deliver'`,
  )
  return rows.map(({ webhook }) => webhook)
}

beforeEach(async () => {
  await pool.query('delete from webhooks')
  await pool.query('delete from graphile_worker._private_jobs')
  Object.assign(receiver, { heard: [], mood: 200 })
})

test('a message says who and which app, signed as Standard Webhooks says, and nothing more', async () => {
  const id = await make()
  await happens('account.role_added', {
    clientId: 'app',
    origin: { address: '192.0.2.7', userAgent: 'a browser' },
    detail: { role: 'reader', email: 'mei@example.org', password: 'x' },
  })
  expect(await jobs()).toEqual([id])
  await send({ webhookId: id })
  const [heard] = receiver.heard
  expect(heard?.problem).toBeUndefined()
  expect(heard?.message).toEqual({
    type: 'role.added',
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    data: { account_id: accountId, client_id: 'app', role: 'reader' },
  })
  expect(await states(id)).toEqual(['delivered'])
  expect(heard?.id).toBe((await listDeliveries(db, { limit: 1 }))[0]?.id)
})

test('there is no message without its act', async () => {
  const id = await make()
  const made = await createAccount(
    db,
    {
      username: 'leaver',
      passwordHash: 'x',
      address: { email: 'l@example.org', canonical: 'l@example.org' },
    },
    by.actor,
  )
  if (!made.ok) throw new Error('refused')
  const before = (await states(id)).length
  await expect(
    transact(db, async (trx) => {
      await disableAccount(trx, made.id, 'a test', by.actor)
      throw new Error('and then it failed')
    }),
  ).rejects.toThrow()
  expect(await states(id)).toHaveLength(before)
  await disableAccount(db, made.id, 'a test', by.actor)
  expect(await states(id)).toHaveLength(before + 1)
})

test('each hears of what it asked for: one type, a kind, everything', async () => {
  const [one, kind, all] = [
    await make(['session.created']),
    await make(['account.*']),
    await make(),
  ]
  for (const type of ['sign_in.succeeded', 'account.enabled', 'mail.refused', 'constructor'])
    await happens(type)
  const of = async (webhookId: string) =>
    (await listDeliveries(db, { webhookId, limit: 9 })).map(({ type }) => type).sort()
  expect([await of(one), await of(kind), await of(all)]).toEqual([
    ['session.created'],
    ['account.enabled'],
    ['account.enabled', 'session.created'],
  ])
})

test('it is tried again for three days, under the same id, and then left as failed', async () => {
  const id = await make()
  receiver.mood = 500
  await happens('account.enabled')
  for (let attempt = 0; attempt < 12; attempt++) {
    await send({ webhookId: id })
    await pass('25 hours')
  }
  expect(receiver.heard).toHaveLength(10)
  expect(new Set(receiver.heard.map((heard) => heard.id)).size).toBe(1)
  expect(await states(id)).toEqual(['http_500'])
  expect(await findWebhook(db, id)).toMatchObject({ pending: 0, failed: 1 })
  expect(await auditOf(db, 'webhook.undelivered')).toMatchObject([
    { detail: { error: 'http_500' } },
  ])

  receiver.mood = 200
  expect(await replay(db, { webhookId: id }, by.actor)).toBe(1)
  await send({ webhookId: id })
  expect(await states(id)).toEqual(['delivered'])
  expect(new Set(receiver.heard.map((heard) => heard.id)).size).toBe(1)
  const [delivery] = await listDeliveries(db, { limit: 1 })
  expect(await replay(db, { id: String(delivery?.id) }, by.actor)).toBe(1)
  expect(await replay(db, { id: newId() }, by.actor)).toBe(0)
})

test.each([
  [302, 'http_302', 'pending'],
  [410, 'http_410', 'failed'],
] as const)('an answer %i is no delivery: %s, %s', async (mood, error, state) => {
  const id = await make()
  receiver.mood = mood
  await happens('account.enabled')
  await send({ webhookId: id })
  expect(await listDeliveries(db, { limit: 1 })).toMatchObject([{ error, state }])
  expect(receiver.heard).toHaveLength(1)
})

test('an address inside is never called (SS-01), whoever made the webhook', async () => {
  const id = await make(['*'], 'http://127.0.0.1:8099/')
  await happens('account.enabled')
  await send({ webhookId: id })
  expect(await listDeliveries(db, { limit: 1 })).toMatchObject([
    { error: 'private', state: 'failed' },
  ])
})

test('a receiver that hangs is left alone for a while, and delays no other', async () => {
  const slow = await make()
  const deliveries = Array.from({ length: 8 }, () => happens('account.enabled'))
  await Promise.all(deliveries)
  const due = await takeDue(db, slow)
  expect(due).toHaveLength(5)
  for (const one of due) await settle(db, one, { ok: false, error: 'timeout', final: false })
  expect(await takeDue(db, slow)).toEqual([])
  await pass('40 seconds')
  expect((await takeDue(db, slow)).length).toBeGreaterThan(0)
})

test('twenty workers at once send each message once', async () => {
  for (let round = 0; round < Math.min(rounds, 20); round++) {
    const id = await make()
    receiver.heard = []
    await Promise.all(Array.from({ length: 12 }, () => happens('account.enabled')))
    await Promise.all(Array.from({ length: 20 }, () => send({ webhookId: id })))
    expect(receiver.heard).toHaveLength(12)
    expect(receiver.heard.filter(({ problem }) => problem)).toEqual([])
    expect(new Set(receiver.heard.map((heard) => heard.id)).size).toBe(12)
  }
})

test('what a dying process had taken is sent by the next, under the same id', async () => {
  const id = await make()
  await happens('account.enabled')
  const [taken] = await takeDue(db, id)
  await pool.query('delete from graphile_worker._private_jobs')
  await pass('5 minutes')
  await resumeWebhooks(db)
  expect(await jobs()).toEqual([id])
  await send({ webhookId: id })
  expect(receiver.heard).toMatchObject([{ id: taken?.id }])
  // What the dead one would have said comes too late.
  await settle(db, taken as NonNullable<typeof taken>, { ok: false, error: 'timeout', final: true })
  expect(await states(id)).toEqual(['delivered'])
})

test('after a rotation both secrets sign for a day', async () => {
  const id = await make()
  const old = receiver.secret
  const rotated = await updateWebhook({ db, keyring }, id, { rotate: true }, by)
  for (const secret of [old, rotated?.secret ?? '']) {
    receiver.secret = secret
    expect(await testWebhook({ db, keyring, fetch }, id)).toMatchObject({ ok: true })
  }
  expect(receiver.heard.map(({ problem, signatures }) => [problem, signatures])).toEqual([
    [undefined, 2],
    [undefined, 2],
  ])
  await db
    .updateTable('webhooks')
    .set({ oldSecretUntil: new Date(0) })
    .where('id', '=', id)
    .execute()
  receiver.secret = old
  await testWebhook({ db, keyring, fetch }, id)
  expect(receiver.heard.at(-1)).toMatchObject({ signatures: 1, problem: expect.any(String) })
})

test('no row holds a secret, and none opens in another row', async () => {
  await make()
  const { rows } = await pool.query('select encode(secret_sealed, $1) as sealed from webhooks', [
    'escape',
  ])
  const audit = await db.selectFrom('auditEvents').selectAll().execute()
  const [, plain = ''] = receiver.secret.split('_')
  expect(JSON.stringify([rows, audit])).not.toContain(plain)
})

test('no act fails or waits because of a receiver: not when it is removed, not in whichever order two are told', async () => {
  for (let round = 0; round < rounds; round++) {
    const gone = await make()
    const events = Array.from({ length: 20 }, () => happens('account.enabled'))
    await Promise.all([...events.slice(0, 10), deleteWebhook(db, gone, by), ...events.slice(10)])
    await make(['account.*'])
    await make(['role.*'])
    const both = (types: string[]) =>
      transact(db, async (trx) => {
        for (const type of types) {
          await record(trx, { type, accountId, detail: { role: 'reader' } })
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      })
    await Promise.all([
      both(['account.enabled', 'account.role_added']),
      both(['account.role_added', 'account.enabled']),
    ])
    await pool.query('delete from webhooks')
  }
})

test('so much waits for one and no more; what is left out is said', async () => {
  const id = await make()
  await sql`insert into webhook_deliveries (webhook_id, type, body, next_attempt_at)
    select ${id}, 'account.updated', '{}', now() + interval '1 day' from generate_series(1, ${mostWaiting})`.execute(
    db,
  )
  await happens('account.enabled')
  expect(await findWebhook(db, id)).toMatchObject({
    pending: mostWaiting,
    overflowedAt: expect.any(Date),
  })
})

test('switched off it hears nothing, what waited goes on later; removed it is gone with what waited', async () => {
  const id = await make()
  await happens('account.enabled')
  await updateWebhook({ db, keyring }, id, { disabled: true }, by)
  await happens('account.disabled')
  await send({ webhookId: id })
  expect([receiver.heard.length, await states(id)]).toEqual([0, ['pending']])
  await updateWebhook({ db, keyring }, id, { disabled: false }, by)
  await send({ webhookId: id })
  expect(receiver.heard).toHaveLength(1)
  expect(await deleteWebhook(db, id, by)).toBe(true)
  expect(await listDeliveries(db, { limit: 9 })).toEqual([])
})

test('what arrived is kept for a week, what failed for a month', async () => {
  const id = await make()
  for (const mood of [200, 410]) {
    receiver.mood = mood
    await happens('account.enabled')
    await send({ webhookId: id })
  }
  await pass('8 days')
  await removeSettled(db)
  expect(await states(id)).toEqual(['http_410'])
  await pass('23 days')
  await removeSettled(db)
  expect(await states(id)).toEqual([])
})

test.each([
  'nonsense',
  'ftp://example.org',
  'https://me:too@example.org',
  'https://example.org/#a',
])('%s is no address for it', async (url) => {
  await expect(make(['*'], url)).rejects.toMatchObject({ code: 'webhook_url_invalid' })
})

test('what is published has types of one form, and what does not exist cannot be asked for', async () => {
  for (const type of publishedTypes) expect(type).toMatch(/^[a-z]+\.[a-z_]+$/)
  for (const type of Object.keys(published)) expect(type).not.toMatch(/^webhook\./)
  await expect(make(['account.exploded'])).rejects.toMatchObject({ code: 'webhook_events_invalid' })
  await expect(make([])).rejects.toMatchObject({ code: 'webhook_events_invalid' })
})
