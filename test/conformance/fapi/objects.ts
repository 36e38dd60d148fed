/** Modules of the FAPI 2.0 Message Signing plan about signed requests (RFC 9101): what stands in one, and who signed it. */
import { expect, test } from 'vitest'
import { type Claims, createKey, now } from '../../support/client-keys.ts'
import { walk } from '../../support/person.ts'
import { createApp, writeKeys } from '../cast.ts'
import { type Op, signed } from './op.ts'

export function testObjects(op: Op): void {
  const { provider, profile, bank, other, person, visitor, begin, bare, reference, told } = op
  const { origin } = provider

  async function push(claims: Claims, header: Claims = {}, key = bank.key) {
    const request = begin()
    const object = await signed(bank, origin, request, claims, header, key)
    return { request, answer: await bare().post('par', { request: object }) }
  }

  test.each<[string, () => Claims]>([
    [
      'ensure-request-object-with-multiple-aud-succeeds',
      () => ({ aud: [origin, 'https://other.example.com'] }),
    ],
    [
      'ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted',
      () => ({ nbf: now() + 8, iat: now() + 8 }),
    ],
  ])('fapi2-security-profile-final-%s', async (_, claims) => {
    const { request, answer } = await push(claims())
    const { url } = reference(answer, request)
    const { code } = await told(await walk(visitor, { url }, person), request)
    expect((await bank.redeem(request, code)).status).toBe(200)
  })

  test.each<[string, () => Claims]>([
    ['ensure-request-object-without-exp-fails', () => ({ exp: undefined })],
    ['ensure-request-object-without-nbf-fails', () => ({ nbf: undefined })],
    [
      'ensure-expired-request-object-fails',
      () => ({ iat: now() - 600, nbf: now() - 600, exp: now() - 300 }),
    ],
    ['ensure-request-object-with-bad-aud-fails', () => ({ aud: 'https://other.example.com' })],
    ['ensure-request-object-with-exp-over-60-fails', () => ({ exp: now() + 70 * 60 })],
    [
      'ensure-request-object-with-nbf-over-60-fails',
      () => ({ nbf: now() - 70 * 60, exp: now() + 60 }),
    ],
  ])('fapi2-security-profile-final-%s', async (_, claims) => {
    const { answer } = await push(claims())
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request_object'])
  })

  test('fapi2-security-profile-final-ensure-signed-request-object-with-RS256-fails: whatever key is registered', async () => {
    const own = await createKey()
    const rsa = await createKey('RS256')
    const { alg: _, ...anyAlg } = rsa.publicJwk
    const file = writeKeys(provider, own, { ...rsa, publicJwk: anyAlg })
    const flags = ['--preset', 'web', '--profile', profile, '--jwks-file', file]
    const app = await createApp(provider, flags, { key: own })
    const request = begin({}, app)
    const by = { ...bank, ...app, key: own }
    for (const [key, status] of [
      [rsa, 400],
      [own, 201],
    ] as const) {
      const object = await signed(by, origin, request, {}, {}, key)
      expect((await app.post('par', { request: object })).status).toBe(status)
    }
  })

  test('fapi2-security-profile-final-ensure-request-object-signature-algorithm-is-not-none', async () => {
    const request = begin()
    const [, claims] = (await signed(bank, origin, request)).split('.')
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'oauth-authz-req+jwt' }))
    const object = `${header.toString('base64url')}.${claims}.`
    const answer = await bare().post('par', { request: object })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request_object'])
  })

  test('fapi2-security-profile-final-ensure-request-object-with-invalid-signature-fails', async () => {
    const object = await signed(bank, origin, begin())
    const answer = await bare().post('par', { request: `${object.slice(0, -8)}AAAAAAAA` })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request_object'])
  })

  test('fapi2-security-profile-final-ensure-matching-key-in-authorization-request: the second client’s key is not the first one’s', async () => {
    for (const header of [{}, { kid: bank.key.publicJwk.kid }]) {
      const { answer } = await push({}, header, other.key)
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request_object'])
    }
  })

  test('an introspected token is answered for by a signature too (RFC 9701)', async () => {
    const { body } = await op.grant()
    const accept = 'application/token-introspection+jwt'
    const answer = await bank.post('introspect', { token: body.access_token }, { accept })
    expect(answer.headers.get('content-type')).toContain(accept)
  })
}
