/** What is stored, spoilt on purpose: schema, indices, keys, clients written behind our back. Nothing of it is changed by looking. */
import { beforeEach, describe, expect, test } from 'vitest'
import { record } from '../../src/audit/audit.ts'
import { createClient } from '../../src/clients/create-client.ts'
import { readConfig } from '../../src/config.ts'
import { createKeyring } from '../../src/crypto.ts'
import { createProvider } from '../../src/federation/providers.ts'
import { loadLastingSecret } from '../../src/oidc/lasting-secrets.ts'
import { ensureSigningKeys } from '../../src/oidc/signing-keys.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { createDatabase } from '../support/database.ts'
import { complaints, look, patientOf } from './patient.ts'

const secret = 'abcdefghijklmnopqrstuvwxyz0123456789'
const config = readConfig({
  ISSUER: 'https://id.example.org',
  DATABASE_URL: 'postgres://localhost/any',
  SECRET_KEY: secret,
  SMTP_URL: 'smtp://localhost',
  MAIL_FROM: 'id@example.org',
})
const database = await createDatabase()
const { pool, db } = database
const keyring = createKeyring([secret])
await ensureSigningKeys(db, keyring)
await loadLastingSecret(db, keyring, 'pairwise-subjects')
const patient = patientOf(config, database)
const everything = [
  'database',
  'clock.database',
  'keys',
  'keys.secret',
  'jobs',
  'passkeys.domain',
  'clients.rules',
]

test('a database that is in order is left alone', async () => {
  expect(complaints(await look(patient, ...everything))).toEqual([])
})

describe('schema and indices', () => {
  const found = async () => complaints(await look(patient, 'database'))

  test('an index that is missing comes back by the command that is named', async () => {
    await pool.query('drop index sessions_account_id_idx')
    const [finding, ...more] = await found()
    expect(more).toEqual([])
    expect(finding).toMatchObject({
      check: 'database.indices',
      state: 'broken',
      seen: 'sessions_account_id_idx is missing',
    })
    await pool.query(finding?.fix?.replace('in psql: ', '') ?? '')
    expect(await found()).toEqual([])
  })

  test('a key that is missing comes back by the command that is named', async () => {
    await pool.query('alter table accounts drop constraint accounts_email_canonical_key')
    const [finding] = await found()
    await pool.query(finding?.fix?.replace('in psql: ', '') ?? '')
    expect(await found()).toEqual([])
  })

  test('an index whose making was cut off is invalid', async () => {
    const spoil = (valid: boolean) =>
      pool.query(
        `update pg_index set indisvalid = $1 where indexrelid = 'sessions_expires_at_idx'::regclass`,
        [valid],
      )
    await spoil(false)
    const [finding] = await found()
    await spoil(true)
    expect(finding).toMatchObject({
      seen: 'sessions_expires_at_idx is invalid',
      fix: 'in psql: REINDEX INDEX CONCURRENTLY sessions_expires_at_idx;',
    })
  })

  test('an older and a newer schema are told apart', async () => {
    const { rows } = await pool.query('select * from kysely_migration order by name desc limit 1')
    const { name, timestamp } = rows[0] as { name: string; timestamp: string }
    await pool.query('delete from kysely_migration where name = $1', [name])
    expect(await found()).toEqual([
      expect.objectContaining({
        check: 'database.migrations',
        seen: `missing: ${name}`,
        fix: 'idp migrate up',
      }),
    ])
    await pool.query('insert into kysely_migration values ($1, $2), ($3, $2)', [
      name,
      timestamp,
      '9999_later',
    ])
    expect(await found()).toEqual([
      expect.objectContaining({
        check: 'database.migrations',
        fix: expect.stringContaining('newer release'),
      }),
    ])
    await pool.query(`delete from kysely_migration where name = '9999_later'`)
  })

  test('an embedded database in production is worth a word', async () => {
    const { databaseUrl: _, ...embedded } = config
    expect(complaints(await look({ ...patient, config: embedded }, 'database'))).toEqual([
      expect.objectContaining({
        check: 'database.place',
        state: 'warning',
        fix: 'DATABASE_URL=postgres://…',
      }),
    ])
  })

  test('a clock that is an hour ahead of the database', async () => {
    const ahead = { ...patient, world: { ...patient.world, now: () => Date.now() + 3_600_000 } }
    expect(complaints(await look(ahead, 'clock.database'))).toEqual([
      expect.objectContaining({
        check: 'clock.database',
        state: 'broken',
        seen: '3600 seconds ahead of the database',
      }),
    ])
  })
})

