/**
 * Setting up an authenticator app: a QR code, the secret to type, and a first code that proves it. In a flow for whoever
 * may not go on without one, and among the pages of one's own account.
 */
import type { Context } from 'koa'
import {
  addAuthenticator,
  beginAuthenticator,
  reopenSetUp,
  type SetUp,
} from '../credentials/authenticators.ts'
import { firstRecoveryCodes } from '../credentials/recovery-codes.ts'
import type { Flow } from '../oidc/interactions.ts'
import type { App, PageError } from '../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { appOfFlow, formOf } from './flow.ts'
import { proveSecond, readHalfWay } from './next-step.ts'
import { qrOf } from './qr.ts'
import { pathOf } from './steps.ts'

/** Whose it becomes, and where: what was shown in one place is confirmed in no other. */
export type Setting = {
  accountId: string
  username: string
  place: string
  action: string
  app?: App | undefined
  cancelHref?: string | undefined
}

export function authenticatorPages(deps: PagesDeps) {
  const { db } = deps.database
  const keeping = { db, keyring: deps.keyring }
  return { showSetUp, confirm, freshCodes, showInFlow, submitInFlow }

  function showSetUp(ctx: Context, setting: Setting): void {
    const setUp = beginAuthenticator(deps.keyring, setting, deps.config.brandName)
    drawSetUp(ctx, setting, setUp)
  }

  /** True when the authenticator is there; otherwise the page has been drawn again. */
  async function confirm(ctx: Context, setting: Setting): Promise<boolean> {
    const { ticket = '', code = '', name = '' } = formOf(ctx)
    const setUp = reopenSetUp(deps.keyring, ticket, setting, deps.config.brandName)
    if (!setUp) {
      const again = beginAuthenticator(deps.keyring, setting, deps.config.brandName)
      drawSetUp(ctx, setting, again, { error: { code: 'set_up_expired' }, name })
      return false
    }
    const { accountId } = setting
    const added = await addAuthenticator(
      keeping,
      setUp,
      { accountId, name, code },
      ctx.state.origin,
    )
    if (!added.ok) {
      const error = { code: added.code === 'code_wrong' ? 'set_up_code_wrong' : added.code }
      drawSetUp(ctx, setting, setUp, { error, name })
    }
    return added.ok
  }

  /** A set of recovery codes where there is none yet. */
  async function freshCodes(ctx: Context, accountId: string): Promise<string[] | undefined> {
    return firstRecoveryCodes(keeping, accountId, ctx.state.origin)
  }

  async function settingIn(flow: Flow) {
    const state = await readHalfWay(deps, flow)
    if (state?.half.next !== 'enrol') return undefined
    const { id: accountId, username } = state.account
    const action = pathOf(flow.id, 'authenticator')
    const app = await appOfFlow(deps, flow)
    return { ...state, setting: { accountId, username, place: flow.id, action, app } }
  }

  async function showInFlow(ctx: Context, flow: Flow): Promise<void> {
    const found = await settingIn(flow)
    if (!found) return seeOther(ctx, pathOf(flow.id, 'sign-in'))
    showSetUp(ctx, found.setting)
  }

  /** Setting it up has proven it: the person goes on, past the recovery codes that nobody has shown them yet. */
  async function submitInFlow(ctx: Context, flow: Flow): Promise<void> {
    const found = await settingIn(flow)
    if (!found) return seeOther(ctx, pathOf(flow.id, 'sign-in'))
    const { half, account, setting } = found
    if (!(await confirm(ctx, setting))) return
    const codes = await freshCodes(ctx, account.id)
    const then = codes && (() => drawCodes(ctx, deps, { codes, onHref: flow.returnTo }))
    await proveSecond(ctx, deps, flow, account, {
      proven: ['otp'],
      half,
      ...(then ? { then } : {}),
    })
  }

  function drawSetUp(
    ctx: Context,
    { action, app, username, cancelHref }: Setting,
    { ticket, secret, address }: SetUp,
    given: { error?: PageError; name?: string } = {},
  ): void {
    draw(
      ctx,
      deps,
      'authenticator',
      {
        ...given,
        action,
        app,
        username,
        cancelHref,
        ticket,
        secret: (secret.match(/.{4}/g) ?? []).join(' '),
        qr: qrOf(address),
      },
      given.error ? 422 : 200,
    )
  }
}

/** The only time that they are shown. */
export function drawCodes(
  ctx: Context,
  deps: PagesDeps,
  { codes, onHref }: { codes: string[]; onHref: string },
): void {
  draw(ctx, deps, 'recovery-codes', { codes, onHref })
}
