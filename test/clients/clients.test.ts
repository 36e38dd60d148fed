import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  deleteClient,
  disableClient,
  enableClient,
  rotateSecret,
} from '../../src/clients/client-life.ts'
import {
  findClient,
  findStoredClient,
  getClient,
  listClients,
  secretMatches,
  wholeScope,
} from '../../src/clients/clients.ts'
import { type ClientInput, createClient } from '../../src/clients/create-client.ts'
import { updateClient } from '../../src/clients/update-client.ts'
import { newId, sha256 } from '../../src/crypto.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'

const { db, pool } = await createDatabase({ poolSize: 20 })
const by = { actor: { kind: 'operator', id: 'night-admin' } } as const

async function create(change: Partial<ClientInput> = {}) {
  const input = { name: 'Cloudreve', preset: 'web', appUrl: 'https://cloud.example.org', ...change }
  const result = await createClient(db, input, by)
  if (!result.ok) throw new Error(JSON.stringify(result))
  return result
}

async function stored(id: string) {
  const client = await findStoredClient(db, id)
  if (!client) throw new Error(`no client ${id}`)
  return client
}

/** A grant, a consent and a token of its own for the client, as the protocol leaves them. */
async function signSomebodyIn(clientId: string): Promise<void> {
  const later = new Date(Date.now() + 3_600_000)
  const [accountId, now] = [newId(), new Date()]
  const token = { clientId, createdAt: now, expiresAt: later }
  await db
    .insertInto('grants')
    .values({ ...token, id: newId(), accountId })
    .execute()
  await db.insertInto('consents').values({ accountId, clientId }).execute()
  await db
    .insertInto('clientCredentials')
    .values({ ...token, idHash: sha256(newId()), jkt: null, scope: null })
    .execute()
}

async function countLeft(clientId: string) {
  const count = async (table: 'grants' | 'consents' | 'clientCredentials') => {
    const rows = await db
      .selectFrom(table)
      .select('clientId')
      .where('clientId', '=', clientId)
      .execute()
    return rows.length
  }
  return {
    grants: await count('grants'),
    consents: await count('consents'),
    tokens: await count('clientCredentials'),
  }
}

async function version(): Promise<string | undefined> {
  const row = await db
    .selectFrom('versions')
    .select('version')
    .where('name', '=', 'clients')
    .executeTakeFirst()
  return row?.version
}

let before: string | undefined
beforeEach(async () => {
  before = await version()
})
afterEach(async () => {
  await pool.query('truncate clients, grants, consents, client_credentials, audit_events cascade')
})

test('a client made from a preset is read back as the protocol needs it', async () => {
  const { client, secret, created } = await create()
  expect(created).toBe(true)
  expect(client.id).toMatch(/^cloudreve-[a-z2-7]{8}$/)
  expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(await version()).not.toBe(before)

  const read = await stored(client.id)
  expect(read).toMatchObject({
    id: client.id,
    name: 'Cloudreve',
    preset: 'web',
    firstParty: false,
    pkceRequired: true,
    ignoresUnknownResource: false,
    disabledAt: null,
    apis: [],
    authMethods: ['client_secret_basic'],
    metadata: {
      client_id: client.id,
      client_name: 'Cloudreve',
      client_uri: 'https://cloud.example.org',
      redirect_uris: ['https://cloud.example.org/callback'],
      post_logout_redirect_uris: ['https://cloud.example.org', 'https://cloud.example.org/'],
      scope: 'openid profile email groups offline_access',
      grant_types: ['authorization_code', 'refresh_token'],
    },
  })
  expect(secretMatches(read, secret ?? '')).toBe(true)
  expect(secretMatches(read, `${secret}x`)).toBe(false)
  expect(secretMatches(read, '')).toBe(false)
})

test('generic takes its secret by Basic and in the form', async () => {
  const { client } = await create({ preset: 'generic' })
  expect(client.metadata.token_endpoint_auth_method).toBe('client_secret_basic')
  expect((await stored(client.id)).authMethods).toEqual([
    'client_secret_basic',
    'client_secret_post',
  ])
})

test('a public client has no secret, and none can be made for it', async () => {
  const { client, secret } = await create({ preset: 'spa' })
  expect(secret).toBeUndefined()
  expect((await stored(client.id)).authMethods).toEqual(['none'])
  expect(await rotateSecret(db, client.id, { overlapSeconds: 0, ...by })).toMatchObject({
    ok: false,
    reason: 'no-secret',
  })
})

