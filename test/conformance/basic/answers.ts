/** Modules of the Basic plan about what an app is answered: tokens, ID tokens, userinfo, claims by scope. */
import { decodeProtectedHeader } from 'jose'
import { expect, test } from 'vitest'
import type { Op } from './op.ts'

export function testAnswers(op: Op): void {
  const { provider, app, begin, browser, grant } = op
  const { origin, metadata } = provider
  const userinfo = `${origin}/oauth2/userinfo`

  test('oidcc-server: a code, tokens, an ID token that holds, and userinfo about the same person', async () => {
    const { body, claims } = await grant()
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: expect.any(Number) })
    const { status, body: person } = await app.userinfo(body.access_token)
    expect([status, person.sub]).toEqual([200, claims.sub])
  })

  test('oidcc-response-type-missing: an error, on a page or at the app, and nobody is asked to sign in', async () => {
    const page = await browser().get(begin({ response_type: undefined }).url)
    expect(page.url).not.toContain('/sign-in/')
    expect(`${page.url} ${page.body}`).toMatch(/invalid_request|unsupported_response_type/)
    expect(`${page.url} ${page.body}`).not.toMatch(/[?&]code=|name="code"/)
  })

  test('oidcc-idtoken-signature: signed by a key of the set, which the header names', async () => {
    const { body, claims } = await grant()
    const header = decodeProtectedHeader(body.id_token ?? '')
    const { keys } = (await (await fetch(String(metadata.jwks_uri))).json()) as {
      keys: { kid: string; alg: string }[]
    }
    expect(keys).toContainEqual(expect.objectContaining({ kid: header.kid, alg: 'RS256' }))
    expect(claims.alg).toBe('RS256')
  })

  test('oidcc-idtoken-unsigned: not promised, and no app can be registered for it', async () => {
    expect(metadata.id_token_signing_alg_values_supported).not.toContain('none')
    const { code } = await provider.idp(['clients', 'update', app.id, '--id-token-alg', 'none'])
    expect(code).toBe(2)
  })

  test('oidcc-userinfo-get: by GET with the token in the header', async () => {
    const { body, claims } = await grant({ scope: 'openid email' })
    const answer = await app.userinfo(body.access_token)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toContain('application/json')
    expect(answer.body.sub).toBe(claims.sub)
  })

  test('oidcc-userinfo-post-header: by POST with the token in the header', async () => {
    const { body, claims } = await grant()
    const headers = { authorization: `Bearer ${body.access_token}` }
    const answer = await fetch(userinfo, { method: 'POST', headers })
    expect([answer.status, await answer.json()]).toMatchObject([200, { sub: claims.sub }])
  })

  test('oidcc-userinfo-post-body: by POST with the token in the form', async () => {
    const { body, claims } = await grant()
    const form = new URLSearchParams({ access_token: body.access_token ?? '' })
    const answer = await fetch(userinfo, { method: 'POST', body: form })
    expect([answer.status, await answer.json()]).toMatchObject([200, { sub: claims.sub }])
  })

  test('oidcc-ensure-request-without-nonce-succeeds-for-code-flow: and the ID token has none', async () => {
    const { claims } = await grant({ nonce: undefined })
    expect(claims.nonce).toBeUndefined()
  })

  const profile = {
    name: 'Ada Lovelace',
    given_name: 'Ada',
    family_name: 'Lovelace',
    nickname: 'ada',
    preferred_username: 'ada',
    locale: 'en',
    updated_at: expect.any(Number),
  }
  const email = { email: 'ada@example.org', email_verified: true }
  const address = {
    address: {
      street_address: '12 St James’s Square',
      locality: 'London',
      postal_code: 'SW1Y 4JH',
      country: 'United Kingdom',
    },
  }
  const phone = { phone_number: '+442079460000', phone_number_verified: false }

  test.each<[string, string, object]>([
    ['oidcc-scope-profile', 'openid profile', profile],
    ['oidcc-scope-email', 'openid email', email],
    ['oidcc-scope-address', 'openid address', address],
    ['oidcc-scope-phone', 'openid phone', phone],
    [
      'oidcc-scope-all',
      'openid profile email address phone',
      { ...profile, ...email, ...address, ...phone },
    ],
    ['oidcc-ensure-other-scope-order-succeeds', 'email openid', email],
  ])('%s: userinfo answers %s with these claims and no others', async (_, scope, expected) => {
    for (const one of scope.split(' ')) expect(metadata.scopes_supported).toContain(one)
    expect(metadata.claims_supported).toEqual(expect.arrayContaining(Object.keys(expected)))
    const { body, claims } = await grant({ scope })
    const answer = await app.userinfo(body.access_token)
    expect(answer.body).toEqual({ sub: claims.sub, ...expected })
  })
}
