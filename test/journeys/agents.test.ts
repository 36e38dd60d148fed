/**
 * Agents that know an MCP server's address and nothing else: turned away with 401, they find its metadata, then ours, become a
 * client in one of the two ways, send a person to sign in, and come back with a token that this server takes and no other.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oauth from 'openid-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { addMetadataHost } from '../../src/clients/metadata-hosts.ts'
import { createDocumentHost, redirectPath } from '../support/document-host.ts'
import { createBrowser, createPerson, walk } from '../support/person.ts'
import { makeToken } from '../support/registration.ts'
import { startTestServer } from '../support/server.ts'

const agents = await createDocumentHost()
const server = await startTestServer({ env: { ALLOW_PRIVATE_TARGETS: agents.host } })
const { origin, database } = server
const operator = { actor: { kind: 'operator' as const } }
const person = await createPerson(server)
const keys = createRemoteJWKSet(new URL(`${origin}/oauth2/jwks`))
const scope = 'notes:read'

/** An MCP server that points to our copy of its metadata, and verifies what it is shown. */
async function playServer(offered: string): Promise<string> {
  const player = createServer(async (request, response) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: origin,
        audience: url,
        typ: 'at+jwt',
      })
      response.writeHead(200).end(JSON.stringify({ sub: payload.sub, scope: payload.scope }))
    } catch {
      const at = `${origin}/.well-known/oauth-protected-resource?resource=${encodeURIComponent(url)}`
      response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${at}"` }).end()
    }
  })
  await new Promise<void>((resolve) => player.listen(0, '127.0.0.1', resolve))
  afterAll(() => void player.close())
  const url = `http://127.0.0.1:${(player.address() as AddressInfo).port}/mcp`
  await createApi(database.db, { identifier: url, scopes: [offered] }, operator)
  return url
}

const [notes, others] = [await playServer(scope), await playServer('others:read')]
beforeAll(async () => {
  const scopes = ['openid', 'offline_access', scope]
  expect(
    (await addMetadataHost(database.db, { host: agents.host, scopes, apis: [] }, operator)).ok,
  ).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 1500))
})

/** From the address of the MCP server to that of the authorization server. */
async function findIssuer(url: string): Promise<{ issuer: string; resource: string }> {
  const turnedAway = await fetch(url, { method: 'POST' })
  expect(turnedAway.status).toBe(401)
  const [, at = ''] =
    /resource_metadata="([^"]+)"/.exec(turnedAway.headers.get('www-authenticate') ?? '') ?? []
  const found = (await (await fetch(at)).json()) as {
    resource: string
    authorization_servers: string[]
    scopes_supported: string[]
  }
  expect(found).toMatchObject({ resource: url, scopes_supported: [scope] })
  return { issuer: found.authorization_servers[0] ?? '', resource: found.resource }
}

/** RFC 8414, as a library reads it. */
const options = { algorithm: 'oauth2' as const, execute: [oauth.allowInsecureRequests] }

/** With PKCE, state and `resource`, through the person's browser, to the token. */
async function signIn(config: oauth.Configuration, redirectUri: string, resource: string) {
  const [verifier, state] = [oauth.randomPKCECodeVerifier(), oauth.randomState()]
  const begun = oauth.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope,
    resource,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const page = await walk(createBrowser(server), { url: begun.href }, person)
  const checks = { pkceCodeVerifier: verifier, expectedState: state }
  return oauth.authorizationCodeGrant(config, new URL(page.url), checks, { resource })
}

async function use(token: string, at: string): Promise<{ status: number; body: string }> {
  const response = await fetch(at, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  return { status: response.status, body: await response.text() }
}

test('an agent that is what its document says', async () => {
  const { issuer, resource } = await findIssuer(notes)
  const id = agents.publish('/agent.json')
  const config = await oauth.discovery(new URL(issuer), id, undefined, oauth.None(), options)
  expect(config.serverMetadata().client_id_metadata_document_supported).toBe(true)
  const { access_token: token } = await signIn(
    config,
    `https://${agents.host}${redirectPath}`,
    resource,
  )
  expect(await use(token, notes)).toEqual({
    status: 200,
    body: JSON.stringify({ sub: person.id, scope }),
  })
  expect((await use(token, others)).status).toBe(401)
})

test('an agent that registers itself with the token it was given', async () => {
  const { issuer, resource } = await findIssuer(notes)
  const initialAccessToken = await makeToken(server, {
    uses: 1,
    scopes: [scope],
    redirectHosts: ['127.0.0.1'],
  })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const redirectUri = 'http://127.0.0.1:51004/callback'
  const metadata = {
    client_name: 'Agent',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
  }
  const config = await oauth.dynamicClientRegistration(new URL(issuer), metadata, oauth.None(), {
    ...options,
    initialAccessToken,
  })
  const { access_token: token } = await signIn(config, redirectUri, resource)
  expect((await use(token, notes)).status).toBe(200)
  expect((await use(token, others)).status).toBe(401)
  await expect(
    oauth.dynamicClientRegistration(new URL(issuer), metadata, oauth.None(), {
      ...options,
      initialAccessToken,
    }),
  ).rejects.toThrow()
})

test('neither may go beyond what it was let in for', async () => {
  const id = agents.publish('/curious.json')
  const config = await oauth.discovery(new URL(origin), id, undefined, oauth.None(), options)
  await expect(
    signIn(config, `https://${agents.host}${redirectPath}`, others),
  ).rejects.toMatchObject({
    error: 'invalid_target',
  })
})
