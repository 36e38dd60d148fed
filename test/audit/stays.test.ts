/** The trail only grows, ends by age alone, and tells what a change made of what, without secrets. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createAccount } from '../../src/accounts/accounts.ts'
import { updateProfile } from '../../src/accounts/profile.ts'
import { record } from '../../src/audit/audit.ts'
import { changesOf } from '../../src/audit/changes.ts'
import { mayErase, removeOldEvents } from '../../src/audit/retention.ts'
import { newId } from '../../src/crypto.ts'
import { transact } from '../../src/database/transact.ts'
import { createIdp } from '../cli/support.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'

const { db, url } = await createDatabase()
const idp = createIdp(url)
const refusal = { code: '55000', message: 'audit events stay as they are' }
const operator = { kind: 'operator', id: 'ada' } as const

/** An event of so many days ago, as an old release would have left it. */
async function eventOf(type: string, days: number, accountId?: string): Promise<void> {
  const at = new Date(Date.now() - days * 86_400_000)
  await db
    .insertInto('auditEvents')
    .values({
      id: newId(),
      at,
      type,
      actorKind: 'system',
      actorId: null,
      accountId: accountId ?? null,
      clientId: null,
      address: '192.0.2.7',
      requestId: 'r',
      detail: '{"a": 1}',
    })
    .execute()
}

test('no statement changes or removes an event', async () => {
  await eventOf('kept.always', 0)
  const one = db.updateTable('auditEvents').where('type', '=', 'kept.always')
  await expect(one.set({ type: 'another' }).execute()).rejects.toMatchObject(refusal)
  await expect(one.set({ detail: '{}' }).execute()).rejects.toMatchObject(refusal)
  await expect(db.deleteFrom('auditEvents').execute()).rejects.toMatchObject(refusal)
  await expect(
    sql`
    insert into audit_events select * from audit_events
    on conflict (id) do update set type = 'another'`.execute(db),
  ).rejects.toMatchObject(refusal)
  expect(await auditOf(db, 'kept.always')).toHaveLength(1)
})

test('who erases a person takes away what says whose it was, and nothing else', async () => {
  const accountId = newId()
  await eventOf('of.somebody', 0, accountId)
  const change = (set: object) =>
    transact(db, async (trx) => {
      await mayErase(trx)
      await trx.updateTable('auditEvents').set(set).where('accountId', '=', accountId).execute()
    })
  const erased = { address: null, requestId: null, detail: '{}' }
  await expect(change({ ...erased, type: 'another' })).rejects.toMatchObject(refusal)
  await expect(change({ detail: '{"other": true}' })).rejects.toMatchObject(refusal)
  await change(erased)
  expect(await auditOf(db, 'of.somebody')).toMatchObject([{ address: null, detail: {} }])
  // And it ends with the transaction.
  await expect(db.updateTable('auditEvents').set(erased).execute()).rejects.toMatchObject(refusal)
})

test('what is older than the setting goes, in batches, and that is an event', async () => {
  for (const days of [10, 50, 51, 52, 500]) await eventOf('aged', days)
  expect(await removeOldEvents(db, null)).toBe(0)
  expect(await removeOldEvents(db, 50, 2)).toBe(4)
  expect(await auditOf(db, 'aged')).toHaveLength(1)
  expect(await auditOf(db, 'audit.trimmed')).toMatchObject([{ detail: { removed: 4, days: 50 } }])
  await expect(db.deleteFrom('auditEvents').execute()).rejects.toMatchObject(refusal)
})

test('the age is a setting, whose change tells before and after', async () => {
  const get = async () => JSON.parse((await idp(['settings', 'get', '--json'])).stdout).settings
  expect(await get()).toMatchObject({ audit_retention_days: 400 })
  expect((await idp(['settings', 'update', '--audit-retention', '90d'])).stdout).toContain(
    '90 days',
  )
  expect(await get()).toMatchObject({ audit_retention_days: 90 })
  await idp(['settings', 'update', '--audit-retention', 'never'])
  expect(await get()).toMatchObject({ audit_retention_days: null })
  const changes = (await auditOf(db, 'settings.changed')).map(({ detail }) => detail)
  expect(changes).toEqual([
    { name: 'audit-retention', before: { days: 400 }, after: { days: 90 } },
    { name: 'audit-retention', before: { days: 90 }, after: { days: null } },
  ])
  for (const time of ['soon', '12h', '0d', '99999d'])
    expect((await idp(['settings', 'update', '--audit-retention', time])).code).toBe(2)
})

