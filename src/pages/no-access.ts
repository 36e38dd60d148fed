/** Told to whoever an app does not let in: whom to ask, and how to go on as somebody else. */
import type { Context } from 'koa'
import { type Flow, finishWithError } from '../oidc/interactions.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { appOfFlow, assertFinished, formOf } from './flow.ts'
import { pathOf } from './steps.ts'

export function noAccessPage(deps: PagesDeps) {
  return {
    async show(ctx: Context, flow: Flow): Promise<void> {
      const app = await appOfFlow(deps, flow)
      draw(
        ctx,
        deps,
        'no-access',
        {
          action: pathOf(flow.id, 'no-access'),
          app: app ?? { name: deps.config.brandName },
          username: String(flow.account?.username),
          switchHref: pathOf(flow.id, 'sign-in'),
        },
        403,
      )
    },

    /** The app is told that nobody comes. */
    async submit(ctx: Context, flow: Flow): Promise<void> {
      if (formOf(ctx).choice === 'switch') return seeOther(ctx, pathOf(flow.id, 'sign-in'))
      assertFinished(await finishWithError(deps.database.pool, flow, 'access_denied'))
      seeOther(ctx, flow.returnTo)
    },
  }
}
