/** oidcc-config-certification-test-plan: discovery as OpenID Connect Discovery 1.0 §3 and RFC 8414 want it. */
import { expect, test } from 'vitest'
import { startProvider } from './support.ts'

const { origin, metadata } = await startProvider()
const url = `${origin}/.well-known/openid-configuration`

test('oidcc-discovery-endpoint-verification: JSON, under the address that the issuer gives', async () => {
  const answer = await fetch(url)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining('application/json'),
  ])
  expect(metadata.issuer).toBe(origin)
  expect(String(metadata.issuer)).not.toMatch(/[?#]|\/$/)
})

test('oidcc-discovery-endpoint-verification: every endpoint is https, and those that must be there are', async () => {
  const endpoints = Object.entries(metadata).filter(([name]) => /_endpoint$|_uri$/.test(name))
  for (const [name, value] of endpoints) {
    expect([name, new URL(String(value)).protocol]).toEqual([name, 'https:'])
  }
  expect(endpoints.map(([name]) => name)).toEqual(
    expect.arrayContaining([
      ...['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri'],
      ...['end_session_endpoint', 'introspection_endpoint', 'revocation_endpoint'],
    ]),
  )
})

test.each<[string, string[]]>([
  ['response_types_supported', ['code']],
  ['grant_types_supported', ['authorization_code', 'refresh_token']],
  ['subject_types_supported', ['public', 'pairwise']],
  ['id_token_signing_alg_values_supported', ['RS256', 'ES256', 'EdDSA']],
  ['userinfo_signing_alg_values_supported', ['RS256']],
  ['request_object_signing_alg_values_supported', ['RS256', 'ES256']],
  ['scopes_supported', ['openid', 'profile', 'email', 'address', 'phone', 'offline_access']],
  ['code_challenge_methods_supported', ['S256']],
  [
    'claims_supported',
    ['sub', 'name', 'preferred_username', 'email', 'email_verified', 'address', 'phone_number'],
  ],
  ['response_modes_supported', ['query', 'form_post']],
  ['token_endpoint_auth_methods_supported', ['client_secret_basic', 'client_secret_post']],
])('oidcc-discovery-endpoint-verification: %s', (name, values) => {
  expect(metadata[name]).toEqual(expect.arrayContaining(values))
  for (const scope of metadata.scopes_supported)
    expect(scope).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
})

test('oidcc-discovery-endpoint-verification: nothing is promised that the plans left out would need', () => {
  expect(metadata.response_types_supported).toEqual(['code'])
  expect(metadata.request_uri_parameter_supported).toBe(false)
  expect(metadata).not.toHaveProperty('registration_endpoint')
})

test('oidcc-discovery-endpoint-verification: languages are tags of BCP 47 in their own spelling', () => {
  const locales = [
    metadata.ui_locales_supported ?? [],
    metadata.claims_locales_supported ?? [],
  ].flat()
  expect(Intl.getCanonicalLocales(locales as string[])).toEqual([...new Set(locales)])
})

test('oidcc-discovery-endpoint-verification: the key set has public keys alone, each with an id of its own', async () => {
  const answer = await fetch(String(metadata.jwks_uri))
  expect(answer.status).toBe(200)
  const { keys } = (await answer.json()) as { keys: Record<string, string>[] }
  expect(new Set(keys.map(({ kid }) => kid)).size).toBe(keys.length)
  for (const key of keys) {
    expect(['RSA', 'EC', 'OKP']).toContain(key.kty)
    expect(key.use).toBe('sig')
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'])
      expect(key).not.toHaveProperty(secret)
  }
  expect(keys.map(({ alg }) => alg)).toEqual(expect.arrayContaining(['RS256', 'ES256', 'EdDSA']))
})

test('the same document stands where RFC 8414 looks for it', async () => {
  const answer = await fetch(`${origin}/.well-known/oauth-authorization-server`)
  expect(await answer.json()).toEqual(metadata)
})
