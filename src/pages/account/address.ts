/** Another address for the account: asked for here, proven by a mail to it, taken back by a mail to the old one. */
import type { Context } from 'koa'
import { canonicalEmail, maskEmail } from '../../accounts/email.ts'
import {
  type Changed,
  cancelChange,
  confirmAddress,
  pendingChange,
  readUndo,
  undoAddress,
} from '../../credentials/address-change.ts'
import {
  beginProof,
  findProven,
  guessProof,
  readProof,
  resendProof,
} from '../../credentials/mail-proofs.ts'
import { limitKeyAddress } from '../../http/client-address.ts'
import { accountPages } from '../../oidc/account-client.ts'
import type { PageError } from '../../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from '../context.ts'
import { formOf } from '../flow.ts'
import type { AccountFrame, Signed } from './frame.ts'

const purpose = 'change-address'
type Given = { error?: PageError | undefined; email?: string; resent?: boolean }
type LinkPage = 'confirm' | 'undo'

export function accountAddressPages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  const path = accountPages.address
  return { show, submit, showLink, submitLink }

  async function show(ctx: Context, signed: Signed): Promise<void> {
    await drawStep(ctx, signed, {})
  }

  async function submit(ctx: Context, signed: Signed): Promise<void> {
    const { action, code } = formOf(ctx)
    const id = await pendingChange(db, signed.accountId)
    if (action === 'cancel') {
      await cancelChange(db, signed.accountId)
      return seeOther(ctx, accountPages.security)
    }
    if (!id) return askForMail(ctx, signed)
    if (action === 'resend') return askAgain(ctx, signed, id)
    await deps.limits.consume('verification-address', limitKeyAddress(ctx.state.address))
    const { origin } = ctx.state
    const guess = await guessProof(
      { db, keyring: deps.keyring },
      { id, purpose },
      code ?? '',
      origin,
    )
    if (!guess.ok) {
      const left = guess.guessesLeft
      const error = { code: guess.code, ...(left ? { values: { count: left } } : {}) }
      return drawStep(ctx, signed, { error }, 422)
    }
    const changed = await confirmAddress({ db, keyring: deps.keyring }, { id }, origin)
    if (changed.ok) return frame.done(ctx, 'address-changed', 'security')
    await drawStep(ctx, signed, { error: { code: changed.code } }, 422)
  }

  async function askForMail(ctx: Context, signed: Signed): Promise<void> {
    const { email = '' } = formOf(ctx)
    const address = canonicalEmail(email)
    const same = address.ok && address.canonical === String(signed.account.email_canonical)
    if (!address.ok || same) {
      const code = same ? 'email_same' : address.ok || !email ? 'email_required' : address.code
      const error = { code, fields: [{ field: 'email', code }] }
      return drawStep(ctx, signed, { error, email }, 422)
    }
    await deps.limits.consume('reset-address', limitKeyAddress(ctx.state.address))
    const { locale, origin } = ctx.state
    await beginProof(db, { purpose, accountId: signed.accountId, address, locale }, origin)
    seeOther(ctx, path)
  }

  async function askAgain(ctx: Context, signed: Signed, id: string): Promise<void> {
    await deps.limits.consume('resend-address', limitKeyAddress(ctx.state.address))
    const resent = await resendProof(db, { id, purpose }, ctx.state.origin)
    const view = await readProof(db, { id, purpose })
    const retryAfterSeconds = view?.waitSeconds ?? 0
    const code = retryAfterSeconds > 0 ? 'resend_too_soon' : 'too_many_attempts'
    await drawStep(ctx, signed, { resent, error: resent ? undefined : { code, retryAfterSeconds } })
  }

  async function drawStep(
    ctx: Context,
    { accountId, account }: Signed,
    given: Given,
    status = 200,
  ): Promise<void> {
    const id = await pendingChange(db, accountId)
    const view = id ? await readProof(db, { id, purpose }) : undefined
    frame.drawPage(
      ctx,
      'account-address',
      {
        ...given,
        action: path,
        current: String(account.email),
        ...(view
          ? {
              maskedEmail: view.maskedEmail,
              waitSeconds: view.waitSeconds,
              proof:
                view.state === 'open' ? 'open' : view.state === 'too-many' ? 'too-many' : 'expired',
            }
          : {}),
      },
      status,
    )
  }

  /** Mail scanners open links, several times: looking changes nothing (AC-06). */
  async function showLink(ctx: Context, page: LinkPage, token: string): Promise<void> {
    const found =
      page === 'undo' ? await readUndo(db, token) : await findProven(db, { token, purpose })
    if (!found) return drawLink(ctx, page, 'over')
    drawLink(ctx, page, 'ready', { token, maskedEmail: maskEmail(found.email) })
  }

  async function submitLink(ctx: Context, page: LinkPage, token: string): Promise<void> {
    await deps.limits.consume('verification-address', limitKeyAddress(ctx.state.address))
    const both = { db, keyring: deps.keyring }
    const { origin } = ctx.state
    const changed: Changed =
      page === 'undo'
        ? await undoAddress(both, token, origin)
        : await confirmAddress(both, { token }, origin)
    if (changed.ok) return drawLink(ctx, page, 'done')
    drawLink(ctx, page, 'over', { error: { code: changed.code } })
  }

  function drawLink(
    ctx: Context,
    page: LinkPage,
    state: 'ready' | 'done' | 'over',
    more: { token?: string; maskedEmail?: string; error?: PageError } = {},
  ): void {
    const { token = '', ...rest } = more
    const action = `/${page}-address?token=${encodeURIComponent(token)}`
    draw(ctx, deps, 'address-link', { ...rest, page, state, action }, state === 'over' ? 410 : 200)
  }
}
