/**
 * The end of a session at both sides. Whoever has signed out here is asked whether to do so there as well; and an upstream
 * that ends its session tells us by a signed token (OpenID Connect Back-Channel Logout 1.0).
 */
import type { Context } from 'koa'
import { AppError } from '../errors.ts'
import { endByUpstream, logoutUrl } from '../federation/logout.ts'
import { upstreamErrorOf } from '../federation/upstream-error.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import { signedOutPath } from '../oidc/protocol-pages.ts'
import { type PagesDeps, seeOther } from './context.ts'
import { formOf } from './flow.ts'
import type { SignedOutPage } from './signed-out.ts'

export function upstreamLogoutPages(deps: PagesDeps, signedOut: Pick<SignedOutPage, 'endedUid'>) {
  const { db } = deps.database
  const keeping = { db, keyring: deps.keyring }
  return { leave, receive }

  /** From the page after signing out, which belongs to whoever's session ended. */
  async function leave(ctx: Context): Promise<void> {
    const uid = signedOut.endedUid(ctx)
    const url = uid && (await logoutUrl({ ...keeping, ...deps }, uid))
    seeOther(ctx, url || signedOutPath)
  }

  /** Answers as §2.8 of that specification wants: 200, or 400 with an error in JSON. */
  async function receive(ctx: Context): Promise<void> {
    const { provider: id } = (ctx as unknown as { params: { provider: string } }).params
    const provider = await deps.providers.find(id)
    if (!provider) throw new AppError('not_found', 404)
    await deps.limits.consume('upstream-address', limitKeyAddress(ctx.state.address))
    ctx.set('Cache-Control', 'no-store')
    try {
      const token = formOf(ctx).logout_token ?? ''
      await endByUpstream({ db, upstreams: deps.upstreams }, provider, token, ctx.state.origin)
      ctx.status = 200
      ctx.body = ''
    } catch (error) {
      const known = upstreamErrorOf(error)
      deps.onUpstreamProblem(provider.id, known)
      ctx.status = 400
      ctx.body = { error: 'invalid_request' }
    }
  }
}
