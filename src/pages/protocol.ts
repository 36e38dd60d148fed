/**
 * The pages that the protocol asks for: errors that must not be redirected, signing out, and what ended then.
 * An error page carries a short reference; what it stands for is kept a week for whoever runs the app.
 */
import type { Context } from 'koa'
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'
import { limitKeyAddress } from '../http/client-address.ts'
import { findRestart } from '../oidc/interactions.ts'
import { type EndedSession, type ProtocolPages, signedOutPath } from '../oidc/protocol-pages.ts'
import { keepRefusal, parameterOf } from '../oidc/refusals.ts'
import { draw, type PagesDeps } from './context.ts'
import { devicePages } from './device.ts'
import { drawLost, firstPath } from './flow.ts'
import { signedOutPage } from './signed-out.ts'

export function protocolPages(deps: PagesDeps): ProtocolPages {
  const signedOut = signedOutPage(deps)
  const device = devicePages(deps)

  return {
    interactionPath: firstPath,
    renderError,
    logoutSource,
    postLogoutSuccessSource: (ctx) => signedOut.show(ctx as unknown as Context),
    renderAlreadyDone: (ctx) => drawRestart(ctx, 'already-done'),
    sessionEnded,
    device: device.device,
    deviceRefused: (ctx, out, error) =>
      device.deviceRefused(ctx, error, () => renderError(ctx, out, error)),
    deviceConnected: device.deviceConnected,
  }

  async function renderError(ctx: KoaContextWithOIDC, out: ErrorOut, error: Error): Promise<void> {
    if (error.name === 'SessionNotFound') return drawRestart(ctx, lostReason(error))
    // A fault of ours is drawn by http/faults.ts, which logs its cause.
    if (out.error === 'server_error') {
      ctx.status = 500
      ctx.body = { error: out.error }
      return
    }
    const reference = await referenceOf(ctx, out, error)
    const clientId = parameterOf(ctx, 'client_id')
    const client = clientId && (await deps.clients.client(clientId))
    draw(
      ctx as unknown as Context,
      deps,
      'error',
      {
        reason: reasonOf(ctx, out, client !== undefined && client !== ''),
        reference,
        technical: { error: out.error, description: out.error_description },
        ...(client ? { app: { name: client.name } } : {}),
      },
      ctx.status >= 400 ? ctx.status : 400,
    )
  }

  /** What is not kept any more, because there was so much of it, is found in the log by the request's id. */
  async function referenceOf(
    ctx: KoaContextWithOIDC,
    out: ErrorOut,
    error: Error,
  ): Promise<string> {
    const { address, requestId } = ctx.state
    const kept = await deps.limits.allows('refusal-address', limitKeyAddress(address))
    if (!kept) return requestId
    return keepRefusal({ db: deps.database.db, clients: deps.clients }, ctx, out, error)
  }

  async function drawRestart(
    ctx: KoaContextWithOIDC,
    reason: 'expired' | 'lost-cookie' | 'already-done',
  ): Promise<void> {
    const flowId = ctx.path.split('/').pop() ?? ''
    const restart = await findRestart(deps.database.pool, flowId)
    await drawLost(ctx as unknown as Context, deps, { reason, ...(restart ? { restart } : {}) })
  }

  async function logoutSource(ctx: KoaContextWithOIDC, form: string): Promise<void> {
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(form)?.[1] ?? ''
    const client = ctx.oidc.client && (await deps.clients.client(ctx.oidc.client.clientId))
    const { rows } = await deps.database.pool.query<{ username: string }>({
      text: 'select username from accounts where id = $1',
      values: [ctx.oidc.session?.accountId],
    })
    draw(ctx as unknown as Context, deps, 'sign-out', {
      action: '/oauth2/logout/confirm',
      xsrf,
      username: rows[0]?.username,
      ...(client ? { app: { name: client.name } } : {}),
    })
  }

  /** Old apps are told by frames of a page, so then the browser does not go straight back to the app. */
  async function sessionEnded(ctx: KoaContextWithOIDC, ended: EndedSession): Promise<void> {
    const context = ctx as unknown as Context
    const onward = ctx.response.get('Location')
    const leaves = new URL(onward).origin !== deps.config.issuer
    if (!leaves || !(await signedOut.needsPage(ended.clientIds))) {
      return signedOut.remember(context, ended)
    }
    signedOut.remember(context, { ...ended, onward })
    ctx.redirect(signedOutPath)
  }
}

function lostReason(error: Error): 'expired' | 'lost-cookie' | 'already-done' {
  const { error_detail: detail = '' } = error as { error_detail?: string }
  if (detail.includes('expired') || error.message.includes('expired')) return 'lost-cookie'
  return detail.includes('not found') ? 'already-done' : 'expired'
}

/** The phrase that says in words what was wrong, and so whose job it is. */
function reasonOf(ctx: KoaContextWithOIDC, out: ErrorOut, isKnownClient: boolean): string {
  const { error, error_description: description = '' } = out
  if (description.includes('post_logout_redirect_uri')) return 'logout_redirect_mismatch'
  if (error === 'invalid_client' || (parameterOf(ctx, 'client_id') && !isKnownClient)) {
    return 'unknown_client'
  }
  if (error === 'invalid_redirect_uri') return 'redirect_uri_mismatch'
  if (isKnownClient && !parameterOf(ctx, 'redirect_uri') && ctx.path.endsWith('/authorize')) {
    return 'redirect_uri_missing'
  }
  if (error.startsWith('unsupported') || error === 'unauthorized_client') return 'unsupported'
  return error === 'invalid_request' ? error : 'other'
}
