/** `/api/admin`: what `idp` does, for programs, through the same rooms. */
import type { Middleware } from 'koa'
import { createSignInDemand } from '../account/context.ts'
import { allowOrigins } from '../cors.ts'
import { routesOf } from '../operations.ts'
import { accountActsHandlers } from './account-acts.ts'
import { accountsHandlers } from './accounts.ts'
import { createAdmission } from './admission.ts'
import { apisHandlers } from './apis.ts'
import { clientsHandlers } from './clients.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'
import { entryHandlers } from './entry.ts'
import { groupsHandlers } from './groups.ts'
import { houseHandlers } from './house.ts'
import { adminOperations } from './operations.ts'
import { performing } from './perform.ts'
import { providersHandlers } from './providers.ts'
import { rolesHandlers } from './roles.ts'
import { watchHandlers } from './watch.ts'
import { webhooksHandlers } from './webhooks.ts'

export function adminApiRoutes(deps: AdminDeps): Middleware[] {
  const admission = createAdmission(deps.database.db)
  const demand = createSignInDemand(deps)
  const doors = {
    bearer: deps.bearer,
    admit: admission.admit,
    // A service has no sign-in that could be recent.
    demandSignIn: async (...[ctx, caller]: Parameters<typeof demand>) => {
      if (caller.accountId !== undefined) await demand(ctx, caller)
    },
  }
  const handlers: AdminHandlers<typeof adminOperations> = {
    ...accountsHandlers(deps),
    ...accountActsHandlers(deps),
    ...clientsHandlers(deps),
    ...apisHandlers(deps),
    ...rolesHandlers(deps, () => adminOperations),
    ...groupsHandlers(deps),
    ...entryHandlers(deps),
    ...watchHandlers(),
    ...houseHandlers(deps),
    ...providersHandlers(deps),
    ...webhooksHandlers(deps),
  }
  return [
    allowOrigins('/api/admin'),
    ...routesOf(adminOperations, performing(adminOperations, handlers, admission, deps), doors),
  ]
}
