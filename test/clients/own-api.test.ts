/** Our own API: always there, following the issuer, and its scopes an app's by the word of an admin alone. */
import { describe, expect, test } from 'vitest'
import { createApi, findApi, listApis } from '../../src/clients/apis.ts'
import { deleteApi, updateApi } from '../../src/clients/change-api.ts'
import { type ClientInput, createClient } from '../../src/clients/create-client.ts'
import { ensureOwnApi } from '../../src/clients/ensure-own-api.ts'
import { allowExchange } from '../../src/clients/exchanges.ts'
import { createIssuer } from '../../src/clients/issuers.ts'
import { addMetadataHost } from '../../src/clients/metadata-hosts.ts'
import { ownScopes } from '../../src/clients/own-api.ts'
import { presets } from '../../src/clients/presets.ts'
import {
  createRegistrationToken,
  defaultRegistrationPolicy,
} from '../../src/clients/registration-tokens.ts'
import { findManaged, registerClient, replaceClient } from '../../src/clients/self-registration.ts'
import { updateClient } from '../../src/clients/update-client.ts'
import { createDatabase } from '../support/database.ts'

const { db } = await createDatabase()
const operator = { actor: { kind: 'operator' as const } }
const identifier = 'https://id.example.org/api'
const scopes = Object.keys(ownScopes)
const here = { issuer: 'https://id.example.org', brandName: 'Example', follow: true }
await ensureOwnApi(db, here)

let count = 0
async function client(input: Partial<ClientInput> = {}) {
  const name = `App ${++count}`
  const uris = input.preset === 'service' ? [] : ['https://app.example.com/cb']
  return createClient(db, { name, preset: 'generic', redirectUris: uris, ...input }, operator)
}
async function made(input: Partial<ClientInput> = {}) {
  const result = await client(input)
  if (!result.ok) throw new Error(JSON.stringify(result))
  return result.client
}
const codesOf = (result: unknown) =>
  ((result as { problems?: { code: string }[] }).problems ?? []).map(({ code }) => code)

describe('it is there', () => {
  test('once, with its scopes, however often it is seen to', async () => {
    await Promise.all(Array.from({ length: 5 }, () => ensureOwnApi(db, here)))
    expect(await listApis(db)).toMatchObject([
      { identifier, name: 'Example', scopes, builtIn: true },
    ])
  })

  test('and cannot be deleted, renamed or changed in its scopes; how long its tokens live can', async () => {
    expect(await deleteApi(db, identifier, operator)).toBeUndefined()
    const refused = [
      { scopes: ['account'] },
      { addScopes: ['more'] },
      { removeScopes: ['account'] },
      { name: 'Other' },
      { authorizationType: { name: 'payment', schema: { type: 'object' } } },
    ]
    for (const change of refused) {
      expect(codesOf(await updateApi(db, identifier, change, operator))).toContain('api_built_in')
    }
    expect(await updateApi(db, identifier, { tokenLifetimeSeconds: 300 }, operator)).toMatchObject({
      ok: true,
      api: { tokenLifetimeSeconds: 300, scopes },
    })
  })

  test('and nobody makes another at its place, or below it', async () => {
    for (const other of [identifier, `${identifier}/`, `${identifier}/account`]) {
      const result = await createApi(
        db,
        { identifier: other, scopes: [] },
        { ...operator, issuer: here.issuer },
      )
      expect(codesOf(result)).toEqual(['identifier_reserved'])
    }
  })

  test('at another issuer once a server says so, with the apps that it had; a command moves nothing', async () => {
    const app = await made({ scope: 'openid account' })
    const moved = { issuer: 'https://new.example.org', brandName: 'New', follow: true }
    await ensureOwnApi(db, { ...moved, follow: false })
    expect(await findApi(db, 'https://new.example.org/api')).toBeUndefined()

    // Somebody had an API of that address, with an app that may use all of it.
    await createApi(db, { identifier: 'https://new.example.org/api', scopes: ['x'] }, operator)
    const stranger = await made({ apis: ['https://new.example.org/api'] })
    await ensureOwnApi(db, moved)
    const [api, ...more] = (await listApis(db)).filter(({ builtIn }) => builtIn)
    expect(more).toEqual([])
    expect(api).toMatchObject({ identifier: 'https://new.example.org/api', name: 'New', scopes })
    const kept = await updateClient(db, app.id, {}, operator)
    expect(kept).toMatchObject({
      client: { apis: [{ identifier: 'https://new.example.org/api', scopes: ['account'] }] },
    })
    expect(await updateClient(db, stranger.id, {}, operator)).toMatchObject({
      client: { apis: [] },
    })
    await ensureOwnApi(db, here)
  })
})

