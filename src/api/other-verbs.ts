/** A path that is ours with a verb that it has not: 405, and which it has. */
import type Router from '@koa/router'
import type { Middleware } from 'koa'
import { AppError } from '../errors.ts'

/** Stands after the router's own routes. */
export function refuseOtherVerbs(router: Router): Middleware {
  return async function refuseOtherVerbs(ctx, next) {
    const { path, pathAndMethod } = router.match(ctx.path, ctx.method)
    const verbs = [...new Set(path.flatMap(({ methods }) => methods))]
    if (pathAndMethod.length > 0 || verbs.length === 0) return next()
    ctx.set('Allow', verbs.join(', '))
    throw new AppError('method_not_allowed', 405)
  }
}