test('the secret is stored as a hash and stands nowhere else (AD-04, AD-12)', async () => {
  const { client, secret = '' } = await create()
  const rotated = await rotateSecret(db, client.id, { overlapSeconds: 60, ...by })
  if (!rotated?.ok) throw new Error('not rotated')
  const { rows: tables } = await pool.query<{ name: string }>(
    "select format('%I', tablename) as name from pg_tables where schemaname = 'public'",
  )
  for (const { name } of tables) {
    const { rows } = await pool.query(`select t::text as row from ${name} t`)
    const dump = JSON.stringify(rows)
    for (const value of [secret, rotated.secret]) {
      expect(dump).not.toContain(value)
      expect(dump).not.toContain(Buffer.from(value).toString('hex'))
    }
  }
  const shown = JSON.stringify([await getClient(db, client.id), await listClients(db)])
  expect(shown).not.toContain(secret)
  expect(shown).not.toContain(sha256(secret).toString('hex'))
})

test('names that are not Latin make ids that every app can send', async () => {
  const ids = []
  for (const name of ['云盘', 'Ünïcödé Files & Co.', '-', 'a'.repeat(80)]) {
    ids.push((await create({ name })).client.id)
  }
  for (const id of ids) expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
  expect(ids[1]).toMatch(/^unicode-files-co-/)
})

describe('creating twice', () => {
  test('the same name is refused, however its case is written', async () => {
    const { client } = await create()
    const again = await createClient(
      db,
      { name: 'cloudREVE', preset: 'spa', appUrl: 'https://other.example.org' },
      by,
    )
    expect(again).toMatchObject({
      ok: false,
      reason: 'taken',
      field: 'name',
      client: { id: client.id },
    })
  })

  test('with ifNotExists it answers the client that is there, without its secret', async () => {
    const { client } = await create()
    const version1 = await version()
    const input = { name: 'Cloudreve', preset: 'web', appUrl: 'https://cloud.example.org' }
    const again = await createClient(db, input, { ...by, ifNotExists: true })
    expect(again).toEqual({ ok: true, created: false, client })
    expect(await version()).toBe(version1)
  })

  test.each(Array.from({ length: rounds }, (_, round) => round + 1))(
    'twenty at once make one client (round %i)',
    async () => {
      const input = { name: 'Grafana', preset: 'grafana', appUrl: 'https://grafana.example.org' }
      const results = await Promise.all(
        Array.from({ length: 20 }, () => createClient(db, input, { ...by, ifNotExists: true })),
      )
      expect(results.filter((result) => result.ok && result.created)).toHaveLength(1)
      expect(new Set(results.map((result) => result.ok && result.client.id)).size).toBe(1)
      expect(await listClients(db)).toHaveLength(1)
      const { rows } = await pool.query('select 1 from client_secrets')
      expect(rows).toHaveLength(1)
    },
  )

  test('a declared client id is taken once', async () => {
    await create({ clientId: 'cloudreve' })
    const input = { name: 'Another', preset: 'native', clientId: 'cloudreve' }
    expect(await createClient(db, input, by)).toMatchObject({
      ok: false,
      reason: 'taken',
      field: 'client_id',
    })
    expect(await createClient(db, { ...input, clientId: 'a b' }, by)).toMatchObject({
      ok: false,
      problems: [{ field: 'client_id' }],
    })
  })
})

test('what the rules refuse is not stored, and every problem is named', async () => {
  const result = await createClient(
    db,
    {
      name: '<b>',
      preset: 'web',
      redirectUris: ['http://app.example.com/cb'],
      scope: 'openid files:read',
    },
    by,
  )
  expect(result).toMatchObject({ ok: false, reason: 'invalid' })
  const fields =
    !result.ok && result.reason === 'invalid' ? result.problems.map(({ field }) => field) : []
  expect(fields.toSorted()).toEqual(['client_name', 'redirect_uris', 'scope'])
  expect(await listClients(db)).toEqual([])
  expect(await version()).toBe(before)
})

test('the protocol has the last word, in our words', async () => {
  const engineCheck = async () => {
    throw Object.assign(new Error('invalid_client_metadata'), {
      error_description: 'redirect_uris must not contain fragments',
    })
  }
  const input = { name: 'Cloudreve', preset: 'web', appUrl: 'https://cloud.example.org' }
  expect(await createClient(db, input, { ...by, engineCheck })).toMatchObject({
    ok: false,
    problems: [{ field: 'redirect_uris', message: 'must not contain fragments' }],
  })
  expect(await listClients(db)).toEqual([])
})

