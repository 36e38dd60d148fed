/** Modules of the FAPI 2.0 plans in which a well-behaved app gets what it asks for, and those about binding codes. */
import { expect, test } from 'vitest'
import { createProver, now } from '../../support/client-keys.ts'
import { walk } from '../../support/person.ts'
import type { Parameters } from '../../support/relying-party.ts'
import { createBank, expectStrong, type Op } from './op.ts'

const interaction = 'c770aef3-6784-41f7-8e0e-ff5f97bddb3a'

export function testFlow(op: Op): void {
  const { provider, profile, bank, other, person, visitor, begin, push, reference, told } = op
  const { obtain, grant, withProver } = op
  const { origin } = provider
  const userinfo = `${origin}/oauth2/userinfo`

  test('fapi2-security-profile-final-happy-flow: both clients, and one that signs by PS256, to a resource that says which interaction it answers', async () => {
    for (const by of [bank, other, await createBank(provider, profile, 'PS256')]) {
      const { body, claims } = await grant({}, by)
      expect(body.token_type).toBe('DPoP')
      expectStrong(claims.alg)
      const answer = await fetch(userinfo, {
        headers: {
          authorization: `DPoP ${body.access_token}`,
          dpop: await by.prover.prove({
            method: 'GET',
            url: userinfo,
            accessToken: body.access_token,
          }),
          'x-fapi-interaction-id': interaction,
        },
      })
      expect([answer.status, answer.headers.get('x-fapi-interaction-id')]).toEqual([
        200,
        interaction,
      ])
      expect(await answer.json()).toMatchObject({ sub: claims.sub })
    }
  })

  test('fapi2-security-profile-final-user-rejects-authentication: access_denied', async () => {
    const request = begin({ prompt: 'consent' })
    const page = await visitor.get(reference(await push(request), request).url)
    expect(page.url).toContain('/consent')
    const answer = await told(await visitor.press(page, 'cancel'), request)
    expect(answer.error).toBe('access_denied')
    expect(answer).not.toHaveProperty('code')
  })

  test.each<[string, Parameters]>([
    [
      'fapi2-security-profile-final-ensure-authorization-request-without-state-success',
      { state: undefined },
    ],
    [
      'fapi2-security-profile-final-ensure-authorization-request-without-nonce-success',
      { nonce: undefined },
    ],
    [
      'fapi2-security-profile-final-ensure-authorization-request-with-64-char-nonce-success',
      { nonce: 'n'.repeat(64) },
    ],
    [
      'fapi2-security-profile-final-ensure-authorization-request-with-long-nonce',
      { nonce: 'n'.repeat(384) },
    ],
    [
      'fapi2-security-profile-final-ensure-authorization-request-with-long-state',
      { state: 's'.repeat(384) },
    ],
    ['fapi2-security-profile-final-ensure-other-scope-order-succeeds', { scope: 'profile openid' }],
  ])('%s', async (_, parameters) => {
    const { body } = await grant(parameters)
    expect((await bank.userinfo(body.access_token)).status).toBe(200)
  })

  test('fapi2-security-profile-final-test-claims-parameter-identity-claims: what was asked for by name', async () => {
    const claims = JSON.stringify({
      userinfo: { email: { essential: true } },
      id_token: { name: { essential: true } },
    })
    const { body, claims: inToken } = await grant({ scope: 'openid', claims })
    expect(inToken.name).toBe('Ada Lovelace')
    expect((await bank.userinfo(body.access_token)).body.email).toBe('ada@example.org')
  })

  test('fapi2-security-profile-final-access-token-type-header-case-sensitivity: the scheme in any spelling', async () => {
    const { body } = await grant()
    for (const scheme of ['dpop', 'DPOP', 'dPoP']) {
      const { access_token: accessToken } = body
      const dpop = await bank.prover.prove({ method: 'GET', url: userinfo, accessToken })
      const headers = { authorization: `${scheme} ${accessToken}`, dpop }
      expect([scheme, (await fetch(userinfo, { headers })).status]).toEqual([scheme, 200])
    }
  })

  test('fapi2-security-profile-final-par-without-duplicate-parameters: client_id and request_uri alone', async () => {
    const request = begin()
    const { url } = reference(await push(request), request)
    expect([...new URL(url).searchParams.keys()].toSorted()).toEqual(['client_id', 'request_uri'])
    expect((await told(await walk(visitor, { url }, person), request)).code).toBeTruthy()
  })

  test('fapi2-security-profile-final-refresh-token: new tokens by the same refresh token, for this client alone', async () => {
    const { body, claims } = await grant({ scope: 'openid offline_access', prompt: 'consent' })
    const stolen = await other.refresh(body.refresh_token)
    expect([stolen.status, stolen.body.error]).toEqual([400, 'invalid_grant'])
    const next = await bank.refresh(body.refresh_token)
    expect(next.status).toBe(200)
    expect(next.body.refresh_token).toBe(body.refresh_token)
    expect((await bank.userinfo(next.body.access_token)).body.sub).toBe(claims.sub)
    expect((await bank.refresh(body.refresh_token)).status).toBe(200)
  })

  const tokenUrl = `${origin}/oauth2/token`
  /** Redeems with a proof that has these claims, and a nonce of the server's. */
  async function redeemWith(changes: object) {
    await bank.refresh('asks for a nonce')
    const { request, code } = await obtain()
    const dpop = await bank.prover.prove({ method: 'POST', url: tokenUrl }, { ...changes })
    return bank.redeem(request, code, {}, { dpop })
  }

  test.each<[string, () => object]>([
    [
      'fapi2-security-profile-final-check-dpop-proof-nbf-exp',
      () => ({ nbf: now(), exp: now() + 300 }),
    ],
    [
      'fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-before-succeeds',
      () => ({ iat: now() - 10 }),
    ],
    [
      'fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-after-succeeds',
      () => ({ iat: now() + 10 }),
    ],
  ])('%s', async (_, claims) => {
    expect((await redeemWith(claims())).status).toBe(200)
  })

  test('fapi2-security-profile-final-ensure-dpop-auth-code-binding-success: the key that dpop_jkt names', async () => {
    const { request, code } = await obtain({ dpop_jkt: bank.prover.thumbprint })
    expect((await bank.redeem(request, code)).status).toBe(200)
  })

  test('fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-jkt', async () => {
    const { request, code } = await obtain({ dpop_jkt: bank.prover.thumbprint })
    const answer = await withProver(await createProver()).redeem(request, code)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
  })

  /** A proof for the endpoint that takes pushed requests. */
  async function proofToPush() {
    await bank.post('par', {})
    return { dpop: await bank.prover.prove({ method: 'POST', url: `${origin}/oauth2/par` }) }
  }

  test('fapi2-security-profile-final-ensure-dpopproof-at-par-endpoint-binding-success: the key that it was pushed with', async () => {
    const { request, code } = await obtain({}, bank, {}, await proofToPush())
    expect((await bank.redeem(request, code)).status).toBe(200)
  })

  test('fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt', async () => {
    const { request, code } = await obtain({}, bank, {}, await proofToPush())
    const answer = await withProver(await createProver()).redeem(request, code)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
  })

  test('fapi2-security-profile-final-ensure-mismatched-dpop-jkt-fails: two keys in one request', async () => {
    const request = begin({ dpop_jkt: (await createProver()).thumbprint })
    const answer = await push(request, bank, {}, await proofToPush())
    expect(answer.status).toBe(400)
    expect(['invalid_request', 'invalid_dpop_proof']).toContain(answer.body.error)
  })
}
