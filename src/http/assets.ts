/** Stylesheet, script and icon. Their names hold a hash of their content, so a browser may keep them for ever. */
import type { Middleware } from 'koa'
import type { Views } from '../views.ts'

/** Answers GET and HEAD below `/assets/`; passes on what it does not have. */
export function serveAssets(views: Pick<Views, 'asset'>): Middleware {
  return async function serveAssets(ctx, next) {
    const asset = ctx.path.startsWith('/assets/') ? views.asset(ctx.path) : undefined
    if (!asset || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) {
      await next()
      return
    }
    ctx.state.route = '/assets/:name'
    ctx.set('Cache-Control', 'public, max-age=31536000, immutable')
    ctx.set('ETag', asset.etag)
    ctx.status = 200
    if (ctx.fresh) {
      ctx.status = 304
      return
    }
    ctx.type = asset.type
    ctx.body = asset.body
  }
}
