/** What an app keeps about its people: written by its own token, read as a claim, and nobody else's. */
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { writeServiceSettings } from '../../src/accounts/service-settings.ts'
import { auditOf } from '../support/audit.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const scope = 'openid service_settings service-settings offline_access'
const grantTypes = ['authorization_code', 'refresh_token', 'client_credentials']
const cloud = await createApp(server, { scope, grantTypes })
const wiki = await createApp(server, { scope, grantTypes })
const ada = await createPerson(server)

async function call(
  app: App,
  method: string,
  sub: string,
  { json, etag }: { json?: unknown; etag?: string } = {},
) {
  const asked = { grant_type: 'client_credentials', resource: `${origin}/api` }
  const { body } = await app.post('token', { ...asked, scope: 'service-settings' })
  const answer = await fetch(`${origin}/api/service-settings/${sub}`, {
    method,
    headers: {
      authorization: `Bearer ${body.access_token}`,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(etag ? { 'if-match': etag } : {}),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  })
  const text = await answer.text()
  return {
    status: answer.status,
    etag: answer.headers.get('etag') ?? '',
    body: text === '' ? undefined : JSON.parse(text),
  }
}

test('the app writes them, and reads them as a claim from the next token on', async () => {
  const browser = createBrowser(server)
  const { answer } = await authorize(browser, cloud, ada, {
    scope: 'openid service_settings offline_access',
  })
  expect(decodeJwt(answer.body.id_token ?? '')).not.toHaveProperty('service_settings')
  const quota = { quota: 5000, theme: 'dark', folders: ['a'] }
  expect(await call(cloud, 'PUT', ada.id, { json: quota })).toMatchObject({
    status: 200,
    body: quota,
  })
  const next = await cloud.refresh(answer.body.refresh_token)
  expect(decodeJwt(next.body.id_token ?? '').service_settings).toEqual(quota)
  expect((await cloud.userinfo(next.body.access_token)).body.service_settings).toEqual(quota)
  expect((await auditOf(db, 'service_settings.changed', cloud.id))[0]).toMatchObject({
    actorKind: 'client',
    accountId: ada.id,
    detail: { members: ['quota', 'theme', 'folders'] },
  })
})

test('another app neither reads nor changes them', async () => {
  expect(await call(wiki, 'GET', ada.id)).toMatchObject({ status: 200, body: {} })
  await call(wiki, 'PUT', ada.id, { json: { quota: 1 } })
  expect((await call(cloud, 'GET', ada.id)).body).toMatchObject({ quota: 5000 })
  const { answer } = await authorize(createBrowser(server), wiki, ada, {
    scope: 'openid service_settings',
  })
  expect(decodeJwt(answer.body.id_token ?? '').service_settings).toEqual({ quota: 1 })
})

test('two who write at once lose nothing when they name what they have read', async () => {
  const { etag } = await call(cloud, 'GET', ada.id)
  const writes = await Promise.all(
    ['red', 'blue'].map((theme) => call(cloud, 'PUT', ada.id, { json: { theme }, etag })),
  )
  expect(writes.map(({ status }) => status).toSorted()).toEqual([200, 412])
  const fresh = await call(cloud, 'GET', ada.id)
  expect((await call(cloud, 'DELETE', ada.id, { etag })).status).toBe(412)
  expect((await call(cloud, 'DELETE', ada.id, { etag: fresh.etag })).status).toBe(204)
  expect((await call(cloud, 'GET', ada.id)).body).toEqual({})
})

test.each([[[]], ['text'], [7], [{ large: 'x'.repeat(4096) }], [nested(12)]])(
  'what is no small object is refused',
  async (json) => {
    expect((await call(cloud, 'PUT', ada.id, { json })).status).toBe(400)
    expect((await call(cloud, 'GET', ada.id)).body).toEqual({})
  },
)

function nested(depth: number): object {
  return depth === 0 ? {} : { inner: nested(depth - 1) }
}

test('by pairwise subjects the app reaches those whom it has met, and nobody by another name', async () => {
  const apart = await createApp(server, { scope, grantTypes, subjectType: 'pairwise' })
  const { answer } = await authorize(createBrowser(server), apart, ada, {
    scope: 'openid service_settings offline_access',
  })
  const sub = String(decodeJwt(answer.body.id_token ?? '').sub)
  expect(sub).not.toBe(ada.id)
  expect((await call(apart, 'PUT', sub, { json: { quota: 3 } })).status).toBe(200)
  const next = await apart.refresh(answer.body.refresh_token)
  expect(decodeJwt(next.body.id_token ?? '').service_settings).toEqual({ quota: 3 })
  expect((await call(apart, 'GET', ada.id)).status).toBe(404)
  expect((await call(cloud, 'GET', sub)).status).toBe(404)
})

test('whoever is not here, or switched off, has none', async () => {
  const joe = await createPerson(server)
  await disableAccount(db, joe.id, 'test', { kind: 'operator' })
  for (const sub of [joe.id, '00000000-0000-4000-8000-000000000000', 'nobody'])
    expect((await call(cloud, 'PUT', sub, { json: {} })).status).toBe(404)
})

test('a token without the scope is refused', async () => {
  const plain = await createApp(server, { preset: 'service', scope: 'access:evaluate' })
  const asked = { grant_type: 'client_credentials', resource: `${origin}/api` }
  const { body } = await plain.post('token', asked)
  const answer = await fetch(`${origin}/api/service-settings/${ada.id}`, {
    headers: { authorization: `Bearer ${body.access_token}` },
  })
  expect(answer.status).toBe(403)
})

test('they go with the account, and with the app', async () => {
  const joe = await createPerson(server)
  const by = { actor: { kind: 'operator' } } as const
  await writeServiceSettings(db, { accountId: joe.id, clientId: wiki.id }, { a: 1 }, by)
  await db.deleteFrom('accounts').where('id', '=', joe.id).execute()
  const left = await db
    .selectFrom('serviceSettings')
    .select('clientId')
    .where('accountId', '=', joe.id)
    .execute()
  expect(left).toEqual([])
})