test('a change of an app or an API tells before and after', async () => {
  await idp([
    'clients',
    'create',
    'Wiki',
    '--preset',
    'generic',
    '--redirect-uri',
    'https://wiki.example.org/a',
  ])
  await idp(['clients', 'update', 'Wiki', '--name', 'Library', '--first-party'])
  const [client] = await auditOf(db, 'client.updated')
  expect(client?.detail).toMatchObject({
    before: { client_name: 'Wiki', first_party: false },
    after: { client_name: 'Library', first_party: true },
  })
  await idp(['apis', 'create', 'https://api.example.org', '--scope', 'read'])
  await idp(['apis', 'update', 'https://api.example.org', '--scope', 'read write'])
  const [api] = await auditOf(db, 'api.updated')
  expect(api?.detail).toMatchObject({
    before: { scopes: ['read'] },
    after: { scopes: ['read', 'write'] },
  })
})

test('what an operator changes about a name is told, what people change themselves is theirs', async () => {
  const address = { email: 'mei@example.org', canonical: 'mei@example.org' }
  const made = await createAccount(db, { username: 'mei', passwordHash: 'x', address }, operator)
  if (!made.ok) throw new Error('refused')
  await updateProfile(db, made.id, { name: 'Mei Chen' }, { actor: operator })
  await updateProfile(db, made.id, { name: 'Chen Mei' }, { actor: { kind: 'person', id: made.id } })
  const [byOperator, byPerson] = (await auditOf(db, 'account.profile_changed')).map(
    ({ detail }) => detail,
  )
  expect(byOperator).toMatchObject({ before: { name: 'mei' }, after: { name: 'Mei Chen' } })
  expect(byPerson).toEqual({ fields: ['name'] })
})

test('secrets are left out wherever they stand, and long values are cut', () => {
  const before = {
    same: 1,
    name: 'a',
    client_secret: 'hush',
    passwordHash: '$argon2id$',
    registration_token: 'hush',
    handle: 'hush',
    nested: { deeper: { apiSecret: 'hush', plain: 'said' } },
    jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'public', d: 'hush' }] },
    sealed: Buffer.from('hush'),
    picture: 'x'.repeat(5000),
    gone: 'said',
  }
  const after = {
    ...Object.fromEntries(Object.keys(before).map((name) => [name, null])),
    same: 1,
    come: 2,
  }
  const changes = changesOf(before, after)
  const text = JSON.stringify(changes)
  expect(text).not.toContain('hush')
  expect(text).not.toContain('argon2id')
  expect(text).not.toContain('same')
  expect(changes.before).toMatchObject({
    name: 'a',
    client_secret: '[secret]',
    nested: { deeper: { apiSecret: '[secret]', plain: 'said' } },
    jwks: { keys: [{ x: 'public', d: '[secret]' }] },
    picture: '[5002 characters]',
    gone: 'said',
    come: null,
  })
  expect(changesOf({ a: 1, b: 1 }, { a: 2, b: 2 }, ['a'])).toEqual({
    before: { a: 1 },
    after: { a: 2 },
  })
  expect(
    JSON.stringify(changesOf({ secondFactor: 'never' }, { secondFactor: 'always' })),
  ).toContain('always')
})

test('an act that fails leaves no event', async () => {
  await expect(
    transact(db, async (trx) => {
      await record(trx, { type: 'never.happened' })
      throw new Error('and then it failed')
    }),
  ).rejects.toThrow()
  expect(await auditOf(db, 'never.happened')).toEqual([])
})
