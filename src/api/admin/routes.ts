/** `/api/admin`: what `idp` does, for programs, through the same rooms. */
import type { Middleware } from 'koa'
import { createSignInDemand } from '../account/context.ts'
import { allowOrigins } from '../cors.ts'
import { type Operations, routesOf } from '../operations.ts'
import { accountsHandlers } from './accounts.ts'
import { accountsOperations } from './accounts-operations.ts'
import { createAdmission } from './admission.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'
import { performing } from './perform.ts'

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
  const noun = <Table extends Operations>(table: Table, handlers: AdminHandlers<Table>) =>
    routesOf(table, performing(table, handlers, admission, deps), doors)
  return [allowOrigins('/api/admin'), ...noun(accountsOperations, accountsHandlers(deps))]
}
