/** `/api/account`: the account pages for programs, through the same rooms. */
import type { Middleware } from 'koa'
import { allowOrigins } from '../cors.ts'
import { routesOf } from '../operations.ts'
import { type AccountDeps, createSignInDemand } from './context.ts'
import { factorHandlers } from './factors.ts'
import { lifeHandlers } from './life.ts'
import { accountOperations } from './operations.ts'
import { profileHandlers } from './profile.ts'
import { providerHandlers } from './providers.ts'
import { securityHandlers } from './security.ts'

export function accountApiRoutes(deps: AccountDeps): Middleware[] {
  const handlers = {
    ...profileHandlers(deps),
    ...securityHandlers(deps),
    ...factorHandlers(deps),
    ...providerHandlers(deps),
    ...lifeHandlers(deps),
  }
  const { bearer } = deps
  const demandSignIn = createSignInDemand(deps)
  return [
    allowOrigins('/api/account'),
    ...routesOf(accountOperations, handlers, { bearer, demandSignIn }),
  ]
}
