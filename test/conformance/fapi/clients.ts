/** Modules of the FAPI 2.0 plans about how an app proves who it is, and that it holds the key of its tokens. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import {
  asCredentials,
  type Claims,
  createKey,
  createProver,
  now,
  signAssertion,
} from '../../support/client-keys.ts'
import { playApp } from '../../support/relying-party.ts'
import { createApp, writeKeys } from '../cast.ts'
import type { Op } from './op.ts'

export function testClients(op: Op): void {
  const { provider, profile, bank, other, begin, push, obtain, grant } = op
  const { origin } = provider

  /** What the app says of itself when it pushes; the endpoint is the first that wants to know who asks. */
  async function present(claims: Claims, header: Claims = {}, key = bank.key) {
    const about = { clientId: bank.id, audience: origin }
    const assertion = await signAssertion(key, about, claims, header)
    return push(begin(), bank, asCredentials(assertion))
  }

  const refusals = ['invalid_client', 'invalid_request']

  test.each<[string, Claims]>([
    ['par-test-array-as-audience-fails', { aud: [origin, `${origin}/oauth2/par`] }],
    ['par-test-par-endpoint-url-as-audience-fails', { aud: `${origin}/oauth2/par` }],
    ['par-test-token-endpoint-url-as-audience-fails', { aud: `${origin}/oauth2/token` }],
    ['ensure-client-assertion-with-wrong-aud-fails', { aud: 'https://other.example.com' }],
    [
      'ensure-client-assertion-with-exp-is-5-minutes-in-past-fails',
      { iat: now() - 600, exp: now() - 300 },
    ],
    ['ensure-client-assertion-with-no-sub-fails', { sub: undefined }],
    [
      'par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails',
      { nbf: now() + 65, iat: now() + 65, exp: now() + 120 },
    ],
    ['ensure-invalid-client-assertions-fail, wrong sub', { sub: other.id }],
    ['ensure-invalid-client-assertions-fail, no iss', { iss: undefined }],
    ['ensure-invalid-client-assertions-fail, wrong iss', { iss: other.id }],
    ['ensure-invalid-client-assertions-fail, no aud', { aud: undefined }],
    ['ensure-invalid-client-assertions-fail, no exp', { exp: undefined }],
    ['ensure-invalid-client-assertions-fail, no jti', { jti: undefined }],
  ])('fapi2-security-profile-final-%s', async (_, claims) => {
    const { status, body } = await present(claims)
    expect([400, 401]).toContain(status)
    expect(refusals).toContain(body.error)
  })

  test('fapi2-security-profile-final-ensure-invalid-client-assertions-fail, signed by another key, or for no type', async () => {
    const foreign = await present(
      {},
      {},
      { ...other.key, sign: (claims) => other.key.sign(claims, { kid: bank.key.publicJwk.kid }) },
    )
    expect(refusals).toContain(foreign.body.error)
    for (const type of [undefined, 'urn:ietf:params:oauth:client-assertion-type:other']) {
      const { body } = await push(begin(), bank, { client_assertion_type: type })
      expect(refusals).toContain(body.error)
    }
  })

  test('fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted', async () => {
    expect((await present({ iat: now() + 8, nbf: now() + 8 })).status).toBe(201)
  })

  test('fapi2-security-profile-final-ensure-signed-client-assertion-with-RS256-fails: whatever key is registered', async () => {
    const rsa = await createKey('RS256')
    const { alg: _, ...anyAlg } = rsa.publicJwk
    const file = writeKeys(provider, { ...rsa, publicJwk: anyAlg })
    const flags = ['--preset', 'web', '--profile', profile, '--jwks-file', file]
    const { status, body } = await (await createApp(provider, flags, { key: rsa })).post('par', {})
    expect([status, body.error]).toEqual([401, 'invalid_client'])
  })

  test('fapi2-security-profile-final-ensure-client-assertion-in-token-endpoint: none, no tokens', async () => {
    const { request, code } = await obtain()
    const without = { client_assertion: undefined, client_assertion_type: undefined }
    const { status, body } = await bank.redeem(request, code, without)
    expect([400, 401]).toContain(status)
    expect(refusals).toContain(body.error)
  })

  test('fapi2-security-profile-final-ensure-client-id-in-token-endpoint: the second client’s name with the first one’s key', async () => {
    const { request, code } = await obtain()
    const mixed = playApp({
      ...{ origin, id: other.id, secret: undefined, method: 'private_key_jwt' },
      ...{ redirectUri: bank.redirectUri, key: bank.key, prover: bank.prover },
    })
    const { status, body } = await mixed.redeem(request, code)
    expect([status, body.error]).toEqual([401, 'invalid_client'])
  })

  test('fapi2-security-profile-final-dpop-negative-tests: a resource takes the right proof, once, and no other', async () => {
    const { body } = await grant()
    const { access_token: accessToken = '' } = body
    const url = `${origin}/oauth2/userinfo`
    const ask = async (dpop: string | undefined, scheme = 'DPoP') => {
      const headers: [string, string][] = [['authorization', `${scheme} ${accessToken}`]]
      if (dpop !== undefined) headers.push(['dpop', dpop])
      return (await fetch(url, { headers })).status
    }
    const prove = (claims: Claims = {}, header: Claims = {}, by = bank.prover) =>
      by.prove({ method: 'GET', url, accessToken }, claims, header)

    for (const good of [
      await prove({}, { extra: 'header' }),
      await prove({ extra: 'claim' }),
      await prove({ htu: `${url}?a=b#c` }),
    ]) {
      expect(await ask(good)).toBe(200)
      expect(await ask(good), 'again').toBe(401)
    }

    const { privateKey } = await generateKeyPair('ES256', { extractable: true })
    const withSecret = await new SignJWT({ htm: 'GET', htu: url, jti: 'x', iat: now() })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(privateKey) })
      .sign(privateKey)
    const whole = await prove()
    const [head = '', claims = '', signature = ''] = whole.split('.')
    const none = Buffer.from(
      JSON.stringify({ ...JSON.parse(Buffer.from(head, 'base64url').toString()), alg: 'none' }),
    )
    const bad: Record<string, string | undefined> = {
      'no proof': undefined,
      'two proofs': `${await prove()}, ${await prove()}`,
      'no JWT': 'not.a.jwt',
      'no typ': await prove({}, { typ: undefined }),
      'another typ': await prove({}, { typ: 'jwt' }),
      'no jwk': await prove({}, { jwk: undefined }),
      'a private jwk': withSecret,
      'no jti': await prove({ jti: undefined }),
      'no htm': await prove({ htm: undefined }),
      'another htm': await prove({ htm: 'PUT' }),
      'no htu': await prove({ htu: undefined }),
      'another htu': await prove({ htu: `${origin}/oauth2/token` }),
      'no iat': await prove({ iat: undefined }),
      'no ath': await prove({ ath: undefined }),
      'another ath': await prove({ ath: 'x'.repeat(43) }),
      'another key': await prove({ nonce: bank.prover.nonce }, {}, await createProver()),
      RS256: await prove({ nonce: bank.prover.nonce }, {}, await createProver('RS256')),
      'alg none': `${none.toString('base64url')}.${claims}.`,
      'another signature': `${head}.${claims}.${signature.slice(0, -8)}AAAAAAAA`,
    }
    for (const [what, dpop] of Object.entries(bad)) {
      const status = await ask(dpop)
      expect([what, status === 400 || status === 401]).toEqual([what, true])
    }
    expect([400, 401]).toContain(await ask(await prove(), 'Bearer'))
    expect(await ask(await prove()), 'the token itself is alive').toBe(200)
  })
}
