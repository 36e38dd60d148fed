/**
 * Whether whoever calls may do what an operation does: what their roles say of this action on this type, for this id, as
 * their own, under these circumstances. It is asked anew at each request, so a role that was taken is gone at once.
 */
import type { Context } from 'koa'
import { levelOf } from '../../credentials/step-up.ts'
import type { Db } from '../../database/connection.ts'
import { AppError } from '../../errors.ts'
import { type Holdings, isAllowed } from '../../roles/decide.ts'
import { readHoldings } from '../../roles/holdings.ts'
import type { By } from '../../roles/may-grant.ts'
import type { Caller } from '../bearer.ts'
import type { Given, Operation } from '../operations.ts'

/** One call: who it is, and what they may. */
export type Admitted = {
  by: By
  /** `action` in place of the operation's own, on the same object. */
  may(action: string): boolean
}

export function createAdmission(db: Db) {
  const admitted = new WeakMap<Caller, Admitted>()

  /** Throws 403 `forbidden`, whether or not there is such an object. */
  async function admit(
    ctx: Context,
    caller: Caller,
    operation: Operation,
    given: Given,
  ): Promise<void> {
    const { permission } = operation
    if (!permission) throw new Error(`${operation.path} asks for no permission`)
    const holder = holderOf(caller)
    const holdings = await readHoldings(db, holder)
    const [ownAction = '', type = ''] = permission.split(':')
    const resource = { type, ...objectOf(type, operation.path, given) }
    const may = (action: string) => isMet(holdings, action, resource, ctx, caller)
    const { origin } = ctx.state
    const kind = caller.accountId === undefined ? 'client' : 'person'
    admitted.set(caller, { by: { actor: { kind, id: holder.id, origin }, origin }, may })
    if (!may(ownAction)) throw new AppError('forbidden', 403)
  }

  function of(caller: Caller): Admitted {
    const found = admitted.get(caller)
    if (!found) throw new Error('nobody was admitted')
    return found
  }

  return { admit, of }
}

export type Admission = ReturnType<typeof createAdmission>

function holderOf({ accountId, clientId }: Caller) {
  return accountId === undefined
    ? ({ kind: 'client', id: clientId } as const)
    : ({ kind: 'account', id: accountId } as const)
}

function isMet(
  holdings: Holdings,
  action: string,
  resource: { type: string; id?: string | undefined; owner?: string | undefined },
  ctx: Context,
  { acr, amr, clientId }: Caller,
): boolean {
  // An app is told the level that it asked for, where more was proven.
  const level = levelOf(amr) ?? acr
  const context = { time: new Date(), acr: level, client: clientId, address: ctx.state.address }
  return isAllowed(holdings, { action, resource, context })
}

/** Which one it is, and whose, as far as the request says it. */
function objectOf(
  type: string,
  path: string,
  { params, query }: Given,
): { id?: string; owner?: string } {
  const noun = path.split('/')[3]
  const [first] = Object.values(params)
  const owner = noun === 'accounts' ? first : query.account
  return {
    ...(first === undefined || noun !== type ? {} : { id: first }),
    ...(typeof owner === 'string' ? { owner } : {}),
  }
}
