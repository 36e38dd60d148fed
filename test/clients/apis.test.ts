import { afterEach, describe, expect, test } from 'vitest'
import {
  type ApiInput,
  createApi,
  findApi,
  listApiClients,
  listApis,
} from '../../src/clients/apis.ts'
import { deleteApi } from '../../src/clients/change-api.ts'
import { findStoredClient, wholeScope } from '../../src/clients/clients.ts'
import { createClient } from '../../src/clients/create-client.ts'
import { updateClient } from '../../src/clients/update-client.ts'
import { newId } from '../../src/crypto.ts'
import { createDatabase } from '../support/database.ts'

const { db, pool } = await createDatabase()
const by = { actor: { kind: 'operator', id: 'night-admin' } } as const
const files = 'https://files.example.org'
const photos = 'https://photos.example.org'

const make = (change: Partial<ApiInput> = {}, options = {}) =>
  createApi(
    db,
    { identifier: files, scopes: ['files:read', 'files:write'], ...change },
    { ...by, ...options },
  )

async function makeService(access: { scope?: string; apis?: string[] }) {
  const result = await createClient(db, { name: 'Robot', preset: 'service', ...access }, by)
  if (!result.ok) throw new Error(JSON.stringify(result))
  return result.client
}

afterEach(() => pool.query('truncate clients, apis, grants, consents, audit_events cascade'))

test('an API is made, found, listed and deleted; each change reaches every process', async () => {
  const versions = async () =>
    (await pool.query("select version from versions where name = 'clients'")).rows[0].version
  const first = await versions()
  expect(await make({ name: 'Files' })).toMatchObject({
    ok: true,
    created: true,
    api: {
      identifier: files,
      name: 'Files',
      scopes: ['files:read', 'files:write'],
      tokenLifetimeSeconds: 600,
    },
  })
  const second = await versions()
  expect(await findApi(db, files)).toEqual((await listApis(db))[0])
  expect(await deleteApi(db, files, by)).toEqual({ losses: [] })
  expect(await deleteApi(db, files, by)).toBeUndefined()
  expect(await findApi(db, files)).toBeUndefined()
  expect(new Set([first, second, await versions()]).size).toBe(3)
  const events = await db
    .selectFrom('auditEvents')
    .select(['type', 'actorId'])
    .orderBy('at')
    .execute()
  expect(events).toEqual([
    { type: 'api.created', actorId: 'night-admin' },
    { type: 'api.deleted', actorId: 'night-admin' },
  ])
})

test('making it twice is a conflict, or nothing at all', async () => {
  await make()
  expect(await make({ scopes: ['other'] })).toMatchObject({ ok: false, reason: 'taken' })
  expect(await make({ scopes: ['other'] }, { ifNotExists: true })).toMatchObject({
    ok: true,
    created: false,
    api: { scopes: ['files:read', 'files:write'] },
  })
})

test.each([
  ['not absolute', { identifier: '/files' }, 'identifier'],
  ['a fragment', { identifier: `${files}#x` }, 'identifier'],
  ['a user name', { identifier: 'https://me@files.example.org' }, 'identifier'],
  ['a script', { identifier: 'javascript:alert(1)' }, 'identifier'],
  ['a space', { identifier: 'https://files.example.org/ x' }, 'identifier'],
  ['our own issuer', { identifier: 'https://id.example.org/' }, 'identifier'],
  ['userinfo', { identifier: 'https://id.example.org/oauth2/userinfo' }, 'identifier'],
  ['a scope of OpenID Connect', { scopes: ['openid'] }, 'scope'],
  ['a scope that OpenID Connect reserves', { scopes: ['address'] }, 'scope'],
  ['a scope with a quote', { scopes: ['a"b'] }, 'scope'],
  ['markup in the name', { name: '<b>' }, 'name'],
  ['tokens for a week', { tokenLifetimeSeconds: 604_800 }, 'access_token_lifetime'],
  ['tokens for no time', { tokenLifetimeSeconds: 0 }, 'access_token_lifetime'],
])('an API with %s is refused', async (_, change, field) => {
  const result = await make(change, { issuer: 'https://id.example.org' })
  expect(result).toMatchObject({ ok: false, reason: 'invalid', problems: [{ field }] })
  expect(await listApis(db)).toEqual([])
})

