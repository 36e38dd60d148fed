/**
 * A person's authenticator apps and recovery codes. Everything takes a recent sign-in, and whoever has a second factor
 * proves it in this very session before one is taken away or the codes are made anew (security MF-07, MF-10).
 */
import type { Context } from 'koa'
import { reaches } from '../../clients/levels.ts'
import {
  listAuthenticators,
  mostAuthenticators,
  removeAuthenticator,
} from '../../credentials/authenticators.ts'
import { countRecoveryCodes, renewRecoveryCodes } from '../../credentials/recovery-codes.ts'
import { levelOf } from '../../credentials/step-up.ts'
import { accountPages } from '../../oidc/account-client.ts'
import type { PageError } from '../../views/page-data.ts'
import { authenticatorPages, drawCodes, type Setting } from '../authenticator.ts'
import { type PagesDeps, seeOther } from '../context.ts'
import { formOf } from '../flow.ts'
import type { AccountFrame, Signed } from './frame.ts'

const action = accountPages.authenticators
const anyId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function accountAuthenticatorsPages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  const setUp = authenticatorPages(deps)
  return { show, submit, showNew, submitNew }

  function show(ctx: Context, signed: Signed): Promise<void> {
    return drawList(ctx, signed)
  }

  async function submit(ctx: Context, signed: Signed): Promise<void> {
    const { act, authenticator: id = '' } = formOf(ctx)
    const { accountId } = signed
    if (await needsProof(signed)) return seeOther(ctx, '/sign-in?to=authenticators&strong=1')
    if (act === 'remove') {
      const by = { actor: { kind: 'person', id: accountId }, origin: ctx.state.origin } as const
      const removed = anyId.test(id) && (await removeAuthenticator(db, { accountId, id }, by))
      if (removed) return frame.done(ctx, 'authenticator-removed', 'authenticators')
      return drawList(ctx, signed, { code: 'authenticator_gone' }, 422)
    }
    if (act !== 'codes') return drawList(ctx, signed)
    const keeping = { db, keyring: deps.keyring }
    const codes = await renewRecoveryCodes(keeping, accountId, ctx.state.origin)
    drawCodes(ctx, deps, { codes, onHref: action })
  }

  async function showNew(ctx: Context, signed: Signed): Promise<void> {
    if (await needsProof(signed)) return seeOther(ctx, '/sign-in?to=authenticators&strong=1')
    setUp.showSetUp(ctx, settingOf(signed))
  }

  async function submitNew(ctx: Context, signed: Signed): Promise<void> {
    if (await needsProof(signed)) return seeOther(ctx, '/sign-in?to=authenticators&strong=1')
    if (!(await setUp.confirm(ctx, settingOf(signed)))) return
    const codes = await setUp.freshCodes(ctx, signed.accountId)
    if (codes) return drawCodes(ctx, deps, { codes, onHref: action })
    frame.done(ctx, 'authenticator-added', 'authenticators')
  }

  /** Somebody has a second factor, and whoever holds this session has not shown it. */
  async function needsProof({ session, accountId }: Signed): Promise<boolean> {
    const level = levelOf((session.amr as string[] | null) ?? [])
    if (level && reaches(level, '2fa')) return false
    return (await listAuthenticators(db, accountId)).length > 0
  }

  async function drawList(
    ctx: Context,
    { accountId }: Signed,
    error?: PageError,
    status = 200,
  ): Promise<void> {
    const authenticators = await listAuthenticators(db, accountId)
    const codes = await countRecoveryCodes(db, accountId)
    const newHref = authenticators.length < mostAuthenticators ? `${action}/new` : undefined
    const given = error ? { error } : {}
    const data = { ...given, action, authenticators, codes, newHref }
    frame.drawPage(ctx, 'account-authenticators', data, status)
  }
}

function settingOf({ session, account, accountId }: Signed): Setting {
  return {
    accountId,
    username: String(account.username),
    place: String(session.uid),
    action: `${action}/new`,
    cancelHref: action,
  }
}
