/**
 * A new password for whoever reads the account's mail: address, code, password, each its page; or the mailed link, which
 * stands for the first two. The same inside a flow, which remembers the proof, and at the door, where a cookie does.
 * It signs nobody in: a second factor is asked for as ever (AC-12).
 */
import type { Context } from 'koa'
import { type Account, findAccount } from '../accounts/accounts.ts'
import { canonicalEmail } from '../accounts/email.ts'
import { isProofHandle, proofHandle } from '../credentials/mail-proof-secrets.ts'
import {
  beginProof,
  findProven,
  guessProof,
  type ProofView,
  readProof,
  resendProof,
} from '../credentials/mail-proofs.ts'
import { listPasskeys } from '../credentials/passkeys.ts'
import { type ResetProof, resetPassword } from '../credentials/passwords.ts'
import { AppError } from '../errors.ts'
import { listIdentities } from '../federation/identities.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import { hostCookieName, readCookie, setCookie } from '../http/cookies.ts'
import { hungUp } from '../http/hung-up.ts'
import { type Flow, saveProgress } from '../oidc/interactions.ts'
import type { App, PageError } from '../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { formOf } from './flow.ts'

const purpose = 'reset-password'

/** Where this stands: in a flow, or at the door. */
export type ResetPlace = {
  path: string
  signInHref: string
  app?: App | undefined
  /** The proof that this browser has asked for here. */
  id?: string | undefined
  remember(id: string | undefined): Promise<void>
}

type State = 'email' | 'code' | 'password'
type Given = { error?: PageError | undefined; email?: string; resent?: boolean }

