/** Accounts elsewhere by a program: listed and unlinked. */
import { AppError } from '../../errors.ts'
import { listIdentities, unlinkIdentity } from '../../federation/identities.ts'
import type { Handlers } from '../operations.ts'
import { type AccountDeps, idOf } from './context.ts'
import type { providerOperations } from './provider-operations.ts'

export function providerHandlers({
  database: { db },
}: Pick<AccountDeps, 'database'>): Handlers<typeof providerOperations> {
  return {
    async listIdentities({ caller: { accountId } }) {
      const all = await listIdentities(db, accountId)
      const identities = all.map(({ id, provider, enabled, label, createdAt, lastUsedAt }) => ({
        ...{ id, provider, enabled, label },
        createdAt: createdAt.toISOString(),
        lastUsedAt: lastUsedAt.toISOString(),
      }))
      return { identities }
    },

    async unlinkIdentity({ ctx, params, caller: { accountId } }) {
      const id = idOf(params, 'identity_gone')
      const unlinked = await unlinkIdentity(db, { id, accountId }, ctx.state.origin)
      if (unlinked.ok) return
      throw new AppError(unlinked.code, unlinked.code === 'last_way_in' ? 409 : 404)
    },
  }
}
