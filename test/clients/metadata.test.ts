import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ClientMetadata, checkMetadata } from '../../src/clients/metadata.ts'
import { findRedirectUriFault } from '../../src/clients/rules/uris.ts'

const good: ClientMetadata = {
  client_name: 'Cloudreve',
  client_uri: 'https://cloud.example.org',
  application_type: 'web',
  redirect_uris: ['https://cloud.example.org/callback'],
  post_logout_redirect_uris: ['https://cloud.example.org/'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'client_secret_basic',
  scope: 'openid profile email groups offline_access',
}

const check = (change: Partial<ClientMetadata> = {}, pkceRequired = true) =>
  checkMetadata({ ...good, ...change }, { pkceRequired })
const codes = (change: Partial<ClientMetadata>, pkceRequired?: boolean) =>
  check(change, pkceRequired).map(({ field, code }) => `${field} ${code}`)

test('a client as it should be has no problem', () => {
  expect(check()).toEqual([])
})

describe('a redirect URI is refused at registration (RU)', () => {
  const web = [
    ['plain http (RU-09)', 'http://app.example.com/cb', 'uri_insecure'],
    [
      'http on a host that begins like this machine',
      'http://localhost.evil.com/cb',
      'uri_insecure',
    ],
    ['http on a private network', 'http://192.168.1.10:3000/cb', 'uri_insecure'],
    ['a fragment (RU-11)', 'https://app.example.com/cb#frag', 'uri_fragment'],
    ['an empty fragment', 'https://app.example.com/cb#', 'uri_fragment'],
    ['a wildcard in the host (RU-16, RU-17)', 'https://*.example.com/cb', 'uri_wildcard'],
    ['a wildcard in the path', 'https://app.example.com/*', 'uri_wildcard'],
    ['userinfo (RU-02)', 'https://app.example.com@evil.com/cb', 'uri_userinfo'],
    ['an empty user', 'https://@evil.com/cb', 'uri_userinfo'],
    ['a script (RU-18)', 'javascript:alert(1)//https://app.example.com/cb', 'uri_scheme'],
    ['a script in capitals', 'JavaScript:alert(1)', 'uri_scheme'],
    ['data (RU-18)', 'data:text/html,hello', 'uri_scheme'],
    ['a file', 'file:///etc/passwd', 'uri_scheme'],
    ['no scheme (RU-14)', '//evil.com/cb', 'uri_relative'],
    ['a path alone', '/cb', 'uri_relative'],
    ['no host', 'https:///cb', 'uri_relative'],
    ['no slashes', 'https:app.example.com/cb', 'uri_relative'],
    ['dots in the path (RU-04)', 'https://app.example.com/cb/../evil', 'uri_path'],
    ['encoded dots', 'https://app.example.com/cb/%2E%2e/evil', 'uri_path'],
    ['encoded slashes (RU-05)', 'https://app.example.com/cb/..%2f..%2fevil', 'uri_path'],
    ['an encoded line break (RU-15)', 'https://app.example.com/cb%0d%0aLocation:x', 'uri_path'],
    ['a space at its end (RU-15)', 'https://app.example.com/cb ', 'uri_characters'],
    ['a line break', 'https://app.example.com/cb\n', 'uri_characters'],
    ['a backslash', 'https://app.example.com\\@evil.com/cb', 'uri_characters'],
    ['letters outside ASCII', 'https://аpp.example.com/cb', 'uri_characters'],
    ['32 KB (RU-20)', `https://app.example.com/${'a'.repeat(32_768)}`, 'uri_too_long'],
    ['nothing', '', 'uri_empty'],
    ['a private scheme, for a web client', 'com.example.app:/callback', 'uri_scheme'],
  ]
  test.each(web)('%s', (_, uri, code) => {
    expect(codes({ redirect_uris: [uri ?? ''] })).toEqual([`redirect_uris ${code}`])
    expect(codes({ post_logout_redirect_uris: [uri ?? ''] })).toEqual([
      `post_logout_redirect_uris ${code}`,
    ])
  })

  const native = [
    ['a private scheme without a dot', 'myapp:/cb', 'uri_scheme'],
    ['a script', 'javascript:alert(1)', 'uri_scheme'],
    ['http elsewhere', 'http://app.example.com/cb', 'uri_insecure'],
    ['https on this machine', 'https://localhost/cb', 'uri_scheme'],
  ]
  test.each(native)('%s, for a native client', (_, uri, code) => {
    expect(codes({ application_type: 'native', redirect_uris: [uri ?? ''] })).toEqual([
      `redirect_uris ${code}`,
    ])
  })
})

test.each([
  ['web', 'https://app.example.com/cb?x=1'],
  ['web', 'https://app.example.com:8443/cb?next=%2Fhome'],
  ['web', 'https://xn--80ak6aa92e.com/cb'],
  ['web', 'http://localhost:3001/callback'],
  ['web', 'http://127.0.0.1:8080/'],
  ['web', 'http://[::1]:9/cb'],
  ['native', 'app.immich:///oauth-callback'],
  ['native', 'http://127.0.0.1/cb'],
  ['native', 'https://app.example.com/cb'],
] as const)('a %s client may register %s', (type, uri) => {
  expect(findRedirectUriFault(uri, type)).toBeUndefined()
})

test('no text makes the check throw, and what passes is safe to redirect to', () => {
  const pieces = fc.constantFrom(
    'https://',
    'http://',
    'a.example',
    'localhost',
    '/',
    '..',
    '@',
    '#',
    '*',
    '%2e',
    ':',
    '?',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((parts) => parts.join('')),
      ),
      (uri) => {
        if (findRedirectUriFault(uri, 'web')) return
        const { protocol, hash, username, hostname } = new URL(uri)
        expect([hash, username]).toEqual(['', ''])
        expect(
          protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname),
        ).toBe(true)
      },
    ),
    { numRuns: 2000 },
  )
})

