/** What is held about somebody, to take along, and the way out for good. */
import type { Context } from 'koa'
import { askDeletion, exportAccount, graceDays } from '../../accounts/leaving.ts'
import { setCookie } from '../../http/cookies.ts'
import { accountPages } from '../../oidc/account-client.ts'
import { cookieNames } from '../../oidc/cookies.ts'
import type { PageError } from '../../views/page-data.ts'
import { draw, type PagesDeps } from '../context.ts'
import { formOf } from '../flow.ts'
import type { AccountFrame, Signed } from './frame.ts'

export function accountDataPages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  const { issuer } = deps.config
  return { show, download, showDelete, submitDelete }

  function show(ctx: Context): void {
    frame.drawPage(ctx, 'account-data', {
      action: '/account/data',
      deleteHref: accountPages.delete,
      days: graceDays,
    })
  }

  async function download(ctx: Context, { accountId, account }: Signed): Promise<void> {
    const document = await exportAccount(db, accountId)
    ctx.type = 'application/json'
    ctx.set('Content-Disposition', `attachment; filename="${account.username}.json"`)
    ctx.body = `${JSON.stringify(document, null, 2)}\n`
  }

  function showDelete(ctx: Context, signed: Signed): void {
    drawDelete(ctx, signed)
  }

  async function submitDelete(ctx: Context, signed: Signed): Promise<void> {
    const { accountId, account } = signed
    const { username = '' } = formOf(ctx)
    if (username.trim().toLowerCase() !== account.username) {
      const error = {
        code: 'username_other',
        fields: [{ field: 'username', code: 'username_other' }],
      }
      return drawDelete(ctx, signed, error)
    }
    if (!(await askDeletion(db, accountId, ctx.state.origin))) {
      return drawDelete(ctx, signed, { code: 'last_admin' })
    }
    const secure = issuer.startsWith('https:')
    setCookie(ctx, cookieNames(issuer).session, '', { secure, maxAgeSeconds: 0 })
    draw(ctx, deps, 'account-left', { days: graceDays, signInHref: '/sign-in' })
  }

  function drawDelete(ctx: Context, { account }: Signed, error?: PageError): void {
    frame.drawPage(
      ctx,
      'account-delete',
      { action: accountPages.delete, username: String(account.username), days: graceDays, error },
      error ? 422 : 200,
    )
  }
}
