/** Modules of the FAPI 2.0 plans about requests that are not as they must be: pushed, referred to, and with PKCE. */
import { decodeJwt } from 'jose'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { randomToken } from '../../../src/crypto.ts'
import { walk } from '../../support/person.ts'
import type { Answer, Parameters } from '../../support/relying-party.ts'
import { type Op, signed } from './op.ts'

export function testRequests(op: Op): void {
  const { provider, profile, bank, other, person, visitor } = op
  const { begin, push, reference, told, obtain, grant, bare } = op
  const { origin, database } = provider

  function expectRefused({ status, body }: Answer, ...errors: string[]): void {
    expect(status).toBe(400)
    expect(errors).toContain(body.error)
    expect(body).not.toHaveProperty('request_uri')
  }

  /** No page that asks anything and no code: an error, on a page of ours or at the app. */
  async function expectNothingAt(url: string): Promise<void> {
    const page = await visitor.get(url)
    expect(page.url).not.toMatch(/[?&]code=|\/sign-in\//)
    const { response, ...query } = Object.fromEntries(new URL(page.url).searchParams)
    const answer = page.url.startsWith(origin)
      ? { error: /invalid_\w+/.exec(page.body)?.[0] }
      : response
        ? decodeJwt<{ error?: string }>(response)
        : query
    expect(answer.error).toMatch(/^invalid_request/)
  }

  test.each<[string, Parameters, string]>([
    [
      'ensure-registered-redirect-uri',
      { redirect_uri: `${bank.redirectUri}/other` },
      'redirect_uri',
    ],
    [
      'plain-fapi-tolerate-unregistered-redirect-uri',
      { redirect_uri: 'https://new.example.com/cb' },
      'redirect_uri',
    ],
    ['ensure-redirect-uri-in-authorization-request', { redirect_uri: undefined }, 'request'],
    ['ensure-request-object-without-redirect-uri-fails', { redirect_uri: undefined }, 'request'],
    [
      'ensure-response-type-code-idtoken-fails',
      { response_type: 'code id_token' },
      'response_type',
    ],
    ['ensure-response-type-token-fails', { response_type: 'token' }, 'response_type'],
    [
      'par-ensure-pkce-required',
      { code_challenge: undefined, code_challenge_method: undefined },
      'request',
    ],
    ['par-plain-pkce-rejected', { code_challenge_method: 'plain' }, 'request'],
  ])(
    'fapi2-security-profile-final-%s: %j is refused when it is pushed',
    async (_, parameters, what) => {
      const answer = await push(begin(parameters))
      expectRefused(
        answer,
        ...(what === 'response_type' ? ['unsupported_response_type', 'unauthorized_client'] : []),
        ...(what === 'redirect_uri' ? ['invalid_redirect_uri'] : []),
        'invalid_request',
        'invalid_request_object',
      )
    },
  )

  test('fapi2-security-profile-final-ensure-unsigned-authorization-request-without-using-par-fails', () =>
    expectNothingAt(begin().url))

  test.each<[string, Parameters]>([
    ['ensure-different-nonce-inside-and-outside-request-object', { nonce: 'outside' }],
    ['ensure-different-state-inside-and-outside-request-object', { state: 'outside' }],
  ])('fapi2-security-profile-final-%s: what was pushed counts', async (_, outside) => {
    const request = begin()
    const { url } = reference(await push(request), request)
    const page = await walk(
      visitor,
      { url: `${url}&${new URLSearchParams(outside as Record<string, string>)}` },
      person,
    )
    const { code } = await told(page, request)
    const { body } = await bank.redeem(request, code)
    expect(body.id_token).toBeTruthy()
  })

  test('fapi2-security-profile-final-state-only-outside-request-object-not-used', async () => {
    const request = begin({ state: undefined })
    const { url } = reference(await push(request), request)
    const answer = await told(await walk(visitor, { url: `${url}&state=outside` }, person), request)
    expect(answer).not.toHaveProperty('state')
  })

  test('fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds', async () => {
    const request = begin({ prompt: 'login' })
    const { url } = reference(await push(request), request)
    expect((await visitor.get(url)).body).toContain('id="password"')
    const { code } = await told(await walk(visitor, { url }, person), request)
    expect((await bank.redeem(request, code)).status).toBe(200)
  })

  test('fapi2-security-profile-final-par-attempt-reuse-request_uri: not after the app was answered', async () => {
    const request = begin()
    const { url } = reference(await push(request), request)
    await told(await walk(visitor, { url }, person), request)
    await expectNothingAt(url)
  })

  test('fapi2-security-profile-final-par-attempt-to-use-expired-request_uri', async () => {
    const request = begin()
    const { url } = reference(await push(request), request)
    await database.db
      .updateTable('pushedAuthorizationRequests')
      .set({ expiresAt: sql<Date>`now() - interval '1 minute'` })
      .execute()
    await expectNothingAt(url)
  })

  test('fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client', async () => {
    const request = begin()
    await expectNothingAt(reference(await push(request), request, other).url)
  })

  test('fapi2-security-profile-final-par-authorization-request-containing-request_uri-form-param', async () => {
    const fields = { request_uri: `urn:ietf:params:oauth:request_uri:${randomToken()}` }
    const answer = await push(begin(), bank, fields)
    expectRefused(answer, 'invalid_request', 'request_uri_not_supported')
  })

  test('fapi2-security-profile-final-par-attempt-invalid-http-method', async () => {
    const url = `${origin}/oauth2/par`
    for (const method of ['GET', 'PUT']) {
      const { status, headers } = await fetch(url, { method })
      expect([method, status, headers.get('allow')]).toEqual([method, 405, 'POST, OPTIONS'])
    }
  })

  test.each([
    ['ensure-pkce-code-verifier-required', undefined],
    ['incorrect-pkce-code-verifier-rejected', randomToken()],
  ])('fapi2-security-profile-final-%s', async (_, verifier) => {
    const { request, code } = await obtain()
    const { status, body } = await bank.redeem(request, code, { code_verifier: verifier })
    expect([status, body.error]).toEqual([400, 'invalid_grant'])
  })

  test('fapi2-security-profile-final-ensure-authorization-code-is-bound-to-client', async () => {
    const { request, code } = await obtain()
    const { redirectUri: redirect_uri } = bank
    const { status, body } = await other.redeem(request, code, { redirect_uri })
    expect([status, body.error]).toEqual([400, 'invalid_grant'])
  })

  test('fapi2-security-profile-final-attempt-reuse-authorization-code-after-one-second: refused, and its tokens are dead', async () => {
    const { request, code, body } = await grant()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const again = await bank.redeem(request, code)
    expect([again.status, again.body.error]).toEqual([400, 'invalid_grant'])
    expect((await bank.userinfo(body.access_token)).status).toBe(401)
  })

  test('fapi2-security-profile-final-ensure-token-endpoint-fails-with-expired-auth-code: after a minute', async () => {
    const { request, code } = await obtain()
    await database.db
      .updateTable('authorizationCodes')
      .set({ expiresAt: sql<Date>`expires_at - interval '61 seconds'` })
      .where('clientId', '=', bank.id)
      .execute()
    const { status, body } = await bank.redeem(request, code)
    expect([status, body.error]).toEqual([400, 'invalid_grant'])
  })

  test('fapi2-security-profile-final-ensure-holder-of-key-required: no tokens without a proof', async () => {
    const { request, code } = await obtain()
    const { status, body } = await bare().redeem(request, code)
    expect(status).toBe(400)
    expect(['invalid_request', 'invalid_grant', 'invalid_dpop_proof']).toContain(body.error)
  })

  if (profile === 'fapi2') return

  test('fapi2-security-profile-final-ensure-unsigned-request-at-par-endpoint-fails', async () => {
    const { parameters } = begin()
    expectRefused(await bank.post('par', Object.fromEntries(parameters)), 'invalid_request')
  })

  test('fapi2-security-profile-final-par-authorization-request-containing-request_uri: inside the object', async () => {
    const request = begin()
    const inside = await signed(bank, origin, request, {
      request_uri: `urn:ietf:params:oauth:request_uri:${randomToken()}`,
    })
    expectRefused(await bank.post('par', { request: inside }), 'invalid_request_object')
  })
}