test('a URN and a longer life can be had on purpose', async () => {
  expect(
    await make({ identifier: 'urn:example:files', tokenLifetimeSeconds: 86_400 }),
  ).toMatchObject({ ok: true })
})

describe('what a client may ask an API for', () => {
  test('named by its identifier: every scope', async () => {
    await make()
    const client = await makeService({ apis: [files] })
    expect((await findStoredClient(db, client.id))?.apis).toEqual([
      {
        identifier: files,
        scopes: ['files:read', 'files:write'],
        tokenLifetimeSeconds: 600,
        wholeApi: true,
      },
    ])
    expect(wholeScope(client)).toBe('files:read files:write')
    expect(await listApiClients(db, files)).toEqual([{ id: client.id, name: 'Robot' }])
  })

  test('implied by a scope that no other API has: that scope alone', async () => {
    await make()
    const client = await makeService({ scope: 'files:read' })
    expect((await findStoredClient(db, client.id))?.apis).toMatchObject([
      { scopes: ['files:read'], wholeApi: false },
    ])
    // The engine judges standard scopes by the metadata, so none of an API stands there.
    expect(client.metadata.scope).toBeUndefined()
    expect(wholeScope(client)).toBe('files:read')
  })

  test('a scope that two APIs have needs the API beside it', async () => {
    await make({ scopes: ['read'] })
    await make({ identifier: photos, scopes: ['read', 'write'] })
    const input = { name: 'Robot', preset: 'service', scope: 'read' }
    expect(await createClient(db, input, by)).toMatchObject({
      ok: false,
      problems: [{ code: 'scope_ambiguous' }],
    })
    const client = await makeService({ scope: 'read', apis: [photos] })
    expect(client.apis).toMatchObject([{ identifier: photos, scopes: ['read'] }])
  })

  test('unknown APIs and scopes are refused by name', async () => {
    const input = { name: 'Robot', preset: 'service', scope: 'nothing', apis: [photos] }
    expect(await createClient(db, input, by)).toMatchObject({
      ok: false,
      problems: [
        { field: 'api', code: 'api_unknown' },
        { field: 'scope', code: 'scope_unknown' },
      ],
    })
  })

  test('beside the scopes of people', async () => {
    await make()
    const input = {
      name: 'App',
      preset: 'spa',
      redirectUris: ['https://app.example.org/cb'],
      scope: 'openid files:read',
    }
    const result = await createClient(db, input, by)
    expect(result).toMatchObject({
      ok: true,
      client: { metadata: { scope: 'openid' }, apis: [{ identifier: files }] },
    })
  })

  test('can be changed: named anew, narrowed, taken away', async () => {
    await make()
    await make({ identifier: photos, scopes: ['photos'] })
    const { id } = await makeService({ apis: [files] })
    const change = async (to: { scope?: string; apis?: string[] }) => {
      const result = await updateClient(db, id, to, by)
      if (!result?.ok) throw new Error(JSON.stringify(result))
      return { scope: wholeScope(result.client), narrowed: result.narrowed }
    }
    expect(await change({ scope: 'photos' })).toEqual({
      scope: 'files:read files:write photos',
      narrowed: false,
    })
    expect(await change({ scope: 'files:read' })).toEqual({ scope: 'files:read', narrowed: true })
    expect(await change({ apis: [photos] })).toEqual({ scope: 'photos', narrowed: true })
    expect(await change({ apis: [] })).toEqual({ scope: '', narrowed: true })
  })
})

test('a deleted API is gone from clients, and one of the same name inherits nothing', async () => {
  await make()
  const client = await makeService({ apis: [files] })
  const row = {
    accountId: newId(),
    clientId: client.id,
    resources: JSON.stringify({ [files]: 'files:read', other: 'x' }),
  }
  await db.insertInto('consents').values(row).execute()
  await db
    .insertInto('grants')
    .values({ ...row, id: newId(), createdAt: new Date(), expiresAt: new Date(Date.now() + 1000) })
    .execute()
  await deleteApi(db, files, by)
  await make()
  expect((await findStoredClient(db, client.id))?.apis).toEqual([])
  for (const table of ['consents', 'grants'] as const) {
    const { resources } = await db.selectFrom(table).select('resources').executeTakeFirstOrThrow()
    expect(resources).toEqual({ other: 'x' })
  }
})
