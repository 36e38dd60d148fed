/**
 * fapi2-security-profile-final-test-plan, its modules by name: plain FAPI, OpenID Connect, private_key_jwt with DPoP, and at the
 * end the variants with certificates. TLS ends in the process itself.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { makeCertificate } from '../support/certificates.ts'
import { createKey, createProver } from '../support/client-keys.ts'
import { walk } from '../support/person.ts'
import { byReference, playApp } from '../support/relying-party.ts'
import { secureFetch } from '../support/secure-fetch.ts'
import { createApp, writeKeys } from './cast.ts'
import { testClients } from './fapi/clients.ts'
import { testFlow } from './fapi/flow.ts'
import { startOp } from './fapi/op.ts'
import { testRequests } from './fapi/requests.ts'

const op = await startOp('fapi2')
const { origin, certificateOrigin, authority, directory, metadata } = op.provider

test('fapi2-security-profile-final-discovery-end-point-verification', () => {
  expect(metadata.issuer).toBe(origin)
  expect(metadata).toMatchObject({
    authorization_response_iss_parameter_supported: true,
    code_challenge_methods_supported: ['S256'],
    tls_client_certificate_bound_access_tokens: true,
    pushed_authorization_request_endpoint: `${origin}/oauth2/par`,
    mtls_endpoint_aliases: {
      token_endpoint: `${certificateOrigin}/oauth2/token`,
      pushed_authorization_request_endpoint: `${certificateOrigin}/oauth2/par`,
    },
  })
  const strong = ['PS256', 'ES256', 'EdDSA']
  for (const [name, values] of Object.entries({
    token_endpoint_auth_methods_supported: ['private_key_jwt', 'tls_client_auth'],
    token_endpoint_auth_signing_alg_values_supported: strong,
    dpop_signing_alg_values_supported: strong,
    id_token_signing_alg_values_supported: ['ES256', 'EdDSA'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    response_types_supported: ['code'],
  })) {
    expect([name, metadata[name]]).toEqual([name, expect.arrayContaining(values)])
  }
})

describe('well-behaved apps', () => testFlow(op))
describe('requests that are refused', () => testRequests(op))
describe('who asks', () => testClients(op))

describe('fapi2-security-profile-final-ensure-holder-of-key-required: TLS', () => {
  /** What the handshake agrees on, or why there is none. */
  const shake = (options: object) =>
    new Promise<string>((resolve) => {
      const { port } = new URL(origin)
      const socket = connect({
        host: 'localhost',
        port: Number(port),
        ca: authority.cert,
        ...options,
      })
      socket.once('error', () => resolve('refused'))
      socket.once('secureConnect', () => {
        resolve(`${socket.getProtocol()} ${socket.getCipher().name}`)
        socket.destroy()
      })
    })
  const version = (name: string) => ({ minVersion: name, maxVersion: name })

  test('TLS 1.3 first, 1.2 with what RFC 9325 recommends, nothing older', async () => {
    expect(await shake({})).toMatch(/^TLSv1\.3 /)
    expect(await shake(version('TLSv1.2'))).toMatch(/^TLSv1\.2 ECDHE-ECDSA-.*(GCM|CHACHA20)/)
    const old = { ...version('TLSv1.1'), ciphers: 'ALL:@SECLEVEL=0' }
    expect(await shake(old)).toBe('refused')
    const weak = {
      ...version('TLSv1.2'),
      ciphers: 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA',
    }
    expect(await shake(weak)).toBe('refused')
  })
})

describe('with certificates', async () => {
  const own = makeCertificate({ subject: [['CN', 'bank']], issuer: authority })
  const foreign = makeCertificate({ subject: [['CN', 'thief']], issuer: authority })
  const carrying = ({ cert, key }: typeof own) => secureFetch({ ca: authority.cert, cert, key })
  const trusted = join(directory, 'bank-ca.pem')
  writeFileSync(trusted, authority.cert)
  const byName = [
    '--auth-method',
    'tls_client_auth',
    '--tls-subject-dn',
    'CN=bank',
    '--tls-ca-file',
    trusted,
  ]
  const key = await createKey()
  const byKey = ['--jwks-file', writeKeys(op.provider, key)]
  const profile = ['--preset', 'web', '--profile', 'fapi2']

  test.each([
    [
      'client_auth_type=mtls, sender_constrain=mtls',
      [...byName, '--certificate-bound'],
      {},
      undefined,
    ],
    ['client_auth_type=mtls, sender_constrain=dpop', byName, {}, await createProver()],
    [
      'client_auth_type=private_key_jwt, sender_constrain=mtls',
      [...byKey, '--certificate-bound'],
      { key },
      undefined,
    ],
  ])(
    'fapi2-security-profile-final-happy-flow, and its tokens elsewhere: %s',
    async (_, flags, ways, prover) => {
      const made = await createApp(op.provider, [...profile, ...flags])
      const { id, redirectUri } = made
      const as = (send: typeof fetch, at = certificateOrigin) =>
        playApp({
          ...{ origin: at, audience: origin, id, secret: undefined, redirectUri, send, ...ways },
          ...{
            method: 'key' in ways ? 'private_key_jwt' : 'tls_client_auth',
            ...(prover ? { prover } : {}),
          },
        })
      const app = as(carrying(own))
      const request = made.begin()
      const pushed = await app.post('par', Object.fromEntries(request.parameters))
      expect([pushed.status, pushed.body.error]).toEqual([201, undefined])
      const { url } = byReference(made, request, String(pushed.body.request_uri))
      const back = new URL((await walk(op.visitor, { url }, op.person)).url)
      expect(back.searchParams.get('iss')).toBe(origin)
      const code = back.searchParams.get('code') ?? ''

      expect(
        (await as(secureFetch({ ca: authority.cert })).redeem(request, code)).status,
      ).toBeGreaterThanOrEqual(400)
      const { status, body } = await app.redeem(request, code)
      expect([status, body.token_type]).toEqual([200, prover ? 'DPoP' : 'Bearer'])
      expect((await app.userinfo(body.access_token)).status).toBe(200)
      const thief = playApp({
        ...{ origin: certificateOrigin, id, secret: undefined, redirectUri, method: 'none' },
        send: carrying(foreign),
        ...(prover ? { prover: await createProver() } : {}),
      })
      expect((await thief.userinfo(body.access_token)).status).toBe(401)
    },
  )
})