export function resetPages(deps: PagesDeps) {
  const { db } = deps.database
  const secure = deps.config.issuer.startsWith('https:')
  const cookie = hostCookieName('reset', secure)
  return { show, submit, showLink, submitLink, door, inFlow }

  function door(ctx: Context): ResetPlace {
    const [id = '', handle = ''] = (readCookie(ctx, cookie) ?? '').split('.')
    const own = /^[\da-f-]{36}$/.test(id) && isProofHandle(deps.keyring, id, handle)
    return {
      path: '/reset-password',
      signInHref: '/sign-in',
      id: own ? id : undefined,
      async remember(next) {
        const value = next ? `${next}.${proofHandle(deps.keyring, next)}` : ''
        setCookie(ctx, cookie, value, { secure, maxAgeSeconds: next ? 7200 : 0 })
      },
    }
  }

  function inFlow(flow: Flow, app: App | undefined): ResetPlace {
    return {
      path: `/sign-in/${flow.id}/reset-password`,
      signInHref: `/sign-in/${flow.id}`,
      app,
      id: flow.progress.resetId,
      async remember(resetId) {
        await saveProgress(deps.database.pool, flow, { resetId })
      },
    }
  }

  async function show(ctx: Context, place: ResetPlace): Promise<void> {
    const view = await viewOf(place)
    drawStep(ctx, place, view, {})
  }

  async function viewOf({ id }: ResetPlace): Promise<ProofView | undefined> {
    const view = id ? await readProof(db, { id, purpose }) : undefined
    return view?.state === 'over' ? undefined : view
  }

  async function submit(ctx: Context, place: ResetPlace): Promise<void> {
    const { action } = formOf(ctx)
    if (action === 'cancel') {
      await place.remember(undefined)
      return seeOther(ctx, place.signInHref)
    }
    const view = await viewOf(place)
    try {
      if (!view || !place.id) return await askForMail(ctx, place)
      if (action === 'resend') return await askAgain(ctx, place, place.id)
      if (view.state === 'proven') return await setPassword(ctx, place, { id: place.id })
      await takeCode(ctx, place, place.id)
    } catch (error) {
      if (!(error instanceof AppError) || ![429, 503].includes(error.status)) throw error
      ctx.set('Retry-After', String(error.retryAfterSeconds ?? 1))
      const { email } = formOf(ctx)
      drawStep(ctx, place, view, { error, ...(email ? { email } : {}) }, error.status)
    }
  }

  async function askForMail(ctx: Context, place: ResetPlace): Promise<void> {
    const { email = '' } = formOf(ctx)
    const address = canonicalEmail(email)
    if (!address.ok) {
      const code = email ? address.code : 'email_required'
      const error = { code, fields: [{ field: 'email', code }] }
      return drawStep(ctx, place, undefined, { error, email }, 422)
    }
    await deps.limits.consume('reset-address', limitKeyAddress(ctx.state.address))
    const { locale, origin } = ctx.state
    await place.remember(await beginProof(db, { purpose, address, locale }, origin))
    seeOther(ctx, place.path)
  }

  async function askAgain(ctx: Context, place: ResetPlace, id: string): Promise<void> {
    await deps.limits.consume('resend-address', limitKeyAddress(ctx.state.address))
    const sent = await resendProof(db, { id, purpose }, ctx.state.origin)
    const view = await viewOf(place)
    const retryAfterSeconds = view?.waitSeconds ?? 0
    // After the last mail there is no other way than to begin again.
    if (!sent && retryAfterSeconds === 0) await place.remember(undefined)
    if (!sent && retryAfterSeconds === 0) return seeOther(ctx, place.path)
    const error = sent ? undefined : { code: 'resend_too_soon', retryAfterSeconds }
    drawStep(ctx, place, view, { resent: sent, error })
  }

  async function takeCode(ctx: Context, place: ResetPlace, id: string): Promise<void> {
    await deps.limits.consume('verification-address', limitKeyAddress(ctx.state.address))
    const { code = '', new_password: password } = formOf(ctx)
    const guess = await guessProof(
      { db, keyring: deps.keyring },
      { id, purpose },
      code,
      ctx.state.origin,
    )
    if (guess.ok && password) return setPassword(ctx, place, { id })
    if (guess.ok) return seeOther(ctx, place.path)
    const left = guess.guessesLeft
    const error = { code: guess.code, ...(left ? { values: { count: left } } : {}) }
    drawStep(ctx, place, await viewOf(place), { error }, 422)
  }

  async function setPassword(
    ctx: Context,
    place: ResetPlace,
    proof: ResetProof,
    action = place.path,
  ): Promise<void> {
    const refuse = (error: PageError, status = 422) =>
      drawPassword(ctx, place, action, { error }, status)
    const found = await findProven(db, { ...proof, purpose })
    const account = found?.accountId ? await findAccount(db, found.accountId) : undefined
    if (!account) return over(ctx, place)
    const { new_password: typed = '' } = formOf(ctx)
    const checked = await deps.judgePassword(typed, account)
    if (!checked.ok) {
      const { code } = checked
      return refuse({ code, fields: [{ field: 'new_password', code }] })
    }
    const passwordHash = await deps.hasher.hash(checked.password, hungUp(ctx))
    if (!(await resetPassword(db, proof, passwordHash, ctx.state.origin))) return over(ctx, place)
    await deps.signInLimits.forgive(account satisfies Account)
    await place.remember(undefined)
    const { app, signInHref } = place
    const others = await otherWaysIn(account.id)
    draw(ctx, deps, 'reset-done', { app, signInHref, others, securityHref: '/sign-in?to=security' })
  }

  /** Whoever had the account before may have left one behind (AC-17); the owner knows which are theirs. */
  async function otherWaysIn(accountId: string) {
    const passkeys = await listPasskeys(db, accountId)
    const identities = await listIdentities(db, accountId)
    return [
      ...passkeys.map(({ name }) => ({ kind: 'passkey' as const, name })),
      ...identities.map(({ provider: name }) => ({ kind: 'provider' as const, name })),
    ]
  }

  /** Used meanwhile, or too old. */
  async function over(ctx: Context, place: ResetPlace): Promise<void> {
    await place.remember(undefined)
    drawStep(ctx, place, undefined, { error: { code: 'link_expired' } }, 410)
  }

  /** Mail scanners open links, several times: looking changes nothing (AC-06). */
  async function showLink(ctx: Context, token: string): Promise<void> {
    const place = door(ctx)
    if (!(await findProven(db, { token, purpose }))) {
      return drawStep(ctx, place, undefined, { error: { code: 'link_expired' } }, 410)
    }
    drawPassword(ctx, place, linkPath(token), {})
  }

  async function submitLink(ctx: Context, token: string): Promise<void> {
    await deps.limits.consume('verification-address', limitKeyAddress(ctx.state.address))
    try {
      await setPassword(ctx, door(ctx), { token }, linkPath(token))
    } catch (error) {
      if (!(error instanceof AppError) || error.status !== 503) throw error
      ctx.set('Retry-After', String(error.retryAfterSeconds ?? 1))
      drawPassword(ctx, door(ctx), linkPath(token), { error }, 503)
    }
  }

  function drawPassword(
    ctx: Context,
    place: ResetPlace,
    action: string,
    given: Given,
    status = 200,
  ): void {
    drawReset(ctx, { ...place, path: action }, 'password', undefined, given, status)
  }

  function drawStep(
    ctx: Context,
    place: ResetPlace,
    view: ProofView | undefined,
    given: Given,
    status = 200,
  ): void {
    const state = !view ? 'email' : view.state === 'proven' ? 'password' : 'code'
    drawReset(ctx, place, state, view, given, status)
  }

  function drawReset(
    ctx: Context,
    place: ResetPlace,
    state: State,
    view: ProofView | undefined,
    given: Given,
    status: number,
  ): void {
    draw(
      ctx,
      deps,
      'reset-password',
      {
        ...given,
        state,
        action: place.path,
        app: place.app,
        signInHref: place.signInHref,
        passwordMinLength: deps.config.passwordMinLength,
        ...(view && state === 'code'
          ? {
              maskedEmail: view.maskedEmail,
              waitSeconds: view.waitSeconds,
              proof: view.state === 'open' ? ('open' as const) : closed(view.state),
            }
          : {}),
      },
      status,
    )
  }
}

const closed = (state: ProofView['state']) => (state === 'too-many' ? 'too-many' : 'expired')

const linkPath = (token: string) => `/reset-password?token=${encodeURIComponent(token)}`
