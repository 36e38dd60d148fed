import { expect, test } from 'vitest'
import { record } from '../../src/audit/audit.ts'
import { exitCodes } from '../../src/cli/errors.ts'
import { newId } from '../../src/crypto.ts'
import { createDatabase } from '../support/database.ts'
import { startReceiver } from '../support/webhook-receiver.ts'
import { createIdp } from './support.ts'

const { url, db } = await createDatabase()
const receiver = await startReceiver()
const idp = createIdp(url, {
  SECRET_KEY: 'a-secret-that-only-tests-know-0123456789',
  ALLOW_PRIVATE_TARGETS: receiver.target,
})

test('a webhook from its making to its end', async () => {
  const made = await idp([
    'webhooks',
    'create',
    receiver.url,
    '--event',
    'account.*',
    '--note',
    'crm',
    '--json',
  ])
  const { webhook } = JSON.parse(made.stdout)
  expect(webhook).toMatchObject({ events: ['account.*'], note: 'crm', pending: 0 })
  expect(webhook.secret).toMatch(/^whsec_/)
  receiver.secret = webhook.secret

  const tried = await idp(['webhooks', 'test', webhook.id])
  expect([tried.code, tried.stderr]).toEqual([0, expect.stringContaining('taken')])
  expect(receiver.heard).toMatchObject([{ message: { type: 'webhook.test' } }])
  receiver.mood = 503
  expect(await idp(['webhooks', 'test', webhook.id])).toMatchObject({
    code: exitCodes.failed,
    stderr: expect.stringContaining('http_503'),
  })

  await record(db, { type: 'account.enabled', accountId: newId() })
  await db.updateTable('webhookDeliveries').set({ state: 'failed', error: 'http_503' }).execute()
  const list = await idp(['webhooks', 'deliveries', 'list', '--state', 'failed'])
  expect(list.stdout).toMatch(/account\.enabled +failed: http_503/)
  const replayed = await idp([
    'webhooks',
    'deliveries',
    'replay',
    '--webhook',
    webhook.id,
    '--json',
  ])
  expect(JSON.parse(replayed.stdout)).toMatchObject({ replayed: 1 })
  const [delivery] = JSON.parse(
    (await idp(['webhooks', 'deliveries', 'list', '--json'])).stdout,
  ).deliveries
  expect(delivery).toMatchObject({ state: 'pending', attempts: 0 })
  expect((await idp(['webhooks', 'deliveries', 'replay', delivery.id])).code).toBe(0)

  const rotated = await idp([
    'webhooks',
    'update',
    webhook.id,
    '--rotate-secret',
    '--event',
    '*',
    '--json',
  ])
  expect(JSON.parse(rotated.stdout).webhook).toMatchObject({
    events: ['*'],
    old_secret_until: expect.any(String),
  })
  expect(JSON.parse(rotated.stdout).webhook.secret).not.toBe(webhook.secret)
  expect((await idp(['webhooks', 'update', webhook.id, '--disable'])).stdout).toContain('off since')
  expect((await idp(['webhooks', 'get', webhook.id])).stdout).not.toContain('whsec_')
  expect((await idp(['webhooks', 'list'])).stdout).toMatch(/ off .* crm/)
  expect((await idp(['webhooks', 'delete', webhook.id])).code).toBe(exitCodes.usage)
  expect((await idp(['webhooks', 'delete', webhook.id, '--yes'])).code).toBe(0)
  expect((await idp(['webhooks', 'list'])).stderr).toContain('Nobody')
})

test.each([
  [['create', 'nonsense'], exitCodes.refused],
  [['create', 'https://example.org', '--event', 'account.exploded'], exitCodes.refused],
  [['update', 'nothing'], exitCodes.usage],
  [['update', 'nothing', '--enable', '--disable'], exitCodes.usage],
  [['update', 'nothing', '--enable'], exitCodes.notFound],
  [['get', 'nothing'], exitCodes.notFound],
  [['test', 'nothing'], exitCodes.notFound],
  [['delete', 'nothing', '--yes'], exitCodes.notFound],
  [['deliveries', 'replay'], exitCodes.usage],
  [['deliveries', 'replay', 'nonsense'], exitCodes.notFound],
  [['deliveries', 'list', '--state', 'lost'], exitCodes.usage],
])('webhooks %j ends with %i', async (argv, code) => {
  expect((await idp(['webhooks', ...argv])).code).toBe(code)
})
