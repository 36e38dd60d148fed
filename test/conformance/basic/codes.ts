/** Modules of the Basic plan about codes and requests: used twice, posted, by object, with PKCE, refreshed. */

import { decodeJwt } from 'jose'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/crypto.ts'
import type { Page } from '../../../src/demo/visitor.ts'
import { signRequest } from '../../support/client-keys.ts'
import { walk } from '../../support/person.ts'
import { verifyIdToken } from '../cast.ts'
import type { Op } from './op.ts'

export function testCodes(op: Op): void {
  const { provider, person, app, key, second, postApp } = op
  const { begin, browser, callback, deliver, redeem, grant } = op
  const { origin, metadata } = provider

  test('oidcc-codereuse: a code that comes again is refused', async () => {
    const { code } = await grant()
    const { status, body } = await redeem(code)
    expect([status, body.error]).toEqual([400, 'invalid_grant'])
  })

  test('oidcc-codereuse-30seconds: also 30 seconds later, and what it gave has ended', async () => {
    const { code, body } = await grant()
    const times = { expiresAt: sql<Date>`expires_at - interval '30 seconds'` }
    await provider.database.db
      .updateTable('authorizationCodes')
      .set({ ...times, consumedAt: sql<Date>`consumed_at - interval '30 seconds'` })
      .where('idHash', '=', sha256(code))
      .execute()
    const again = await redeem(code)
    expect([again.status, again.body.error]).toEqual([400, 'invalid_grant'])
    expect((await app.userinfo(body.access_token)).status).toBe(401)
  })

  test('oidcc-ensure-registered-redirect-uri: a page, and nothing to the address', async () => {
    const page = await browser().get(begin({ redirect_uri: `${app.redirectUri}/other` }).url)
    expect([page.status, page.url.startsWith(origin)]).toEqual([400, true])
    expect(page.body).toContain('redirect_uri')
    expect(page.body).not.toContain('<form method="post"')
  })

  test('oidcc-ensure-post-request-succeeds: a request that the app’s page posts', async () => {
    const request = begin()
    const fields = [...request.parameters].map(
      ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
    )
    const page: Page = {
      ...{ url: app.redirectUri, status: 200, headers: new Headers(), error: undefined },
      body: `<form method="post" action="${origin}/oauth2/authorize">${fields.join('')}<button id="go"></form>`,
    }
    const visitor = browser()
    const asked = await visitor.press(page, 'go')
    const { code } = await deliver(await walk(visitor, asked, person), request)
    expect((await redeem(code)).status).toBe(200)
  })

  test('oidcc-server-client-secret-post: the secret in the form', async () => {
    const { body, claims } = await grant({}, browser(), postApp)
    expect((await postApp.userinfo(body.access_token)).body.sub).toBe(claims.sub)
    const { code } = await callback(browser(), begin({}, postApp), postApp)
    const wrong = await postApp.post('token', {
      ...{ grant_type: 'authorization_code', code, redirect_uri: postApp.redirectUri },
      client_secret: 'guess',
    })
    expect([wrong.status, wrong.body.error]).toEqual([401, 'invalid_client'])
  })

  test('oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported: not promised, refused', async () => {
    expect(metadata.request_uri_parameter_supported).not.toBe(true)
    const page = await browser().get(begin({ request_uri: 'https://app.example.com/request' }).url)
    expect(page.url).not.toContain('/sign-in/')
    expect(`${page.url} ${page.body}`).toContain('request_uri_not_supported')
  })

  test('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported: not promised, refused', async () => {
    expect(metadata.request_object_signing_alg_values_supported).not.toContain('none')
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = { ...Object.fromEntries(begin().parameters), iss: app.id, aud: origin }
    const page = await browser().get(
      begin({ request: `${part({ alg: 'none' })}.${part(claims)}.` }).url,
    )
    expect(page.url).not.toContain('/sign-in/')
    expect(`${page.url} ${page.body}`).toMatch(/invalid_request_object|request_not_supported/)
  })

  test('oidcc-claims-essential: name at userinfo, although only openid was asked for', async () => {
    const claims = JSON.stringify({ userinfo: { name: { essential: true } } })
    const { body } = await grant({ claims })
    expect((await app.userinfo(body.access_token)).body).toMatchObject({ name: 'Ada Lovelace' })
  })

  test('oidcc-ensure-request-object-with-redirect-uri: the one in the object counts', async () => {
    const inside = begin()
    const request = await signRequest(
      key,
      { clientId: app.id, audience: origin },
      inside.parameters,
    )
    const outside = begin({ request, redirect_uri: 'https://elsewhere.example.com/callback' })
    const visitor = browser()
    const { code } = await deliver(await walk(visitor, outside, person), inside)
    expect((await redeem(code)).status).toBe(200)
  })

  test('oidcc-refresh-token: a new access token, the same person in the ID token, and for that client alone', async () => {
    for (const [by, other] of [
      [app, second],
      [second, app],
    ] as const) {
      const asked = { scope: 'openid offline_access', prompt: 'consent' }
      const { body, claims } = await grant(asked, browser(), by)
      expect(body.refresh_token).toMatch(/^[\x20-\x7e]+$/)
      const stolen = await other.refresh(body.refresh_token)
      expect([stolen.status, stolen.body.error]).toEqual([400, 'invalid_grant'])
      const next = await by.refresh(body.refresh_token)
      expect(next.status).toBe(200)
      expect(next.body.access_token).not.toBe(body.access_token)
      const { iss, sub, aud, auth_time: time } = decodeJwt(next.body.id_token ?? '')
      expect({ iss, sub, aud }).toEqual({ iss: claims.iss, sub: claims.sub, aud: claims.aud })
      expect(time).toBe(claims.auth_time)
      expect((await by.userinfo(next.body.access_token)).body.sub).toBe(sub)
    }
  })

  test('oidcc-ensure-request-with-valid-pkce-succeeds: who sends it is held to it', async () => {
    const verifier = 'v'.repeat(43)
    const pkce = {
      code_challenge: sha256(verifier).toString('base64url'),
      code_challenge_method: 'S256',
    }
    const visitor = browser()
    const request = begin(pkce)
    const { code } = await callback(visitor, request)
    const { body } = await app.redeem(request, code, { code_verifier: verifier })
    await verifyIdToken(provider, app, body.id_token, request.nonce)
    const without = await redeem((await callback(visitor, begin(pkce))).code)
    expect(without.body.error).toBe('invalid_grant')
  })
}
