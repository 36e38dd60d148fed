import { describe, expect, test } from 'vitest'
import { type ClientMetadata, checkMetadata } from '../../src/clients/metadata.ts'
import type { ClientPolicy, PolicyChange } from '../../src/clients/policy.ts'
import { withProfile } from '../../src/clients/profiles.ts'
import { applySettings, type ProtocolSettings } from '../../src/clients/protocol-settings.ts'
import { makeAuthority, makeCertificate } from '../support/certificates.ts'

const good: ClientMetadata = {
  client_name: 'App',
  application_type: 'web',
  redirect_uris: ['https://app.example.org/callback'],
  post_logout_redirect_uris: [],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'client_secret_basic',
  scope: 'openid offline_access',
}
const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }
const jwks = { keys: [key] }
const signing = { token_endpoint_auth_method: 'private_key_jwt', jwks }
const authority = makeAuthority()
const leaf = makeCertificate({ subject: [['CN', 'app']], issuer: authority })
const byCertificate = { token_endpoint_auth_method: 'tls_client_auth' }
const vouched = { certificateAuthorities: authority.cert }

const problems = (change: Partial<ClientMetadata>, policy: Partial<ClientPolicy> = {}) =>
  checkMetadata({ ...good, ...change }, { pkceRequired: true, ...policy }).map(
    ({ field, code }) => `${field} ${code}`,
  )

describe('keys and algorithms', () => {
  test.each<[string, Partial<ClientMetadata>, string[]]>([
    ['each of our algorithms', { id_token_signed_response_alg: 'EdDSA' }, []],
    ['one of theirs', { ...signing, token_endpoint_auth_signing_alg: 'PS256' }, []],
    [
      'one of theirs for ours',
      { userinfo_signed_response_alg: 'PS256' },
      ['userinfo_signed_response_alg algorithm_unknown'],
    ],
    [
      'a shared secret',
      { introspection_signed_response_alg: 'HS256' },
      ['introspection_signed_response_alg algorithm_unknown'],
    ],
    [
      'none',
      { ...signing, request_object_signing_alg: 'none' },
      ['request_object_signing_alg algorithm_unknown'],
    ],
    [
      'one for assertions that are never made',
      { token_endpoint_auth_signing_alg: 'ES256' },
      ['token_endpoint_auth_signing_alg algorithm_unused'],
    ],
    [
      'signed requests without keys',
      { require_signed_request_object: true },
      ['jwks jwks_missing'],
    ],
    [
      'an algorithm for requests without keys',
      { request_object_signing_alg: 'ES256' },
      ['jwks jwks_missing'],
    ],
    [
      'assertions without keys, told once',
      { token_endpoint_auth_method: 'private_key_jwt', require_signed_request_object: true },
      ['jwks jwks_missing'],
    ],
    [
      'a short RSA key',
      {
        jwks: { keys: [{ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(128, 1).toString('base64url') }] },
      },
      ['jwks jwks_weak'],
    ],
  ])('%s', (_, change, expected) => expect(problems(change)).toEqual(expected))
})

describe('requests and answers', () => {
  const service: Partial<ClientMetadata> = {
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
  }
  test.each<[string, Partial<ClientMetadata>, string[]]>([
    ['modes that exist', { response_modes: ['jwt', 'form_post'] }, []],
    [
      'one that does not',
      { response_modes: ['web_message'] },
      ['response_modes response_mode_unknown'],
    ],
    ['no mode at all', { response_modes: [] }, ['response_modes response_mode_missing']],
  ])('%s', (_, change, expected) => expect(problems(change)).toEqual(expected))

  test('a client that nobody signs in to makes no requests', () => {
    const { scope: _, ...rest } = good
    const codes = (change: Partial<ClientMetadata>) =>
      checkMetadata({ ...rest, ...service, ...change }, { pkceRequired: true }).map(
        ({ code }) => code,
      )
    expect(codes({})).toEqual([])
    expect(codes({ require_pushed_authorization_requests: true })).toEqual(['request_unused'])
    expect(codes({ subject_type: 'pairwise' })).toEqual(['subject_type_unused'])
  })
})

describe('where an app begins a sign-in for others', () => {
  test.each<[string, string, string[]]>([
    ['https', 'https://app.example.org/login?tenant=1', []],
    ['http', 'http://app.example.org/login', ['initiate_login_uri uri_insecure']],
    ['http on this machine', 'http://localhost/login', ['initiate_login_uri uri_insecure']],
    ['a script', 'javascript:alert(1)', ['initiate_login_uri uri_scheme']],
    ['a fragment', 'https://app.example.org/#login', ['initiate_login_uri uri_fragment']],
  ])('%s', (_, uri, expected) => expect(problems({ initiate_login_uri: uri })).toEqual(expected))
})

describe('bound tokens', () => {
  test('to a key or to a certificate, never to both', () => {
    const both = {
      dpop_bound_access_tokens: true,
      tls_client_certificate_bound_access_tokens: true,
    }
    expect(problems(both)).toEqual(['dpop_bound_access_tokens bound_twice'])
  })

  test('a public client rotates its refresh tokens unless they are bound', () => {
    const open = { token_endpoint_auth_method: 'none' }
    const still = { refreshRotation: false }
    expect(problems(open, still)).toEqual(['refresh_rotation rotation_needed'])
    expect(problems({ ...open, dpop_bound_access_tokens: true }, still)).toEqual([])
    expect(problems({ ...open, tls_client_certificate_bound_access_tokens: true }, still)).toEqual(
      [],
    )
    expect(problems({}, still)).toEqual([])
  })
})

