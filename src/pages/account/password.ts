/** A new password by its owner. Whoever comes here has just signed in, so the old one is not asked for again. */
import type { Context } from 'koa'
import { findAccount } from '../../accounts/accounts.ts'
import { changePassword } from '../../credentials/passwords.ts'
import { AppError } from '../../errors.ts'
import { hungUp } from '../../http/hung-up.ts'
import type { PageError } from '../../views/page-data.ts'
import { type PagesDeps, seeOther } from '../context.ts'
import { formOf } from '../flow.ts'
import type { AccountFrame, Signed } from './frame.ts'

export function accountPasswordPages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  return { show, submit }

  async function show(ctx: Context, signed: Signed): Promise<void> {
    await drawForm(ctx, signed)
  }

  async function submit(ctx: Context, signed: Signed): Promise<void> {
    const { accountId, session } = signed
    const account = await findAccount(db, accountId)
    if (!account) return seeOther(ctx, '/sign-in')
    const { new_password: typed = '' } = formOf(ctx)
    const checked = await deps.judgePassword(typed, account)
    if (!checked.ok) {
      const { code } = checked
      return drawForm(ctx, signed, { code, fields: [{ field: 'new_password', code }] }, 422)
    }
    let passwordHash: string
    try {
      passwordHash = await deps.hasher.hash(checked.password, hungUp(ctx))
    } catch (error) {
      if (!(error instanceof AppError) || error.status !== 503) throw error
      ctx.set('Retry-After', String(error.retryAfterSeconds ?? 1))
      return drawForm(ctx, signed, error, 503)
    }
    const { origin } = ctx.state
    const keep = String(session.uid)
    const changed = await changePassword(db, { accountId, passwordHash }, keep, origin)
    if (!changed) return seeOther(ctx, '/sign-in')
    await deps.signInLimits.forgive(account)
    deps.knownDevices.remember(ctx, { id: accountId, passwordChangedAt: changed.changedAt })
    frame.done(ctx, changed.first ? 'password-set' : 'password-changed', 'security')
  }

  async function drawForm(
    ctx: Context,
    signed: Signed,
    error?: PageError,
    status = 200,
  ): Promise<void> {
    const account = await findAccount(db, signed.accountId)
    frame.drawPage(
      ctx,
      'account-password',
      {
        action: '/account/password',
        username: String(signed.account.username),
        passwordMinLength: deps.config.passwordMinLength,
        first: account?.passwordHash === null,
        error,
      },
      status,
    )
  }
}
