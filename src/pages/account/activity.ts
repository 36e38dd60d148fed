/** Sign-ins and what else has happened to the account, a page at a time. */
import type { Context } from 'koa'
import { listActivity } from '../../accounts/activity.ts'
import type { PagesDeps } from '../context.ts'
import type { AccountFrame, Signed } from './frame.ts'

export function accountActivityPages(deps: PagesDeps, frame: AccountFrame) {
  return { show }

  async function show(ctx: Context, { accountId }: Signed): Promise<void> {
    const { before } = ctx.query
    // What is no id of ours is no page: the newest is shown.
    const from =
      typeof before === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(before)
    const { events, more } = await listActivity(
      deps.database.db,
      accountId,
      from ? before : undefined,
    )
    const last = events.at(-1)
    frame.drawPage(ctx, 'account-activity', {
      action: '/account/activity',
      events,
      olderHref: more && last ? `/account/activity?before=${last.id}` : undefined,
      newestHref: from ? '/account/activity' : undefined,
    })
  }
}