describe('an admin allows its scopes', () => {
  test('by name, when an app is made or changed', async () => {
    const app = await made({ scope: 'openid account' })
    expect(app.apis).toMatchObject([{ identifier, scopes: ['account'], wholeApi: false }])
    const change = { scope: 'openid account admin:read' }
    expect(await updateClient(db, app.id, change, operator)).toMatchObject({
      client: { apis: [{ identifier, scopes: ['account', 'admin:read'] }] },
    })
  })

  test('never as a whole, which would grow by itself', async () => {
    expect(codesOf(await client({ scope: 'openid', apis: [identifier] }))).toEqual([
      'scopes_missing',
    ])
    expect(codesOf(await client({ apis: [identifier] }))).toEqual(['for_admins_to_allow'])
  })

  test('and where another API has a scope of that name, by saying which one is meant', async () => {
    const other = 'https://other.example.org'
    await createApi(db, { identifier: other, scopes: ['admin:read'] }, operator)
    expect(codesOf(await client({ scope: 'openid admin:read' }))).toEqual(['scope_ambiguous'])
    const app = await made({ scope: 'openid admin:read', apis: [other] })
    expect(app.apis).toMatchObject([{ identifier: other, scopes: ['admin:read'] }])
    await deleteApi(db, other, operator)
  })
})

describe('nobody else does', () => {
  test('no preset', () => {
    for (const preset of presets) {
      expect(
        preset.scopes.filter((scope) => scopes.includes(scope)),
        preset.name,
      ).toEqual([])
    }
  })

  test.each(scopes)('no registration token, host or trusted issuer: %s', async (scope) => {
    const policy = { ...defaultRegistrationPolicy, scopes: ['openid', scope] }
    const token = { name: `T ${scope}`, uses: null, lifetimeSeconds: 60, ...policy }
    expect(codesOf(await createRegistrationToken(db, token, operator))).toEqual([
      'for_admins_to_allow',
    ])
    const host = { host: 'agents.example.com', scopes: ['openid', scope], apis: [] }
    expect(codesOf(await addMetadataHost(db, host, operator))).toEqual(['for_admins_to_allow'])
    const issuer = {
      issuer: 'https://partner.example.com',
      jwksUri: 'https://partner.example.com/jwks',
      algorithms: ['ES256'],
      subject: 'account' as const,
      scopes: [scope],
      maxLifetimeSeconds: 60,
      clients: [await made()],
    }
    expect(codesOf(await createIssuer(db, issuer, operator))).toEqual(['scope_unknown'])
  })

  test('no registration token or host that names the API instead', async () => {
    const policy = { ...defaultRegistrationPolicy, apis: [identifier] }
    const token = { name: 'Whole', uses: null, lifetimeSeconds: 60, ...policy }
    expect(codesOf(await createRegistrationToken(db, token, operator))).toEqual([
      'for_admins_to_allow',
    ])
    const host = { host: 'agents.example.com', scopes: ['openid'], apis: [identifier] }
    expect(codesOf(await addMetadataHost(db, host, operator))).toEqual(['for_admins_to_allow'])
  })

  test('no token exchange', async () => {
    const service = await made({ preset: 'service', scope: 'admin:read' })
    const asked = { client: service, audience: identifier, mode: 'impersonation' as const }
    expect(codesOf(await allowExchange(db, asked, operator))).toEqual(['audience_built_in'])
  })

  test('no app that registers itself, also where a row in the database were to say so; what an admin gave it keeps', async () => {
    const given = await createRegistrationToken(
      db,
      { name: 'Agents', uses: null, lifetimeSeconds: 60, ...defaultRegistrationPolicy },
      operator,
    )
    if (!given.ok) throw new Error(JSON.stringify(given))
    await db
      .updateTable('registrationTokens')
      .set({ scopes: ['openid', 'account'], apis: [identifier] })
      .where('id', '=', given.registrationToken.id)
      .execute()
    const body = { redirect_uris: ['https://agent.example.com/cb'], client_name: 'Agent' }
    const wants = { ...body, scope: 'openid account' }
    expect(codesOf(await registerClient(db, given.token, wants, {}))).toContain('not_allowed')
    const silent = await registerClient(db, given.token, body, {})
    if (!silent.ok) throw new Error(JSON.stringify(silent))
    expect(silent.client.apis).toEqual([])

    const { client: app, managementToken: token } = silent
    const self = { id: app.id, token }
    expect(codesOf(await replaceClient(db, self, wants, {}))).toContain('not_allowed')
    await updateClient(db, app.id, { scope: 'openid account' }, operator)
    expect(await replaceClient(db, self, wants, {})).toMatchObject({ ok: true })
    const more = { ...body, scope: 'openid account admin:write' }
    expect(codesOf(await replaceClient(db, self, more, {}))).toContain('not_allowed')
    expect((await findManaged(db, app.id, token))?.apis).toMatchObject([{ scopes: ['account'] }])
  })
})