describe('changing', () => {
  test('what is not named stays: read it, write it back, nothing is lost (TK-20)', async () => {
    const { client } = await create({
      preset: 'nextcloud',
      backchannelLogoutUri: 'https://cloud.example.org/logout',
      firstParty: true,
      idTokenAlg: 'ES256',
    })
    const same = await updateClient(db, client.id, {}, by)
    expect(same).toMatchObject({ ok: true, changed: [], client })
    const renamed = await updateClient(db, client.id, { name: 'Files' }, by)
    expect(renamed).toMatchObject({ ok: true, changed: ['client_name'], narrowed: false })
    const now = await getClient(db, client.id)
    expect({ ...now, updatedAt: 0 }).toEqual({
      ...client,
      updatedAt: 0,
      name: 'Files',
      metadata: { ...client.metadata, client_name: 'Files' },
    })
  })

  test('an app that moves takes its derived addresses along and keeps the others', async () => {
    const { client } = await create({ preset: 'web' })
    await updateClient(db, client.id, { addRedirectUris: ['http://localhost:5173/callback'] }, by)
    await updateClient(db, client.id, { appUrl: 'https://files.example.org' }, by)
    const { metadata } = await getClient(db, client.id)
    expect(metadata.client_uri).toBe('https://files.example.org')
    expect(metadata.redirect_uris).toEqual([
      'http://localhost:5173/callback',
      'https://files.example.org/callback',
    ])
    expect(metadata.post_logout_redirect_uris).toEqual([
      'https://files.example.org',
      'https://files.example.org/',
    ])
  })

  test('addresses are replaced, added, removed; the last one cannot go', async () => {
    const { client } = await create()
    const uri = 'https://new.example.org/cb'
    await updateClient(db, client.id, { redirectUris: [uri] }, by)
    expect((await getClient(db, client.id)).metadata.redirect_uris).toEqual([uri])
    expect(await updateClient(db, client.id, { removeRedirectUris: [uri] }, by)).toMatchObject({
      ok: false,
      problems: [{ code: 'redirect_uri_missing' }],
    })
  })

  test('less scope ends the tokens that hold more; more scope does not', async () => {
    const { client } = await create({ scope: 'openid email' })
    await signSomebodyIn(client.id)
    expect(await updateClient(db, client.id, { scope: 'openid email profile' }, by)).toMatchObject({
      narrowed: false,
    })
    expect(await countLeft(client.id)).toEqual({ grants: 1, consents: 1, tokens: 1 })
    expect(await updateClient(db, client.id, { scope: 'openid profile' }, by)).toMatchObject({
      narrowed: true,
    })
    expect(await countLeft(client.id)).toEqual({ grants: 0, consents: 1, tokens: 0 })
  })

  test('a client that turns confidential gets its first secret, one that turns public loses it', async () => {
    const { client } = await create({ preset: 'spa' })
    const first = await updateClient(db, client.id, { authMethod: 'client_secret_basic' }, by)
    const secret = (first?.ok && first.secret) || ''
    expect(secretMatches(await stored(client.id), secret)).toBe(true)
    await updateClient(db, client.id, { authMethod: 'none' }, by)
    expect((await stored(client.id)).secrets).toEqual([])
  })

  test('back-channel logout can be given and taken away', async () => {
    const { client } = await create()
    const uri = 'https://cloud.example.org/logout'
    await updateClient(db, client.id, { backchannelLogoutUri: uri }, by)
    const { metadata } = await getClient(db, client.id)
    expect(metadata).toMatchObject({
      backchannel_logout_uri: uri,
      backchannel_logout_session_required: true,
    })
    await updateClient(db, client.id, { backchannelLogoutUri: null }, by)
    expect(Object.keys((await getClient(db, client.id)).metadata)).not.toContain(
      'backchannel_logout_uri',
    )
  })

  test('a name that another app has is refused', async () => {
    await create()
    const { client } = await create({ name: 'Grafana' })
    expect(await updateClient(db, client.id, { name: 'CLOUDREVE' }, by)).toMatchObject({
      ok: false,
      reason: 'taken',
    })
    expect(await updateClient(db, client.id, { name: 'GRAFANA' }, by)).toMatchObject({ ok: true })
  })
})