describe('keys', () => {
  test('another SECRET_KEY opens nothing, and is not shown', async () => {
    const wrong = 'ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210'
    const by = { actor: { kind: 'operator' } } as const
    await createWebhook({ db, keyring }, { url: 'https://a.example.org/', events: ['*'] }, by)
    const up = {
      id: 'work',
      preset: 'oidc',
      name: 'Work',
      issuer: 'https://up.example',
      clientId: 'us',
    } as const
    const sealing = {
      appleTeamId: null,
      appleKeyId: null,
      scope: 'openid',
      trustEmail: false,
      tenants: [],
      roleMap: [],
      enabled: true,
    }
    const made = await createProvider(
      { db, keyring, ourIssuer: config.issuer },
      { ...up, ...sealing, secret: 'x'.repeat(20) },
      by,
    )
    expect(made.ok).toBe(true)
    const findings = await look(
      { ...patient, config: { ...config, secretKeys: [wrong] } },
      'keys.secret',
    )
    expect(findings).toEqual([
      expect.objectContaining({
        check: 'keys.secret',
        state: 'broken',
        fix: expect.stringContaining('SECRET_KEY="new old"'),
      }),
    ])
    expect(findings[0]?.seen).toContain(
      'the signing keys, the secret of pairwise subjects, the secrets of 1 providers, the secrets of 1 webhooks',
    )
    expect(JSON.stringify(findings)).not.toContain(wrong)
    const both = { ...config, secretKeys: [wrong, secret] }
    expect(complaints(await look({ ...patient, config: both }, 'keys.secret'))).toEqual([])
  })

  test('a key that signs for too long, and one that is gone', async () => {
    await pool.query(
      `update signing_keys set activated_at = now() - interval '100 days' where alg = 'RS256' and state = 'current'`,
    )
    await pool.query(`delete from signing_keys where alg = 'ES256' and state = 'next'`)
    const findings = complaints(await look(patient, 'keys'))
    expect(findings.map(({ check, fix }) => [check, fix])).toEqual([
      ['keys.states', expect.stringContaining('restart')],
      ['keys.age', 'idp keys rotate --alg RS256'],
    ])
  })
})

describe('clients and jobs', () => {
  let id: string
  beforeEach(async () => {
    await db.deleteFrom('clients').execute()
    const created = await createClient(
      db,
      { name: 'Cloud', preset: 'generic', redirectUris: ['https://cloud.example.org/cb'] },
      { actor: { kind: 'operator' } },
    )
    if (!created.ok) throw new Error('the client is good')
    id = created.client.id
  })

  test.each<[what: string, metadata: object]>([
    ['an http address', { redirect_uris: ['http://cloud.example.org/cb'] }],
    ['a script as address', { redirect_uris: ['javascript:alert(1)'] }],
    ['no address at all', { redirect_uris: ['cloud'] }],
    ['a key set in clear', { jwks_uri: 'http://cloud.example.org/jwks' }],
    [
      'a logout address with a fragment',
      { backchannel_logout_uri: 'https://cloud.example.org/#x' },
    ],
    ['something else than addresses', { redirect_uris: null }],
  ])('%s, written behind our back, is found', async (_, metadata) => {
    await pool.query('update clients set metadata = metadata || $1 where id = $2', [
      JSON.stringify(metadata),
      id,
    ])
    const findings = complaints(await look(patient, 'clients.rules'))
    expect(findings.length).toBeGreaterThan(0)
    expect(findings[0]).toMatchObject({
      check: 'clients.rules',
      state: 'broken',
      fix: expect.stringContaining(`idp clients update ${id}`),
    })
    expect(findings[0]?.seen).toContain('Cloud')
  })

  test('addresses inside the network are called by nobody, and those that we must call are named', async () => {
    const metadata = {
      backchannel_logout_uri: 'https://127.0.0.1:9443/logout',
      redirect_uris: ['https://127.0.0.1:9443/cb'],
    }
    await pool.query('update clients set metadata = metadata || $1 where id = $2', [
      JSON.stringify(metadata),
      id,
    ])
    expect(complaints(await look(patient, 'clients.addresses'))).toEqual([
      expect.objectContaining({ fix: 'if it is meant: ALLOW_PRIVATE_TARGETS=127.0.0.1:9443' }),
    ])
  })

  test('a backup that this program made is known by its age', async () => {
    expect((await look(patient, 'backup')).map(({ state }) => state)).toEqual(['skipped'])
    await record(db, { type: 'backup.created' })
    expect((await look(patient, 'backup')).map(({ state }) => state)).toEqual(['ok'])
  })

  test('jobs that nobody does are counted', async () => {
    await pool.query(
      `select graphile_worker.add_job('mail.proof', '{}'::json, run_at := now() - interval '1 hour')`,
    )
    await pool.query(
      `update graphile_worker._private_jobs set created_at = now() - interval '1 hour'`,
    )
    const findings = complaints(await look(patient, 'jobs'))
    expect(findings.map(({ check }) => check)).toEqual(['jobs.overdue', 'jobs.mail'])
  })
})
