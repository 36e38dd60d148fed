/**
 * The pages that people reach without an app: home, sign-in, registration and the mailed link.
 * Signing in here is an authorization request like any other, from an app that is ourselves.
 */
import type { Context } from 'koa'
import { findAccount } from '../accounts/accounts.ts'
import { randomToken, sha256 } from '../crypto.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import { hostCookieName, readCookie, setCookie } from '../http/cookies.ts'
import { type AccountPage, accountClientId, accountPages } from '../oidc/account-client.ts'
import type { RegistrationKey } from '../registration/deps.ts'
import {
  findNewcomer,
  hasWayIn,
  mailboxMark,
  readMailboxMark,
} from '../registration/first-way-in.ts'
import { readLink, verifyToken } from '../registration/proofs.ts'
import { type AccountFrame, freshSeconds } from './account/frame.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { formOf } from './flow.ts'
import type { Place } from './registration-place.ts'

const chosenCookie = ({ config }: Pick<PagesDeps, 'config'>) =>
  hostCookieName('with', config.issuer.startsWith('https:'))

/** The provider that was chosen at the door, once. */
export function takeChosenProvider(ctx: Context, deps: PagesDeps): string | undefined {
  const chosen = readCookie(ctx, chosenCookie(deps))
  if (chosen === undefined) return undefined
  const secure = deps.config.issuer.startsWith('https:')
  setCookie(ctx, chosenCookie(deps), '', { secure, maxAgeSeconds: 0 })
  return chosen
}

export function doors(deps: PagesDeps, sessionOf: AccountFrame['sessionOf']) {
  const { issuer } = deps.config
  const secure = issuer.startsWith('https:')
  const registrationCookie = hostCookieName('registration', secure)
  const mailboxCookie = hostCookieName('mailbox', secure)
  return { home, signIn, place, linkedHere, showLink, submitLink, registerWith }

  async function home(ctx: Context): Promise<void> {
    if ((await sessionOf(ctx)).account) return seeOther(ctx, '/account')
    draw(ctx, deps, 'home', {
      signInHref: '/sign-in',
      registerHref: deps.config.registration !== 'closed' ? '/register' : undefined,
    })
  }

  /**
   * Nobody can redeem the code that comes back: its verifier is thrown away here. `fresh` asks for a recent sign-in, of
   * the person who is here, `strong` for two factors.
   */
  async function signIn(ctx: Context): Promise<void> {
    const { to, fresh, strong } = ctx.query
    // Where to is chosen from our own pages, never from an address.
    const page = typeof to === 'string' && Object.hasOwn(accountPages, to) ? to : 'home'
    const query = new URLSearchParams({
      client_id: accountClientId,
      redirect_uri: issuer + accountPages[page as AccountPage],
      response_type: 'code',
      scope: 'openid',
      code_challenge_method: 'S256',
      code_challenge: sha256(randomToken()).toString('base64url'),
    })
    if (fresh === '1') {
      query.set('max_age', String(freshSeconds))
      const { account } = await sessionOf(ctx)
      if (account) query.set('login_hint', String(account.username))
    }
    // Who is signed in is asked for what is missing alone.
    if (strong === '1') {
      const acr = { essential: true, values: ['2fa'] }
      query.set('claims', JSON.stringify({ id_token: { acr } }))
    }
    const { ui_locales: asked } = ctx.query
    if (typeof asked === 'string') query.set('ui_locales', asked)
    seeOther(ctx, `/oauth2/authorize?${query}`)
  }

  /** "Continue with …" at the door: the sign-in that begins now goes straight on to that provider. */
  async function registerWith(ctx: Context): Promise<void> {
    const provider = await deps.providers.find(formOf(ctx).provider ?? '')
    if (provider) setCookie(ctx, chosenCookie(deps), provider.id, { secure, maxAgeSeconds: 60 })
    seeOther(ctx, '/sign-in')
  }

  /** Registration at the door: its handle is in a cookie of this browser. */
  function place(ctx: Context): Place {
    return {
      path: (page) => `/${page}`,
      key: keyOf(ctx),
      async remember({ id, handle }) {
        setCookie(ctx, registrationCookie, `${id}.${handle}`, { secure, maxAgeSeconds: 86_400 })
      },
      linked: linkedHere(ctx),
      async finish(accountId) {
        if (ctx.method === 'POST') return seeOther(ctx, '/verify-email')
        const { db } = deps.database
        const here = { key: keyOf(ctx), linked: linkedHere(ctx) }
        if (await findNewcomer(db, here)) return seeOther(ctx, '/first-passkey')
        const account = await findAccount(db, accountId)
        const unfinished = account !== undefined && !(await hasWayIn(db, account))
        draw(ctx, deps, 'verify-done', { signInHref: '/sign-in', here: true, unfinished })
      },
      async enter() {
        draw(ctx, deps, 'verify-done', { signInHref: '/sign-in', here: true })
      },
    }
  }

  /** The registration whose link was opened in this browser, where there was no password. */
  function linkedHere(ctx: Context): string | undefined {
    return readMailboxMark(deps.keyring, readCookie(ctx, mailboxCookie) ?? '')
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
    if (verification.ok) {
      const { registrationId: linked } = verification
      if (!linked || !(await findNewcomer(deps.database.db, { linked }))) {
        return draw(ctx, deps, 'verify-done', { signInHref: '/sign-in' })
      }
      const mark = mailboxMark(deps.keyring, linked)
      setCookie(ctx, mailboxCookie, mark, { secure, maxAgeSeconds: 86_400 })
      return seeOther(ctx, '/first-passkey')
    }
    if (verification.code === 'link_used') return drawClosedLink(ctx, 'used')
    if (verification.code === 'link_expired') return drawClosedLink(ctx, 'expired')
    const error = { code: verification.code }
    drawClosedLink(ctx, 'used', error)
  }

  function drawClosedLink(ctx: Context, state: 'used' | 'expired', error?: { code: string }): void {
    const registerHref = deps.config.registration !== 'closed' ? '/register' : undefined
    const data = { state, signInHref: '/sign-in', registerHref, ...(error ? { error } : {}) }
    draw(ctx, deps, 'verify-link', data as Parameters<typeof draw<'verify-link'>>[3], 410)
  }
}