test('500 redirect URIs are too many (TK-20)', () => {
  const many = Array.from({ length: 500 }, (_, n) => `https://app.example.com/${n}`)
  expect(codes({ redirect_uris: many })).toEqual(['redirect_uris too_many_uris'])
  expect(codes({ redirect_uris: many.slice(0, 50) })).toEqual([])
})

test('grant types that we do not serve are refused (TK-20)', () => {
  expect(codes({ grant_types: ['password'], response_types: [], scope: '' })).toContain(
    'grant_types grant_type_unknown',
  )
  expect(codes({ grant_types: ['authorization_code', 'implicit'], scope: 'openid' })).toEqual([
    'grant_types grant_type_unknown',
  ])
  expect(codes({ response_types: ['code', 'id_token'] })).toEqual([
    'response_types response_type_unknown',
  ])
})

test('texts and links that would reach the consent page are checked (OA-20)', () => {
  for (const link of ['javascript:alert(1)', 'data:image/png,x', 'http://evil.example/logo.png']) {
    expect(check({ logo_uri: link })).toHaveLength(1)
    expect(check({ policy_uri: link })).toHaveLength(1)
    expect(check({ client_uri: link })).toHaveLength(1)
  }
  const names = [
    '<b>Bank</b>',
    'Bank\u202Eknab',
    'Bank\u200B',
    'Ba\u0000nk',
    ' Bank',
    'a\nb',
    '',
    'x'.repeat(81),
  ]
  for (const client_name of names) {
    expect(check({ client_name }).map(({ field }) => field)).toEqual(['client_name'])
  }
  expect(check({ client_name: '云盘 & Co. “Plus”' })).toEqual([])
})

test('back-channel logout goes to https or to this machine, never to a fragment', () => {
  expect(check({ backchannel_logout_uri: 'https://app.example.org/logout?x=1' })).toEqual([])
  expect(check({ backchannel_logout_uri: 'http://127.0.0.1:3001/logout' })).toEqual([])
  for (const uri of [
    'http://app.example.org/logout',
    'https://app.example.org/#x',
    'ftp://app.example.org/',
  ]) {
    expect(check({ backchannel_logout_uri: uri }).map(({ field }) => field)).toEqual([
      'backchannel_logout_uri',
    ])
  }
})

test('a client without a secret cannot do without PKCE, nor act for itself', () => {
  expect(codes({ token_endpoint_auth_method: 'none' }, false)).toEqual(['pkce pkce_needed'])
  expect(codes({}, false)).toEqual([])
  expect(
    codes({
      token_endpoint_auth_method: 'none',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      scope: '',
    }),
  ).toEqual(['token_endpoint_auth_method auth_method_public'])
})

test('scopes fit the grants', () => {
  expect(codes({ grant_types: ['authorization_code'] })).toEqual(['grant_types grant_type_missing'])
  expect(codes({ scope: 'openid admin' })).toEqual(['scope scope_unknown'])
  expect(codes({ grant_types: ['refresh_token'], response_types: [], scope: '' })).toEqual([
    'grant_types grant_type_lonely',
  ])
  expect(
    codes({
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      scope: 'openid',
    }),
  ).toEqual(['scope scope_of_people'])
})

test('a key set is public, whole and needed where the client signs', () => {
  const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }
  const method = 'private_key_jwt'
  expect(codes({ token_endpoint_auth_method: method })).toEqual(['jwks jwks_missing'])
  expect(codes({ token_endpoint_auth_method: method, jwks: { keys: [key] } })).toEqual([])
  expect(
    codes({ token_endpoint_auth_method: method, jwks: { keys: [{ ...key, d: 'secret' }] } }),
  ).toEqual(['jwks jwks_private'])
  expect(codes({ jwks: { keys: [key] }, jwks_uri: 'https://app.example.org/jwks' })).toEqual([
    'jwks jwks_twice',
  ])
})

test('every problem is reported at once, with its fix', () => {
  const problems = check({
    client_name: '',
    redirect_uris: ['http://app.example.com/cb', 'https://app.example.com/#x'],
    grant_types: ['password'],
    token_endpoint_auth_method: 'client_secret_jwt',
    id_token_signed_response_alg: 'none',
  })
  expect(problems.length).toBeGreaterThanOrEqual(6)
  for (const { field, message, fix } of problems) {
    expect(field).toMatch(/^[a-z_]+$/)
    expect(`${field} ${message}`.length).toBeLessThan(250)
    expect(fix).toMatch(/\.$/)
  }
})