describe('certificates', () => {
  test.each<[string, Partial<ClientMetadata>, Partial<ClientPolicy>, string[]]>([
    [
      'a name and who vouches for it',
      { ...byCertificate, tls_client_auth_subject_dn: 'CN=app' },
      vouched,
      [],
    ],
    ['no name', byCertificate, vouched, ['tls_client_auth_subject_dn certificate_subject']],
    [
      'two names',
      {
        ...byCertificate,
        tls_client_auth_subject_dn: 'CN=app',
        tls_client_auth_san_dns: 'app.example',
      },
      vouched,
      ['tls_client_auth_subject_dn certificate_subject'],
    ],
    [
      'a name that is none',
      { ...byCertificate, tls_client_auth_san_dns: '*.example' },
      vouched,
      ['tls_client_auth_san_dns certificate_subject'],
    ],
    [
      'nobody who vouches',
      { ...byCertificate, tls_client_auth_subject_dn: 'CN=app' },
      {},
      ['certificate_authorities authorities_missing'],
    ],
    [
      'somebody who is no authority',
      { ...byCertificate, tls_client_auth_subject_dn: 'CN=app' },
      { certificateAuthorities: leaf.cert },
      ['certificate_authorities authorities_malformed'],
    ],
    [
      'a name that is never asked for',
      { tls_client_auth_subject_dn: 'CN=app' },
      {},
      ['tls_client_auth_subject_dn certificate_unused'],
    ],
    [
      'authorities that are never asked',
      {},
      vouched,
      ['certificate_authorities certificate_unused'],
    ],
    [
      'a self-signed one that is not there',
      { token_endpoint_auth_method: 'self_signed_tls_client_auth', jwks },
      {},
      ['jwks certificate_missing'],
    ],
    [
      'a self-signed one',
      {
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks: { keys: [{ ...key, x5c: ['MII'] }] },
      },
      {},
      [],
    ],
    [
      'a self-signed one that is published',
      {
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks_uri: 'https://app.example.org/jwks',
      },
      {},
      [],
    ],
  ])('%s', (_, change, policy, expected) => expect(problems(change, policy)).toEqual(expected))
})

test('a sector is for clients that have names of their own, under https', () => {
  const sector = 'https://app.example.org/sector.json'
  expect(problems({ sector_identifier_uri: sector })).toEqual([
    'sector_identifier_uri sector_unused',
  ])
  expect(problems({ subject_type: 'pairwise', sector_identifier_uri: sector })).toEqual([])
  expect(
    problems({ subject_type: 'pairwise', sector_identifier_uri: 'http://app.example.org' }),
  ).toEqual(['sector_identifier_uri uri_insecure'])
  expect(problems({ subject_type: 'made-up' as 'public' })).toEqual([
    'subject_type subject_type_unknown',
  ])
})

type Given = ProtocolSettings & PolicyChange & { authMethod?: string }

describe('profiles', () => {
  const settings = (profile: 'fapi2' | 'fapi2-message-signing', given = {}, before = {}) =>
    withProfile({ profile, ...given }, before)

  test.each(['fapi2', 'fapi2-message-signing'] as const)(
    '%s puts in place what it demands',
    (profile) => {
      const { authMethod, refreshRotation, ...rest } = withProfile<Given>({ profile })
      const metadata = applySettings(
        { ...good, jwks, token_endpoint_auth_method: authMethod ?? '' },
        rest,
      )
      expect(
        checkMetadata(metadata, { pkceRequired: true, profile, refreshRotation: false }),
      ).toEqual([])
      expect(refreshRotation).toBe(false)
      expect(checkMetadata(good, { pkceRequired: false, profile }).length).toBeGreaterThan(5)
    },
  )

  test('what the admin says stands, so that it is judged', () => {
    expect(
      settings('fapi2', { authMethod: 'client_secret_basic', dpopBound: false }),
    ).toMatchObject({
      authMethod: 'client_secret_basic',
      dpopBound: false,
    })
  })

  test('a strong algorithm that is there stays, a weak one goes', () => {
    const before = {
      id_token_signed_response_alg: 'EdDSA',
      introspection_signed_response_alg: 'RS256',
    }
    expect(settings('fapi2', {}, before)).toMatchObject({
      idTokenAlg: 'EdDSA',
      introspectionAlg: 'ES256',
    })
  })

  test('a certificate that binds tokens takes the place of a key', () => {
    expect(settings('fapi2', { certificateBound: true })).toMatchObject({ dpopBound: false })
    const before = { tls_client_certificate_bound_access_tokens: true }
    expect(settings('fapi2', {}, before)).toMatchObject({ dpopBound: false })
  })

  test('a service pushes and signs no requests', () => {
    const before = { grant_types: ['client_credentials'] }
    const given = settings('fapi2-message-signing', {}, before)
    expect(given).toMatchObject({ requirePar: false })
    expect(given).not.toHaveProperty('requireRequestObject')
  })
})

test('a setting that is taken away leaves nothing behind', () => {
  const metadata = applySettings(good, { requirePar: true, userinfoAlg: 'ES256', dpopBound: true })
  expect(metadata).toMatchObject({
    require_pushed_authorization_requests: true,
    userinfo_signed_response_alg: 'ES256',
  })
  expect(
    applySettings(metadata, { requirePar: false, userinfoAlg: null, dpopBound: false }),
  ).toEqual(good)
  expect(applySettings(metadata, {})).toEqual(metadata)
})
