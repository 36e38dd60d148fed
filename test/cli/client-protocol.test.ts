import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { createKey } from '../support/client-keys.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { url } = await createDatabase()
const idp = createIdp(url)
const directory = mkdtempSync(join(tmpdir(), 'idp-flags-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const keys = join(directory, 'keys.json')
writeFileSync(keys, JSON.stringify({ keys: [(await createKey()).publicJwk] }))
const ca = join(directory, 'ca.pem')
writeFileSync(ca, makeAuthority().cert)

type Json = Record<string, unknown>
let count = 0

async function json(argv: string[]): Promise<{ client: Json; changed?: string[] }> {
  const { code, stdout, stderr } = await idp([...argv, '--json'])
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

const create = (...flags: string[]) =>
  json([
    ...['clients', 'create', `App ${++count}`, '--preset', 'web'],
    ...['--redirect-uri', 'https://app.example.org/cb', ...flags],
  ])

/** What each flag sets, and what takes it away again. */
const flags: [set: string[], expected: Json, unset: string[]][] = [
  [['--auth-alg', 'PS256'], { token_endpoint_auth_signing_alg: 'PS256' }, ['--auth-alg', 'any']],
  [
    ['--initiate-login-uri', 'https://app.example.org/login'],
    { initiate_login_uri: 'https://app.example.org/login' },
    ['--no-initiate-login-uri'],
  ],
  [['--require-par'], { require_pushed_authorization_requests: true }, ['--no-require-par']],
  [
    ['--request-objects', 'required'],
    { require_signed_request_object: true },
    ['--request-objects', 'optional'],
  ],
  [
    ['--request-object-alg', 'EdDSA'],
    { request_object_signing_alg: 'EdDSA' },
    ['--request-object-alg', 'any'],
  ],
  [
    ['--response-mode', 'jwt', '--response-mode', 'form_post'],
    { response_modes: ['jwt', 'form_post'] },
    ['--no-response-mode'],
  ],
  [
    ['--userinfo-alg', 'ES256'],
    { userinfo_signed_response_alg: 'ES256' },
    ['--userinfo-alg', 'none'],
  ],
  [['--dpop', 'required'], { dpop_bound_access_tokens: true }, ['--dpop', 'optional']],
  [
    ['--certificate-bound'],
    { tls_client_certificate_bound_access_tokens: true },
    ['--no-certificate-bound'],
  ],
  [['--default-acr', '1fa'], { default_acr_values: ['1fa'] }, ['--no-default-acr']],
  [
    ['--first-party', '--authorization-challenge'],
    { first_party: true, authorization_challenge: true },
    ['--no-authorization-challenge', '--no-first-party'],
  ],
  [['--userinfo-acr', '2fa'], { userinfo_acr: '2fa' }, ['--userinfo-acr', 'any']],
  [['--userinfo-max-age', '1h'], { userinfo_max_age: 3600 }, ['--userinfo-max-age', 'default']],
  [['--subject', 'pairwise'], { subject_type: 'pairwise' }, ['--subject', 'public']],
  [
    ['--access-token-lifetime', '5m'],
    { access_token_lifetime: 300 },
    ['--access-token-lifetime', 'default'],
  ],
  [['--refresh-idle', '12h'], { refresh_idle: 43_200 }, ['--refresh-idle', 'default']],
  [['--refresh-total', '7d'], { refresh_total: 604_800 }, ['--refresh-total', 'default']],
  [['--refresh-rotation', 'off'], { refresh_rotation: 'off' }, ['--refresh-rotation', 'on']],
]

describe('each flag sets what it says, shows it, and is taken back', () => {
  test.each(flags)('%j', async (set, expected, unset) => {
    const plain = (await create('--auth-method', 'private_key_jwt', '--jwks-file', keys)).client
    const id = String(plain.client_id)
    const changed = await json(['clients', 'update', id, ...set])
    expect(changed.client).toEqual({ ...plain, ...expected })
    expect(changed.changed).toEqual(Object.keys(expected))
    const { stdout } = await idp(['clients', 'get', id])
    expect(stdout).not.toBe(
      (await idp(['clients', 'get', String((await create()).client.client_id)])).stdout,
    )
    expect((await json(['clients', 'update', id, ...unset])).client).toEqual(plain)
    const again = await json(['clients', 'update', id, ...unset])
    expect(again.changed).toEqual([])
  })
})

test.each([
  ['--id-token-alg', 'EdDSA', 'id_token_signed_response_alg'],
  ['--introspection-alg', 'ES256', 'introspection_signed_response_alg'],
  ['--authorization-alg', 'ES256', 'authorization_signed_response_alg'],
])('%s %s is stored and shown', async (flag, alg, member) => {
  const { client } = await create(flag, alg)
  expect(client[member]).toBe(alg)
  expect((await idp(['clients', 'get', String(client.client_id)])).stdout).toContain(alg)
})

test('an app with a certificate: the name, and who vouches for it', async () => {
  const { client } = await create(
    ...[
      '--auth-method',
      'tls_client_auth',
      '--tls-subject-dn',
      'CN=app,O=Example',
      '--tls-ca-file',
      ca,
    ],
  )
  expect(client).toMatchObject({ tls_client_auth_subject_dn: 'CN=app,O=Example' })
  expect(client).not.toHaveProperty('client_secret')
  const { stdout } = await idp(['clients', 'get', String(client.client_id)])
  expect(stdout).toContain('subject_dn CN=app,O=Example')
  expect(stdout).toContain('issued by CN=Test Authority')
})

test('an app that stops using a certificate leaves what it was known by behind', async () => {
  const { client } = await create(
    ...['--auth-method', 'tls_client_auth', '--tls-subject-dn', 'CN=app', '--tls-ca-file', ca],
  )
  const { code, stdout, stderr } = await idp([
    ...['clients', 'update', String(client.client_id)],
    ...['--auth-method', 'client_secret_basic', '--json'],
  ])
  expect(code, stderr).toBe(0)
  const changed = JSON.parse(stdout).client as Json
  expect(changed).not.toHaveProperty('tls_client_auth_subject_dn')
  expect(changed).not.toHaveProperty('certificate_authorities')
  expect(changed.client_secret).toMatch(/^[\w-]{43}$/)
})

test.each([
  [['--access-token-lifetime', 'soon'], '--access-token-lifetime cannot be “soon”'],
  [['--refresh-idle', '-1'], '--refresh-idle'],
  [['--dpop', 'maybe'], 'Allowed choices are required, optional'],
  [['--profile', 'fapi3'], 'Allowed choices are fapi2, fapi2-message-signing'],
  [['--tls-ca-file', join(directory, 'none.pem')], 'cannot be read'],
])('%j is wrong use (2)', async (wrong, words) => {
  const { code, stderr } = await idp([
    ...[
      'clients',
      'create',
      'Wrong',
      '--preset',
      'web',
      '--redirect-uri',
      'https://a.example/cb',
      ...wrong,
    ],
  ])
  expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
})

test('the app’s side is told what it has to do', async () => {
  const { stdout, stderr } = await idp([
    ...['clients', 'create', 'Told', '--preset', 'web', '--redirect-uri', 'https://a.example/cb'],
    ...['--profile', 'fapi2-message-signing', '--jwks-file', keys],
  ])
  expect(stdout).toContain('OIDC_CLIENT_SECRET=(none)')
  for (const words of ['/oauth2/par first', 'signs each request as a JWT', 'DPoP proof', 'alone']) {
    expect(stderr).toContain(words)
  }
})

test('a profile needs nothing but keys, and names every flag that stands against it', async () => {
  const { client } = await create('--profile', 'fapi2', '--jwks-file', keys)
  expect(client).toMatchObject({ profile: 'fapi2', token_endpoint_auth_method: 'private_key_jwt' })
  const { code, stderr } = await idp([
    ...[
      'clients',
      'create',
      'Against',
      '--preset',
      'web',
      '--redirect-uri',
      'https://a.example/cb',
    ],
    ...['--profile', 'fapi2', '--auth-method', 'client_secret_post', '--id-token-alg', 'RS256'],
  ])
  expect(code).toBe(5)
  for (const words of [
    '(--auth-method) is a secret',
    '(--id-token-alg) is RS256',
    'Use --id-token-alg ES256',
  ]) {
    expect(stderr).toContain(words)
  }
})

describe('an app that asks people elsewhere than in their browser', () => {
  const endpoint = 'https://till.example.org/ping'
  const device = 'urn:ietf:params:oauth:grant-type:device_code'
  const ciba = 'urn:openid:params:grant-type:ciba'

  test('a device needs nothing but its preset, and is told what to do', async () => {
    const { code, stdout, stderr } = await idp(['clients', 'create', 'TV', '--preset', 'device'])
    expect([code, stderr]).toEqual([0, expect.stringContaining('/device/qr.svg')])
    expect(stdout).toContain('by a code that people type elsewhere (device flow)')
    expect(stdout).toContain('/oauth2/device -d client_id=tv-')
    const { client } = await json(['clients', 'get', 'TV'])
    expect(client).toMatchObject({
      grant_types: [device, 'refresh_token'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'none',
    })
  })

  test('one that asks by the backchannel polls, is told, signs its requests, and polls again', async () => {
    const { client } = await json(['clients', 'create', 'Till', '--preset', 'ciba'])
    expect(client).toMatchObject({
      grant_types: [ciba, 'refresh_token'],
      backchannel_token_delivery_mode: 'poll',
    })
    const update = (...flags: string[]) => json(['clients', 'update', 'Till', ...flags])
    expect(
      (
        await update(
          ...['--backchannel-notification-endpoint', endpoint, '--jwks-file', keys],
          ...['--backchannel-request-alg', 'ES256'],
        )
      ).client,
    ).toMatchObject({
      backchannel_token_delivery_mode: 'ping',
      backchannel_client_notification_endpoint: endpoint,
      backchannel_authentication_request_signing_alg: 'ES256',
    })
    const { stdout } = await idp(['clients', 'get', 'Till'])
    expect(stdout).toContain(`is told at ${endpoint} (ping)`)
    expect(stdout).toContain('by requests signed by ES256, no others')
    const back = (await update('--backchannel-delivery', 'poll')).client
    expect(back.backchannel_token_delivery_mode).toBe('poll')
    expect(back).not.toHaveProperty('backchannel_client_notification_endpoint')
  })

  test('a web app may do both besides, and give it up again', async () => {
    const { client } = await create(
      ...['authorization_code', 'device_code', 'ciba'].flatMap((type) => ['--grant-type', type]),
    )
    expect(client.grant_types).toEqual(['authorization_code', device, ciba, 'refresh_token'])
    const less = await json([
      ...['clients', 'update', String(client.client_id), '--grant-type', 'authorization_code'],
    ])
    expect(less.client.grant_types).toEqual(['authorization_code', 'refresh_token'])
    expect(less.client).not.toHaveProperty('backchannel_token_delivery_mode')
  })

  test.each([
    [['--preset', 'ciba', '--auth-method', 'none'], 5, 'must prove who it is'],
    [
      ['--preset', 'ciba', '--backchannel-delivery', 'ping'],
      5,
      '--backchannel-notification-endpoint',
    ],
    [['--preset', 'ciba', '--backchannel-delivery', 'push'], 2, 'poll, ping'],
    [['--preset', 'ciba', '--backchannel-notification-endpoint', 'http://a.example/'], 5, 'https'],
    [['--preset', 'device', '--backchannel-delivery', 'poll'], 5, '--grant-type ciba'],
    [['--preset', 'device', '--grant-type', 'password'], 2, 'device_code, ciba'],
  ])('%j is refused by %i', async (wrong, expected, words) => {
    const { code, stderr } = await idp(['clients', 'create', `Wrong ${++count}`, ...wrong])
    expect([code, stderr]).toEqual([expected, expect.stringContaining(words)])
  })
})
