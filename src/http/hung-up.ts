/** Work that nobody waits for any more: a hash that still queues for a browser that is gone is not made (DS-02). */
import type { Context } from 'koa'

/** Fires when the caller is gone before the answer was sent. */
export function hungUp(ctx: Context): AbortSignal {
  const controller = new AbortController()
  ctx.res.once('close', () => {
    if (!ctx.res.writableFinished) controller.abort()
  })
  return controller.signal
}
