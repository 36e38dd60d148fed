/** The guard in front of Koa: `router.get('/notes', demand(guard, { scope: 'notes:read' }), …)`. */

export function demand(guard, needs) {
  return async function demanded(ctx, next) {
    const { claims, status, challenge } = await guard.check(ctx.get('Authorization'), needs)
    if (claims) {
      ctx.state.token = claims
      return next()
    }
    ctx.status = status
    ctx.set('WWW-Authenticate', challenge)
    ctx.body = null
    ctx.status = status
  }
}
