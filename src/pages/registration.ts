/**
 * Becoming a person here: the form and the proof of the mailbox. The same pages serve inside a flow, where the
 * flow remembers the registration, and as doors of their own, where a cookie holds its secret handle.
 */
import type { Context } from 'koa'
import type { Origin } from '../audit/audit.ts'
import { relyingPartyOf } from '../credentials/passkey-domain.ts'
import { AppError, type FieldError } from '../errors.ts'
import { limitKeyAddress, networkOf } from '../http/client-address.ts'
import { hungUp } from '../http/hung-up.ts'
import { countInvite } from '../http/invite-limits.ts'
import { sameInvite } from '../invites/codes.ts'
import { abandon } from '../registration/abandon.ts'
import { type Begun, begin } from '../registration/begin.ts'
import type { RegistrationKey } from '../registration/deps.ts'
import type { Fields } from '../registration/fields.ts'
import { inviteOf, isWrongInvite } from '../registration/invited.ts'
import { resend } from '../registration/mails.ts'
import { verifyCode } from '../registration/proofs.ts'
import { type RegistrationView, read } from '../registration/read.ts'
import type { PageError } from '../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { formOf } from './flow.ts'
import type { Place } from './registration-place.ts'
import { pathOf } from './steps.ts'
import { providerButtons } from './upstream.ts'

