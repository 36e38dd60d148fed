/**
 * The last step of who registers without a password: a passkey, or after all a password. Open to the browser that has
 * proven the address (registration/first-way-in.ts), in a flow and at the door, and only while the account has no way in.
 */
import type { Context } from 'koa'
import { addPasskey, createPasskeyOptions } from '../credentials/add-passkey.ts'
import { findRelyingParty, relyingPartyOf } from '../credentials/passkey-domain.ts'
import { setFirstPassword } from '../credentials/passwords.ts'
import { AppError } from '../errors.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import { hungUp } from '../http/hung-up.ts'
import { findNewcomer } from '../registration/first-way-in.ts'
import type { PageError } from '../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { formOf } from './flow.ts'
import type { Place } from './registration-place.ts'

type Newcomer = NonNullable<Awaited<ReturnType<typeof findNewcomer>>>

export function firstPasskeyPages(deps: PagesDeps) {
  const { db } = deps.database
  const own = relyingPartyOf(deps.config)
  return { show, options, submit }

  async function show(ctx: Context, place: Place): Promise<void> {
    if (await enter(ctx, place)) drawFirst(ctx, place, {})
  }

  async function options(ctx: Context, place: Place): Promise<void> {
    const newcomer = await enter(ctx, place)
    if (!newcomer || !own) return
    await deps.limits.consume('passkey-challenge', limitKeyAddress(ctx.state.address))
    const given = { account: newcomer.account, boundTo: boundTo(newcomer) }
    ctx.body = await createPasskeyOptions(db, await findRelyingParty(db, own), given)
  }

  async function submit(ctx: Context, place: Place): Promise<void> {
    const newcomer = await enter(ctx, place)
    if (!newcomer) return
    const { act, answer = '' } = formOf(ctx)
    if (act === 'password' || !own) return setPassword(ctx, place, newcomer)
    const { id: accountId } = newcomer.account
    const given = { accountId, boundTo: boundTo(newcomer), answer, first: true }
    const party = await findRelyingParty(db, own)
    const added = await addPasskey(db, party, given, ctx.state.origin)
    if (added.ok) return place.enter(newcomer.account, added.amr)
    if (added.code === 'way_in_exists') return place.finish(accountId)
    drawFirst(ctx, place, { error: added }, 422)
  }

  async function setPassword(ctx: Context, place: Place, { account }: Newcomer): Promise<void> {
    const refuse = (error: PageError, status = 422) => drawFirst(ctx, place, { error }, status)
    const { new_password: typed = '' } = formOf(ctx)
    const checked = await deps.judgePassword(typed, account)
    if (!checked.ok) {
      const { code } = checked
      return refuse({ code, fields: [{ field: 'new_password', code }] })
    }
    try {
      const passwordHash = await deps.hasher.hash(checked.password, hungUp(ctx))
      const given = { accountId: account.id, passwordHash }
      const changedAt = await setFirstPassword(db, given, ctx.state.origin)
      if (!changedAt) return place.finish(account.id)
      await place.enter({ ...account, passwordChangedAt: changedAt }, ['pwd'])
    } catch (error) {
      if (!(error instanceof AppError) || error.status !== 503) throw error
      ctx.set('Retry-After', String(error.retryAfterSeconds ?? 1))
      refuse(error, 503)
    }
  }

  /** Others go on to where the registration stands. */
  async function enter(ctx: Context, place: Place): Promise<Newcomer | undefined> {
    const newcomer = await findNewcomer(db, place)
    if (!newcomer) seeOther(ctx, place.path(place.key ? 'verify-email' : 'sign-in'))
    return newcomer
  }

  function drawFirst(ctx: Context, place: Place, given: { error?: PageError }, status = 200): void {
    const action = place.path('first-passkey')
    const typing = ctx.query.with === 'password' || given.error?.fields !== undefined
    draw(
      ctx,
      deps,
      'first-passkey',
      {
        ...given,
        action,
        app: place.app,
        ...(own && !typing ? { optionsAction: `${action}/options` } : {}),
        ...(own ? { passkeyHref: action } : {}),
        passwordHref: `${action}?with=password`,
        passwordMinLength: deps.config.passwordMinLength,
      },
      status,
    )
  }
}

function boundTo({ registrationId }: Newcomer): string {
  return `registration ${registrationId}`
}
