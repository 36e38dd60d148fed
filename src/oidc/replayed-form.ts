/** A form that was read already, as the engine reads it: from the body of the request. */
import { Readable } from 'node:stream'
import type { Context } from 'koa'

export function replayForm(ctx: Pick<Context, 'req'>, form: URLSearchParams): void {
  const body = Buffer.from(String(form))
  const replayed = Readable.from([body], { objectMode: false })
  ctx.req.headers['content-length'] = String(body.length)
  Object.defineProperties(ctx.req, {
    readable: { value: true, configurable: true },
    iterator: { value: replayed.iterator.bind(replayed), configurable: true },
  })
}
