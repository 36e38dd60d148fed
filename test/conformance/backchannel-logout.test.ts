/**
 * oidcc-backchannel-rp-initiated-logout-certification-test-plan (Back-Channel Logout 1.0). The app listens over TLS on this
 * machine, which the operator has to allow: the real suite needs no more than that either.
 */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import { eventually } from '../support/logout-app.ts'
import { authorize, createBrowser } from '../support/person.ts'
import { freePort } from '../support/server.ts'
import { createApp, createPerson, startListener, verifyIdToken } from './cast.ts'
import { startProvider } from './support.ts'

const port = await freePort()
const provider = await startProvider({ ALLOW_PRIVATE_TARGETS: `localhost:${port}` })
const { origin, metadata } = provider
const { origin: appOrigin, heard } = await startListener(provider, port)
const farewell = `${appOrigin}/post_logout_redirect`
const [person, app] = await Promise.all([
  createPerson(provider, 'ada'),
  createApp(
    provider,
    [
      ...['--preset', 'generic', '--pkce', 'optional', '--scope', 'openid'],
      ...['--post-logout-redirect-uri', farewell],
      ...['--backchannel-logout-uri', `${appOrigin}/backchannel_logout`],
    ],
    { redirectUri: `${appOrigin}/callback` },
  ),
])

test('oidcc-backchannel-logout-discovery-endpoint-verification: supported, with sessions', () => {
  expect(metadata).toMatchObject({
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    end_session_endpoint: `${origin}/oauth2/logout`,
  })
})

test('oidcc-backchannel-rp-initiated-logout: the app is told by a token that holds, and the person is back and signed out', async () => {
  const visitor = createBrowser(provider)
  const { answer, request } = await authorize(visitor, app, person)
  const { id_token: hint } = answer.body
  const claims = await verifyIdToken(provider, app, hint, request.nonce)
  expect(claims.sid).toEqual(expect.any(String))

  const parameters = { id_token_hint: hint, post_logout_redirect_uri: farewell, state: 'abc' }
  const question = await visitor.get(app.logoutUrl(parameters))
  const back = await visitor.press(question, 'continue')
  expect(back.url).toBe(`${farewell}?state=abc`)

  const { path, type, fields } = await eventually(() => heard[0])
  expect([path, type]).toEqual([
    '/backchannel_logout',
    expect.stringContaining('application/x-www-form-urlencoded'),
  ])
  const keySet = createRemoteJWKSet(new URL(String(metadata.jwks_uri)))
  const { payload, protectedHeader } = await jwtVerify(fields.logout_token ?? '', keySet, {
    issuer: origin,
    audience: app.id,
    typ: 'logout+jwt',
    maxTokenAge: 120,
    requiredClaims: ['iat', 'exp', 'jti', 'events'],
  })
  expect(protectedHeader.alg).toBe('RS256')
  expect(payload).toMatchObject({ sub: claims.sub, sid: claims.sid })
  expect(payload.events).toEqual({ 'http://schemas.openid.net/event/backchannel-logout': {} })
  expect(payload).not.toHaveProperty('nonce')

  const silent = app.begin({ prompt: 'none' })
  expect(app.answerOf(silent, await visitor.get(silent.url)).error).toBe('login_required')
  expect(heard).toHaveLength(1)
})
