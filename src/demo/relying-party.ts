/**
 * The demo app: what an app of yours does to sign people in here, all of it, on openid-client. Authorization code
 * with PKCE, state and nonce; userinfo; an API of its own; refresh; sign-out. Who is signed in is kept in memory;
 * how it looks is relying-party-pages.ts.
 */
import { randomUUID } from 'node:crypto'
import Router from '@koa/router'
import type { Context } from 'koa'
import * as client from 'openid-client'
import { drawHome, drawTrouble } from './relying-party-pages.ts'

export type AppSettings = {
  name: string
  /** Where the app is, without a trailing slash; `<url>/callback` and `<url>` are registered for it. */
  url: string
  issuer: string
  clientId: string
  clientSecret: string
  /** The API that it calls: what its tokens are for, which scope they carry, and its address. */
  api: { identifier: string; scope: string; url: string }
}

/** One browser at this app. */
export type Session = {
  /** On the way to the provider and back: what the answer has to fit. */
  pending?: { state: string; nonce: string; verifier: string }
  /** Signed in. */
  person?: { claims: client.IDToken; idToken: string; accessToken: string; refreshToken: string }
  refreshes: number
  /** What was asked last, and the answer. */
  asked?: { what: string; answer: unknown }
}

export function createRelyingParty(settings: AppSettings): Router {
  const { issuer, clientId, clientSecret, api, url } = settings
  const { pathname: path } = new URL(url)
  const cookieName = `demo-${clientId}`
  const sessions = new Map<string, Session>()
  let discovered: Promise<client.Configuration> | undefined

  /** Reads the provider's discovery document, once. */
  function provider(): Promise<client.Configuration> {
    // Only because the demo runs on http://localhost; yours runs on https and leaves this out.
    const execute = [client.allowInsecureRequests]
    discovered ??= client.discovery(new URL(issuer), clientId, clientSecret, undefined, { execute })
    discovered.catch(() => {
      discovered = undefined
    })
    return discovered
  }

  function home(ctx: Context): void {
    drawHome(ctx, settings, sessionOf(ctx))
  }

  async function signIn(ctx: Context): Promise<void> {
    const pending = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
    }
    keep(ctx, { pending, refreshes: 0 })
    const request = client.buildAuthorizationUrl(await provider(), {
      redirect_uri: `${url}/callback`,
      scope: `openid profile email offline_access ${api.scope}`,
      resource: api.identifier,
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
    })
    ctx.redirect(request.href)
  }

  /** The provider sends the browser back with a code. */
  async function callback(ctx: Context): Promise<void> {
    const { pending } = sessionOf(ctx) ?? {}
    if (!pending)
      throw new Error('This browser has not begun to sign in here, or it was some time ago.')
    // Checks state, issuer, the ID token's signature, audience, times and nonce.
    const tokens = await client.authorizationCodeGrant(
      await provider(),
      new URL(`${url}/callback${ctx.search}`),
      {
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        pkceCodeVerifier: pending.verifier,
        idTokenExpected: true,
      },
    )
    const claims = tokens.claims()
    const { id_token: idToken, access_token: accessToken, refresh_token: refreshToken } = tokens
    if (!claims || !idToken || !refreshToken) throw new Error('The provider gave no refresh token.')
    // A new session id: one that somebody planted before the sign-in is worth nothing after it.
    keep(ctx, { person: { claims, idToken, accessToken, refreshToken }, refreshes: 0 })
    ctx.redirect(url)
  }

  async function askUserinfo(ctx: Context): Promise<void> {
    const { session, person } = signedIn(ctx)
    const config = await provider()
    const answer = await client.fetchUserInfo(config, person.accessToken, person.claims.sub)
    session.asked = { what: 'userinfo', answer }
    ctx.redirect(url)
  }

  /** The API wants a token of its own: a JWT with the API as its audience, which a refresh brings. */
  async function callApi(ctx: Context): Promise<void> {
    const { session, person } = signedIn(ctx)
    const tokens = await client.refreshTokenGrant(await provider(), person.refreshToken, {
      resource: api.identifier,
    })
    person.refreshToken = tokens.refresh_token ?? person.refreshToken
    const response = await fetch(api.url, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    })
    if (!response.ok) throw new Error(`The API answered ${response.status}.`)
    session.asked = { what: 'the API', answer: await response.json() }
    ctx.redirect(url)
  }

  async function refresh(ctx: Context): Promise<void> {
    const { session, person } = signedIn(ctx)
    const tokens = await client.refreshTokenGrant(await provider(), person.refreshToken)
    person.accessToken = tokens.access_token
    // Each refresh token works once; the answer holds the next.
    person.refreshToken = tokens.refresh_token ?? person.refreshToken
    person.idToken = tokens.id_token ?? person.idToken
    session.refreshes += 1
    ctx.redirect(url)
  }

  /** Out here first, then at the provider, which sends the browser back to us. */
  async function signOut(ctx: Context): Promise<void> {
    const { person } = sessionOf(ctx) ?? {}
    sessions.delete(ctx.cookies.get(cookieName) ?? '')
    if (!person) return ctx.redirect(url)
    const request = client.buildEndSessionUrl(await provider(), {
      id_token_hint: person.idToken,
      post_logout_redirect_uri: url,
    })
    ctx.redirect(request.href)
  }

  function sessionOf(ctx: Context): Session | undefined {
    return sessions.get(ctx.cookies.get(cookieName) ?? '')
  }

  function signedIn(ctx: Context) {
    const session = sessionOf(ctx)
    if (!session?.person) throw new Error('Nobody is signed in here any more.')
    return { session, person: session.person }
  }

  function keep(ctx: Context, session: Session): void {
    sessions.delete(ctx.cookies.get(cookieName) ?? '')
    const id = randomUUID()
    sessions.set(id, session)
    // Lax: sent when the provider redirects back, not when another site posts a form.
    ctx.cookies.set(cookieName, id, { path, httpOnly: true, sameSite: 'lax' })
  }

  const router = new Router()
  router.use(async (ctx, next) => {
    try {
      await next()
    } catch (error) {
      drawTrouble(ctx, settings, error)
    }
  })
  const at = (page: string) => `${path === '/' ? '' : path}${page}`
  router.get(path, home)
  router.get(at('/sign-in'), signIn)
  router.get(at('/callback'), callback)
  router.post(at('/userinfo'), askUserinfo)
  router.post(at('/call-api'), callApi)
  router.post(at('/refresh'), refresh)
  router.post(at('/sign-out'), signOut)
  return router
}