describe('rotating a secret (TK-19)', () => {
  test('both work during the overlap, the old one is dead after it, in memory as well', async () => {
    const { client, secret = '' } = await create()
    const rotated = await rotateSecret(db, client.id, { overlapSeconds: 3600, ...by })
    if (!rotated?.ok) throw new Error('not rotated')
    const kept = await stored(client.id)
    expect(secretMatches(kept, secret)).toBe(true)
    expect(secretMatches(kept, rotated.secret)).toBe(true)
    const afterwards = new Date(Date.now() + 3_601_000)
    expect(secretMatches(kept, secret, afterwards)).toBe(false)
    expect(secretMatches(kept, rotated.secret, afterwards)).toBe(true)

    await pool.query(
      "update client_secrets set expires_at = now() - interval '1 second' where expires_at is not null",
    )
    expect((await stored(client.id)).secrets).toHaveLength(1)
  })

  test('without overlap the old one is dead at once', async () => {
    const { client, secret = '' } = await create()
    await rotateSecret(db, client.id, { overlapSeconds: 0, ...by })
    expect(secretMatches(await stored(client.id), secret)).toBe(false)
  })

  test('a second rotation never lengthens the life of an older secret', async () => {
    const { client } = await create()
    await rotateSecret(db, client.id, { overlapSeconds: 60, ...by })
    await rotateSecret(db, client.id, { overlapSeconds: 3600, ...by })
    const ends = (await getClient(db, client.id)).secrets.map(({ expiresAt }) => expiresAt)
    const minutes = ends.map((end) =>
      end === null ? null : Math.round((end.getTime() - Date.now()) / 60_000),
    )
    expect(minutes).toEqual([null, 60, 1])
  })

  test('ten rotations at once leave ten secrets, of which one lasts', async () => {
    const { client } = await create()
    await Promise.all(
      Array.from({ length: 10 }, () => rotateSecret(db, client.id, { overlapSeconds: 60, ...by })),
    )
    const { secrets } = await getClient(db, client.id)
    expect(secrets.filter(({ expiresAt }) => expiresAt === null)).toHaveLength(1)
  })
})

describe('ending', () => {
  test('a disabled client loses its tokens at once and keeps what people allowed', async () => {
    const { client } = await create()
    await signSomebodyIn(client.id)
    expect(await disableClient(db, client.id, by)).toMatchObject({ changed: true })
    expect((await stored(client.id)).disabledAt).toBeInstanceOf(Date)
    expect(await countLeft(client.id)).toEqual({ grants: 0, consents: 1, tokens: 0 })
    expect(await disableClient(db, client.id, by)).toMatchObject({ changed: false })

    // A process that had not heard of it yet served one more sign-in.
    await signSomebodyIn(client.id)
    expect(await enableClient(db, client.id, by)).toMatchObject({
      changed: true,
      client: { disabledAt: null },
    })
    expect(await countLeft(client.id)).toMatchObject({ grants: 0, tokens: 0 })
  })

  test('a deleted client takes secrets, tokens and consents along; its name is free, its id is not', async () => {
    const { client } = await create()
    await signSomebodyIn(client.id)
    expect(await deleteClient(db, client.id, by)).toBe(true)
    expect(await deleteClient(db, client.id, by)).toBe(false)
    expect(await countLeft(client.id)).toEqual({ grants: 0, consents: 0, tokens: 0 })
    expect(await findStoredClient(db, client.id)).toBeUndefined()
    expect((await create()).client.id).not.toBe(client.id)
  })

  test('what is not there is not changed', async () => {
    expect(await disableClient(db, 'nobody', by)).toBeUndefined()
    expect(await rotateSecret(db, 'nobody', { overlapSeconds: 0, ...by })).toBeUndefined()
    expect(await updateClient(db, 'nobody', { name: 'x' }, by)).toBeUndefined()
    expect(await version()).toBe(before)
    await expect(getClient(db, 'nobody')).rejects.toMatchObject({ code: 'client_not_found' })
  })
})

test('a client is found by its id before its name, and by its name in any case', async () => {
  const { client } = await create({ name: 'Grafana' })
  const { client: impostor } = await create({ name: client.id })
  expect((await findClient(db, client.id))?.id).toBe(client.id)
  expect((await findClient(db, 'GRAFANA'))?.id).toBe(client.id)
  expect(await findClient(db, 'nobody')).toBeUndefined()
  expect(impostor.id).not.toBe(client.id)
})

test('every change is audited with the operator and without a secret', async () => {
  const { client, secret = '' } = await create()
  await updateClient(db, client.id, { firstParty: true }, by)
  const rotated = await rotateSecret(db, client.id, { overlapSeconds: 60, ...by })
  await disableClient(db, client.id, by)
  await enableClient(db, client.id, by)
  await deleteClient(db, client.id, by)
  const events = await db
    .selectFrom('auditEvents')
    .selectAll()
    .orderBy('at')
    .orderBy('id')
    .execute()
  expect(events.map(({ type }) => type)).toEqual([
    'client.created',
    'client.updated',
    'client.secret_rotated',
    'client.disabled',
    'client.enabled',
    'client.deleted',
  ])
  for (const event of events) {
    expect(event).toMatchObject({
      actorKind: 'operator',
      actorId: 'night-admin',
      clientId: client.id,
    })
  }
  const written = JSON.stringify(events)
  expect(written).not.toContain(secret)
  expect(written).not.toContain(rotated?.ok && rotated.secret)
})

test('the whole scope of a client without APIs is its standard scope', async () => {
  const { client } = await create({ scope: 'openid  email openid' })
  expect(wholeScope(client)).toBe('openid email')
})