export function registrationPages(deps: PagesDeps) {
  const { registration } = deps
  const party = relyingPartyOf(deps.config)
  return { showForm, submitForm, showProof, submitProof }

  /** Whoever comes back ("Wrong address?") finds what they had typed. */
  async function showForm(ctx: Context, place: Place): Promise<void> {
    const before = place.key && (await read(deps.database.db, place.key))
    const pending = before?.status === 'verified' ? undefined : before
    const typed = pending
      ? { username: pending.username, email: pending.email, name: '' }
      : place.upstream?.typed
    const link = [ctx.query.invite ?? []].flat()[0]?.slice(0, 64)
    const own = pending && place.key && (await inviteOf(registration, place.key))
    await drawForm(ctx, place, { ...(typed ? { typed } : {}), invite: link ?? own })
  }

  async function submitForm(ctx: Context, place: Place): Promise<void> {
    const { username = '', email = '', name = '', invite, way } = formOf(ctx)
    const { password: given = '' } = formOf(ctx)
    const without = (way === 'passkey' && party) || (way === 'upstream' && place.upstream)
    const password = without ? null : given
    const typed = { username, email, name }
    const { address, origin, locale } = ctx.state
    try {
      await deps.limits.consume('registration-address', limitKeyAddress(address))
      await deps.limits.consume('registration-network', networkOf(address))
      const code = invite?.trim() || undefined
      const fields = { username, email, password, name: name || undefined, locale, invite: code }
      const begun = await countInvite(
        deps,
        { code, address },
        () => beginOrReplace(place, fields, origin, hungUp(ctx)),
        isWrongInvite,
      )
      if (!begun.ok) {
        const error = { code: 'invalid_request', fields: begun.errors }
        return drawForm(ctx, place, { typed, error, invite }, 422)
      }
      await place.remember(begun.key)
      seeOther(ctx, place.path('verify-email'))
    } catch (error) {
      // What the person can do something about stays on the page, with what they had typed.
      if (!(error instanceof AppError) || ![403, 429, 503].includes(error.status)) throw error
      if (error.retryAfterSeconds) ctx.set('Retry-After', String(error.retryAfterSeconds))
      await drawForm(ctx, place, { typed, error, invite }, error.status)
    }
  }

  /** A username or invitation that is only held by what this browser began before is free for it. */
  async function beginOrReplace(
    place: Place,
    fields: Fields,
    origin: Origin,
    signal: AbortSignal,
  ): Promise<Begun> {
    const begun = await begin(registration, fields, origin, { signal })
    if (begun.ok || !place.key) return begun
    const held = await read(deps.database.db, place.key)
    const own = await inviteOf(registration, place.key)
    const mayBeFreed = ({ code }: FieldError) =>
      code === 'username_taken'
        ? held?.username === fields.username
        : code === 'invite_invalid' && own !== undefined && sameInvite(own, fields.invite ?? '')
    if (!begun.errors.every(mayBeFreed)) return begun
    if (!(await abandon(deps.database.db, place.key, origin))) return begun
    return begin(registration, fields, origin, { signal })
  }

  async function showProof(ctx: Context, place: Place): Promise<void> {
    const view = place.key && (await read(deps.database.db, place.key))
    if (!view) return seeOther(ctx, place.path('register'))
    if (!isProven(view)) return drawProof(ctx, place, view, {})
    // The script asks by HEAD whether the link was opened elsewhere; asking signs nobody in (WB-11).
    if (ctx.method === 'HEAD') return seeOther(ctx, place.path('verify-email'))
    await place.finish(view.accountId)
  }

  async function submitProof(ctx: Context, place: Place): Promise<void> {
    const { key } = place
    if (!key) return seeOther(ctx, place.path('register'))
    const { code = '', action } = formOf(ctx)
    if (action === 'resend') return askAgain(ctx, place, key)
    const address = limitKeyAddress(ctx.state.address)
    const refusal = await deps.limits
      .consume('verification-address', address)
      .then(() => verifyCode(registration, key, code, ctx.state.origin))
      .catch((error: unknown) => {
        if (error instanceof AppError && error.status === 429) return error
        throw error
      })
    if ('ok' in refusal && refusal.ok) return place.finish(refusal.accountId)
    const view = await read(deps.database.db, key)
    if (!view) return seeOther(ctx, place.path('register'))
    if (isProven(view)) return place.finish(view.accountId)
    const left = 'guessesLeft' in refusal ? refusal.guessesLeft : undefined
    const error: PageError =
      refusal instanceof AppError
        ? refusal
        : { code: refusal.code, ...(left ? { values: { count: left } } : {}) }
    drawProof(ctx, place, view, { error }, refusal instanceof AppError ? refusal.status : 422)
  }

  async function askAgain(ctx: Context, place: Place, key: RegistrationKey): Promise<void> {
    await deps.limits.consume('resend-address', limitKeyAddress(ctx.state.address))
    const answer = await resend(registration, key, ctx.state.origin)
    const view = await read(deps.database.db, key)
    if (view && isProven(view)) return place.finish(view.accountId)
    if (!view || !answer.ok) return seeOther(ctx, place.path('register'))
    if (answer.sent) return drawProof(ctx, place, view, { resent: true })
    const { retryAfterSeconds } = answer
    drawProof(ctx, place, view, { error: { code: 'resend_too_soon', retryAfterSeconds } })
  }

  async function drawForm(
    ctx: Context,
    place: Place,
    given: {
      typed?: Record<'username' | 'email' | 'name', string>
      error?: PageError
      invite?: string | undefined
    },
    status = 200,
  ): Promise<void> {
    const { invite, ...rest } = given
    const needed = deps.config.registration === 'invite'
    draw(
      ctx,
      deps,
      'register',
      {
        ...rest,
        ...(await waysOf(place)),
        action: place.path('register'),
        app: place.app,
        invite: invite || needed ? { code: invite ?? '', needed } : undefined,
        passwordMinLength: deps.config.passwordMinLength,
        signInHref: place.path('sign-in'),
        closed: deps.config.registration === 'closed',
        passkeys: party !== undefined && place.upstream === undefined,
      },
      status,
    )
  }

  /** By whom somebody has been proven already, or could be. */
  async function waysOf({ upstream, flow }: Place) {
    if (upstream) return { proven: { provider: upstream.provider, label: upstream.label } }
    return providerButtons(deps, flow ? `${pathOf(flow.id, 'sign-in')}/with` : '/register/with')
  }

  function drawProof(
    ctx: Context,
    place: Place,
    view: RegistrationView,
    given: { error?: PageError; resent?: boolean },
    status = 200,
  ): void {
    draw(
      ctx,
      deps,
      'verify-email',
      {
        ...given,
        action: place.path('verify-email'),
        app: place.app,
        maskedEmail: view.maskedEmail,
        waitSeconds: view.waitSeconds,
        changeHref: place.path('register'),
        state: view.proof,
      },
      status,
    )
  }
}

/** Perhaps elsewhere, by the link: then every way on from here is the way on. */
function isProven(view: RegistrationView): view is RegistrationView & { accountId: string } {
  return view.status === 'verified' && view.accountId !== null
}
