/** Stylesheet, script and icon. Their names hold a hash of their content, so a browser may keep them for ever. */
import type { Context, Middleware } from 'koa'
import type { Encoding } from '../views/assets.ts'
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
    const encoding = encodingFor(ctx)
    ctx.vary('Accept-Encoding')
    ctx.set('ETag', `"${asset.etag}${encoding === 'identity' ? '' : `-${encoding}`}"`)
    ctx.status = 200
    if (ctx.fresh) {
      ctx.status = 304
      return
    }
    ctx.type = asset.type
    if (encoding !== 'identity') ctx.set('Content-Encoding', encoding)
    ctx.body = asset.body(encoding)
  }
}

/** The smallest that the browser reads. */
function encodingFor(ctx: Context): Encoding {
  const accepted = ctx.acceptsEncodings('br', 'gzip', 'identity')
  return accepted === 'br' || accepted === 'gzip' ? accepted : 'identity'
}
