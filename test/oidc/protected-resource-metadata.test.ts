/** Protected-resource metadata (RFC 9728): where it is, what it says, and that it says nothing of what is not there. */
import { beforeAll, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { deleteApi, updateApi } from '../../src/clients/change-api.ts'
import { ourAddress, ownAddress } from '../../src/clients/resource-metadata.ts'
import { createIdp } from '../cli/support.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const actor = { kind: 'operator' } as const
const api = 'https://api.example.com/v1?tenant=one'
const below = `${origin}/notes`
const wellKnown = `${origin}/.well-known/oauth-protected-resource`

beforeAll(async () => {
  await createApi(db, { identifier: api, name: 'Files', scopes: ['read', 'write'] }, { actor })
  const authorizationType = { name: 'note', schema: {} }
  await createApi(db, { identifier: below, scopes: [], authorizationType }, { actor })
})

async function load(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  return { response, body: isJson ? (JSON.parse(text) as Record<string, unknown>) : {} }
}

test('an API that lives elsewhere has a copy here, with what is known and nothing more', async () => {
  const { response, body } = await load(ourAddress(api, origin))
  expect(response.status).toBe(200)
  expect(body).toEqual({
    resource: api,
    resource_name: 'Files',
    authorization_servers: [origin],
    scopes_supported: ['read', 'write'],
    bearer_methods_supported: ['header'],
  })
})

test('an API below our address has its metadata where apps look first', async () => {
  const { body } = await load(`${wellKnown}/notes`)
  expect(body).toEqual({
    resource: below,
    authorization_servers: [origin],
    bearer_methods_supported: ['header'],
    authorization_details_types_supported: ['note'],
  })
  expect(ourAddress(below, origin)).toBe(`${wellKnown}/notes`)
})

test('userinfo says how it takes tokens and signs, and takes them so', async () => {
  const { body } = await load(`${wellKnown}/oauth2/userinfo`)
  const promised = (await load(`${origin}/.well-known/openid-configuration`)).body
  expect(body).toEqual({
    resource: promised.userinfo_endpoint,
    authorization_servers: [promised.issuer],
    jwks_uri: promised.jwks_uri,
    scopes_supported: (promised.scopes_supported as string[]).filter((s) => s !== 'offline_access'),
    bearer_methods_supported: ['header', 'body'],
    resource_signing_alg_values_supported: promised.userinfo_signing_alg_values_supported,
    dpop_signing_alg_values_supported: promised.dpop_signing_alg_values_supported,
  })
  const app = await createApp(server)
  const { answer } = await authorize(createBrowser(server), app, await createPerson(server))
  const token = String(answer.body.access_token)
  const address = String(body.resource)
  const inHeader = { headers: { authorization: `Bearer ${token}` } }
  expect((await fetch(address, inHeader)).status).toBe(200)
  const inBody = { method: 'POST', body: new URLSearchParams({ access_token: token }) }
  expect((await fetch(address, inBody)).status).toBe(200)
  expect((await fetch(`${address}?access_token=${token}`)).status).toBe(400)
})

test('whoever comes to userinfo without a good token is told where to read', async () => {
  for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
    const response = await fetch(`${origin}/oauth2/userinfo`, { headers })
    expect(response.headers.get('www-authenticate')).toContain(
      `resource_metadata="${wellKnown}/oauth2/userinfo"`,
    )
  }
})

test('it is kept for minutes, asked for again cheaply, and readable from any origin', async () => {
  const { response } = await load(ourAddress(api, origin))
  expect(response.headers.get('cache-control')).toBe('public, max-age=300')
  expect(response.headers.get('access-control-allow-origin')).toBe('*')
  const etag = String(response.headers.get('etag'))
  const again = await load(ourAddress(api, origin), { 'if-none-match': etag })
  expect(again.response.status).toBe(304)
  const head = await fetch(ourAddress(api, origin), { method: 'HEAD' })
  expect([head.status, head.headers.get('etag')]).toEqual([200, etag])
})

test.each([
  ['nothing named', ''],
  ['an API that does not exist', '?resource=https%3A%2F%2Fother.example.com'],
  ['two APIs', `?resource=${encodeURIComponent(api)}&resource=${encodeURIComponent(below)}`],
  ['a longer name than any', `?resource=https://a.example/${'a'.repeat(600)}`],
  ['an address below ours that is none', '/oauth2/token'],
  ['another spelling of userinfo', '/oauth2/userinfo/'],
])('%s is not found', async (_, more) => {
  expect((await load(`${wellKnown}${more}`)).response.status).toBe(404)
})

test('what changes about an API is there within two seconds, and what is deleted is not', async () => {
  const identifier = 'urn:example:changing'
  await createApi(db, { identifier, scopes: ['one'] }, { actor })
  const scopes = async () => (await load(ourAddress(identifier, origin))).body.scopes_supported
  const soon = { timeout: 2000, interval: 50 }
  await expect.poll(scopes, soon).toEqual(['one'])
  await updateApi(db, identifier, { addScopes: ['two'] }, { actor })
  await expect.poll(scopes, soon).toEqual(['one', 'two'])
  await deleteApi(db, identifier, { actor })
  await expect.poll(scopes, soon).toBeUndefined()
})

test('the address of its own is made as the specification says', () => {
  const at = '/.well-known/oauth-protected-resource'
  expect(ownAddress('https://api.example.com')).toBe(`https://api.example.com${at}`)
  expect(ownAddress('https://api.example.com/')).toBe(`https://api.example.com${at}`)
  expect(ownAddress(api)).toBe(`https://api.example.com${at}/v1?tenant=one`)
  expect(ownAddress('urn:example:files')).toBeUndefined()
})

test('`idp apis get --metadata` prints what is served, and where it belongs', async () => {
  const idp = createIdp(server.database.url, { ISSUER: origin })
  const { code, stdout, stderr } = await idp(['apis', 'get', api, '--metadata'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual((await load(ourAddress(api, origin))).body)
  expect(stderr).toContain(String(ownAddress(api)))
  expect(stderr).toContain(`resource_metadata="${ourAddress(api, origin)}"`)
})
