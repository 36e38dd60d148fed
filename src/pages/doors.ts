/**
 * The pages that people reach without an app: home, sign-in, registration, the mailed link and their own
 * account. Signing in here is an authorization request like any other, from an app that is ourselves.
 */
import type { Context } from 'koa'
import { randomToken, sha256 } from '../crypto.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import { hostCookieName, readCookie, setCookie } from '../http/cookies.ts'
import { accountClientId } from '../oidc/account-client.ts'
import { cookieNames } from '../oidc/cookies.ts'
import { signedOutPath } from '../oidc/protocol-pages.ts'
import { questionsPath } from '../oidc/question-mails.ts'
import type { RegistrationKey } from '../registration/deps.ts'
import { readLink, verifyToken } from '../registration/proofs.ts'
import type { Row } from '../sessions/artefacts.ts'
import { disconnectApp, listConnectedApps } from '../sessions/consents.ts'
import { signOut as signOutOf } from '../sessions/end-sessions.ts'
import { listQuestions } from '../sessions/questions.ts'
import { read } from '../sessions/reads.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { formOf } from './flow.ts'
import type { Place } from './registration.ts'
import { signedOutPage } from './signed-out.ts'

export function doors(deps: PagesDeps) {
  const { issuer } = deps.config
  const secure = issuer.startsWith('https:')
  const names = cookieNames(issuer)
  const signedOut = signedOutPage(deps)
  const registrationCookie = hostCookieName('registration', secure)
  return { home, signIn, account, disconnect, signOut, sessionOf, place, showLink, submitLink }

  async function home(ctx: Context): Promise<void> {
    if ((await sessionOf(ctx)).account) return seeOther(ctx, '/account')
    draw(ctx, deps, 'home', {
      signInHref: '/sign-in',
      registerHref: deps.config.registration === 'open' ? '/register' : undefined,
    })
  }

  /** Nobody can redeem the code that comes back: its verifier is thrown away here. */
  async function signIn(ctx: Context): Promise<void> {
    const query = new URLSearchParams({
      client_id: accountClientId,
      // Where to is chosen from our own pages, never from an address.
      redirect_uri: ctx.query.to === 'requests' ? issuer + questionsPath : `${issuer}/account`,
      response_type: 'code',
      scope: 'openid',
      code_challenge_method: 'S256',
      code_challenge: sha256(randomToken()).toString('base64url'),
    })
    const { ui_locales: asked } = ctx.query
    if (typeof asked === 'string') query.set('ui_locales', asked)
    seeOther(ctx, `/oauth2/authorize?${query}`)
  }

  async function account(ctx: Context): Promise<void> {
    // The answer of our own request: a reload must not carry it.
    if (ctx.query.code !== undefined || ctx.query.iss !== undefined)
      return seeOther(ctx, '/account')
    const { account: person } = await sessionOf(ctx)
    if (!person) return seeOther(ctx, '/sign-in')
    await drawAccount(ctx, person)
  }

  async function drawAccount(ctx: Context, person: Row, disconnected?: string): Promise<void> {
    draw(ctx, deps, 'account', {
      action: '/account/sign-out',
      username: String(person.username),
      name: String(person.name),
      email: String(person.email),
      emailVerified: person.email_verified_at !== null,
      apps: (await listConnectedApps(deps.database.db, String(person.id))).map((app) => ({
        ...app,
        id: app.clientId,
      })),
      disconnectAction: '/account/apps',
      questions: (await listQuestions(deps.database.db, String(person.id))).length,
      disconnected,
    })
  }

  async function disconnect(ctx: Context): Promise<void> {
    const { account: person } = await sessionOf(ctx)
    if (!person) return seeOther(ctx, '/sign-in')
    const accountId = String(person.id)
    const { client: clientId = '' } = formOf(ctx)
    const actor = { kind: 'person', id: accountId } as const
    const { origin } = ctx.state
    const app = await deps.clients.client(clientId)
    const gone = await disconnectApp(deps.database.db, { accountId, clientId }, { actor, origin })
    await drawAccount(ctx, person, gone ? (app?.name ?? clientId) : undefined)
  }

  async function signOut(ctx: Context): Promise<void> {
    const { session, account: person } = await sessionOf(ctx)
    if (session) {
      const uid = String(session.uid)
      const accountId = person && String(person.id)
      const ended = await signOutOf(deps.database.db, { uid, accountId }, ctx.state.origin)
      signedOut.remember(ctx, { uid, clientIds: ended.parts.map(({ clientId }) => clientId) })
    }
    setCookie(ctx, names.session, '', { secure, maxAgeSeconds: 0 })
    seeOther(ctx, signedOutPath)
  }

  async function sessionOf(ctx: Context) {
    const sessionId = ctx.cookies.get(names.session, { signed: false })
    if (!sessionId) return {}
    return read(deps.database.pool, 'request', [sha256(sessionId), null, null])
  }

  /** Registration at the door: its handle is in a cookie of this browser. */
  function place(ctx: Context): Place {
    return {
      path: (page) => `/${page}`,
      key: keyOf(ctx),
      async remember({ id, handle }) {
        setCookie(ctx, registrationCookie, `${id}.${handle}`, { secure, maxAgeSeconds: 86_400 })
      },
      async finish() {
        if (ctx.method === 'POST') return seeOther(ctx, '/verify-email')
        draw(ctx, deps, 'verify-done', { signInHref: '/sign-in', here: true })
      },
    }
  }

  function keyOf(ctx: Context): RegistrationKey | undefined {
    const [id, handle] = (readCookie(ctx, registrationCookie) ?? '').split('.')
    return id && handle ? { id, handle } : undefined
  }

  /** Mail scanners open links, several times: looking changes nothing. */
  async function showLink(ctx: Context, token: string): Promise<void> {
    const link = await readLink(deps.registration, token)
    if (link.state !== 'ready') return drawClosedLink(ctx, link.state)
    const { maskedEmail, username } = link
    draw(ctx, deps, 'verify-link', {
      state: 'ready',
      action: `/verify-email?token=${encodeURIComponent(token)}`,
      maskedEmail,
      username,
    } as Parameters<typeof draw<'verify-link'>>[3])
  }

  async function submitLink(ctx: Context, token: string): Promise<void> {
    await deps.limits.consume('verification-address', limitKeyAddress(ctx.state.address))
    const { origin } = ctx.state
    const verification = await verifyToken(deps.registration, token, { origin })
    if (verification.ok) return draw(ctx, deps, 'verify-done', { signInHref: '/sign-in' })
    if (verification.code === 'link_used') return drawClosedLink(ctx, 'used')
    if (verification.code === 'link_expired') return drawClosedLink(ctx, 'expired')
    const error = { code: verification.code }
    drawClosedLink(ctx, 'used', error)
  }

  function drawClosedLink(ctx: Context, state: 'used' | 'expired', error?: { code: string }): void {
    const registerHref = deps.config.registration === 'open' ? '/register' : undefined
    const data = { state, signInHref: '/sign-in', registerHref, ...(error ? { error } : {}) }
    draw(ctx, deps, 'verify-link', data as Parameters<typeof draw<'verify-link'>>[3], 410)
  }
}
