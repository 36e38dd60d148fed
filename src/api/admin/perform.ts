/**
 * How an admin's act is done, whatever it is: with the caller's name for the audit, once where it may be repeated, and
 * without telling whoever may not read whether there is such an object.
 */
import type { Context } from 'koa'
import { z } from 'zod'
import { AppError } from '../../errors.ts'
import { performOnce } from '../../idempotency.ts'
import type { Caller } from '../bearer.ts'
import type { Handlers, Operation, Operations } from '../operations.ts'
import type { Admission } from './admission.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'

/** What belongs to an answer beside its body. */
const keptHeaders = ['Location', 'ETag'] as const

type AnyCall = { ctx: Context; params: Record<string, string>; body?: unknown; caller: Caller }
type Handle = (call: object) => Promise<unknown>

export function performing<Table extends Operations>(
  table: Table,
  handlers: AdminHandlers<Table>,
  admission: Admission,
  { database: { db }, keyring }: Pick<AdminDeps, 'database' | 'keyring'>,
): Handlers<Table> {
  const entries = Object.entries<Operation>(table).map(([id, operation]) => {
    const handle = handlers[id] as Handle
    return [id, (call: AnyCall) => perform(id, operation, handle, call)]
  })
  return Object.fromEntries(entries) as Handlers<Table>

  async function perform(id: string, operation: Operation, handle: Handle, call: AnyCall) {
    const { by, may } = admission.of(call.caller)
    const key = call.ctx.get('Idempotency-Key')
    const more = { by, keyring }
    try {
      demandNames(operation, call.params)
      return operation.idempotent && key !== ''
        ? await once(id, key, call, (trx) => handle({ ...call, ...more, db: trx }))
        : await handle({ ...call, ...more, db })
    } catch (error) {
      const hidden = error instanceof AppError && error.status === 404 && !may('read')
      throw hidden ? new AppError('forbidden', 403, { cause: error }) : error
    }
  }

  async function once(
    id: string,
    key: string,
    { ctx, caller, params, body }: AnyCall,
    work: (trx: typeof db) => Promise<unknown>,
  ): Promise<unknown> {
    const { clientId, accountId = '' } = caller
    const request = JSON.stringify([id, params, body])
    const { answer, repeated } = await performOnce(
      { db, keyring },
      { caller: `${clientId} ${accountId}`, key, request },
      async (trx) => {
        const told = await work(trx)
        const headers = keptHeaders.map((name) => [name, ctx.response.get(name)])
        return { told, headers: Object.fromEntries(headers) as Record<string, string> }
      },
    )
    if (repeated) {
      for (const [name, value] of Object.entries(answer.headers)) if (value) ctx.set(name, value)
      ctx.set('Idempotency-Replayed', 'true')
    }
    return answer.told
  }
}

/** What cannot be the name of anything names nothing. Throws `not_found` (404). */
function demandNames({ params = {} }: Operation, given: Record<string, string>): void {
  for (const [name, value] of Object.entries(given)) {
    const schema = params[name] ?? z.uuid()
    if (!schema.safeParse(value).success || value.includes('\0')) {
      throw new AppError('not_found', 404)
    }
  }
}
