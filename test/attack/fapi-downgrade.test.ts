/**
 * Ways around FAPI 2.0 for an app that is held to it: other grants, and what an admin allows beside its registration. None
 * of them goes, whichever came first, the profile or the grant.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { createIdp } from '../cli/support.ts'
import { createKey, createProver } from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const idp = createIdp(server.database.url, { ISSUER: origin })
const key = await createKey()
const prover = await createProver()
const api = 'https://api.example.com'
const grant = 'urn:ietf:params:oauth:grant-type:'
const jwks = JSON.stringify({ keys: [key.publicJwk] })
const profile = ['--profile', 'fapi2', '--jwks-file', '-']
let bank: App
let shop: App

beforeAll(async () => {
  await createApi(db, { identifier: api, scopes: ['read'] }, { actor: { kind: 'operator' } })
  const settings = {
    preset: 'web',
    refreshRotation: false,
    idTokenAlg: 'ES256',
    introspectionAlg: 'ES256',
    authorizationAlg: 'ES256',
  }
  bank = await createApp(
    server,
    { ...settings, profile: 'fapi2', requirePar: true, dpopBound: true, apis: [api] },
    { key, prover },
  )
  shop = await createApp(server, { ...settings, apis: [api] }, { key, prover })
})

const issuerFlags = ['--jwks-file', '-', '--scope', 'read', '--client']

describe('nobody is made with both', () => {
  test.each(['device_code', 'ciba'])('the grant %s and the profile', async (type) => {
    const uri = ['--redirect-uri', 'https://b.example.com/cb', '--preset', 'web']
    const both = ['--grant-type', 'authorization_code', '--grant-type', type, ...profile]
    const made = await idp(['clients', 'create', `Both ${type}`, ...uri, ...both], { stdin: jwks })
    expect([made.code, made.stdout]).toEqual([5, ''])
    expect(made.stderr).toContain('another client for devices')
  })

  test('what is a device or a till does not get the profile later', async () => {
    for (const preset of ['device', 'ciba']) {
      const { id } = await createApp(server, { preset })
      const { code, stderr } = await idp(['clients', 'update', id, ...profile], { stdin: jwks })
      expect([code, stderr.includes('which the profile fapi2 does not allow')]).toEqual([5, true])
    }
  })

  test('nor does an admin let it exchange tokens or bring assertions', async () => {
    const allowed = await idp(['exchanges', 'allow', bank.id, '--audience', api])
    expect([allowed.code, allowed.stderr.includes('knows no grants but its own')]).toEqual([
      5,
      true,
    ])
    expect((await idp(['exchanges', 'list', '--json'])).stdout).not.toContain(bank.id)
    const trusted = await idp(
      ['issuers', 'create', 'https://a.example.net', ...issuerFlags, bank.id],
      { stdin: jwks },
    )
    expect([trusted.code, trusted.stderr.includes('--no-profile')]).toEqual([5, true])
    expect((await idp(['issuers', 'list', '--json'])).stdout).not.toContain('a.example.net')
  })
})

test('what was allowed before the profile came is refused from then on', async () => {
  const allowed = await idp(['exchanges', 'allow', shop.id, '--audience', api])
  expect(allowed.code, allowed.stderr).toBe(0)
  const issuer = 'https://b.example.net'
  const trusted = await idp(['issuers', 'create', issuer, ...issuerFlags, shop.id], { stdin: jwks })
  expect(trusted.code, trusted.stderr).toBe(0)
  await new Promise((resolve) => setTimeout(resolve, 1300))
  const person = await createPerson(server)
  const { answer } = await authorize(createBrowser(server), shop, person)
  const exchange = () =>
    shop.post('token', {
      grant_type: `${grant}token-exchange`,
      subject_token: answer.body.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    })
  const bring = () => shop.post('token', { grant_type: `${grant}jwt-bearer`, assertion: 'x.y.z' })
  expect((await exchange()).status).toBe(200)
  expect((await bring()).body.error).toBe('invalid_grant')

  const held = await idp(['clients', 'update', shop.id, '--profile', 'fapi2'])
  expect(held.code, held.stderr).toBe(0)
  await new Promise((resolve) => setTimeout(resolve, 1300))
  expect((await exchange()).body.error).toBe('unauthorized_client')
  expect((await bring()).body.error).toBe('unauthorized_client')
})

test('the other endpoints have nothing for it', async () => {
  const person = await createPerson(server)
  const scope = 'openid'
  expect((await bank.post('device', { scope })).body.error).toBe('unauthorized_client')
  const question = await bank.post('bc-authorize', { scope, login_hint: person.username })
  expect(question.body.error).toBe('unauthorized_client')
  const { username, password } = person
  const challenge = await bank.post('authorize-challenge', {
    ...Object.fromEntries(bank.begin().parameters),
    redirect_uri: undefined,
    username,
    password,
  })
  expect([challenge.status, challenge.body.error]).toEqual([400, 'unauthorized_client'])
})
