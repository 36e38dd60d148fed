/** Acts on an account: whoever holds more than the caller is out of their reach, whatever the act. */
import { type DirectoryEntry, getEntry } from '../../accounts/directory.ts'
import { eraseAccount, leave } from '../../accounts/leaving.ts'
import { listFactors } from '../../credentials/list-factors.ts'
import { mailPasswordReset } from '../../credentials/mail-reset.ts'
import { createRecoveryLink } from '../../credentials/recovery-link.ts'
import { resetFactors } from '../../credentials/reset-factors.ts'
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import { AppError } from '../../errors.ts'
import { addMember, removeMember } from '../../roles/groups.ts'
import { grantRole, listHeldRoles, revokeRole } from '../../roles/holders.ts'
import { assertMayManage, type By } from '../../roles/may-grant.ts'
import { revokeSessions } from '../../sessions/end-sessions.ts'
import { demandMatch } from '../etags.ts'
import type { accountActsOperations } from './account-acts-operations.ts'
import { accountJson } from './accounts.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'

const usualLinkSeconds = 30 * 60

export function accountActsHandlers({
  config,
}: Pick<AdminDeps, 'config'>): AdminHandlers<typeof accountActsOperations> {
  return {
    async 'accounts.delete'({ ctx, db, by, params: { id = '' }, query }) {
      await onAccount(db, by, id, async (trx, account) => {
        demandMatch(ctx, accountJson(account))
        if (query.at_once === 'true') await eraseAccount(trx, id, by)
        else await leave(trx, id, by)
      })
    },

    async 'accounts.roles'({ db, params: { id = '' } }) {
      await getEntry(db, id)
      return { items: await listHeldRoles(db, id) }
    },

    async 'accounts.grantRole'({ db, by, params: { id = '', role = '' } }) {
      await onAccount(db, by, id, (trx) => grantRole(trx, role, { kind: 'account', id }, by))
    },

    async 'accounts.revokeRole'({ db, by, params: { id = '', role = '' } }) {
      await onAccount(db, by, id, (trx) => revokeRole(trx, role, { kind: 'account', id }, by))
    },

    async 'accounts.addGroup'({ db, by, params: { id = '', group = '' } }) {
      await onAccount(db, by, id, (trx) => addMember(trx, group, id, by))
    },

    async 'accounts.removeGroup'({ db, by, params: { id = '', group = '' } }) {
      await onAccount(db, by, id, (trx) => removeMember(trx, group, id, by))
    },

    async 'accounts.factors'({ db, params: { id = '' } }) {
      await getEntry(db, id)
      return { factors: await listFactors(db, id) }
    },

    'accounts.resetFactors'({ db, by, params: { id = '' } }) {
      return onAccount(db, by, id, async (trx) => {
        const { authenticators, passkeys, ...removed } = await resetFactors(trx, id, by.actor)
        return {
          authenticators,
          recovery_codes: removed.recoveryCodes,
          passkeys,
          remembered_devices: removed.rememberedDevices,
        }
      })
    },

    async 'accounts.mailPasswordReset'({ db, by, params: { id = '' } }) {
      const sent = await onAccount(db, by, id, (trx) => mailPasswordReset(trx, id, by))
      if (!sent) throw new AppError('account_not_active', 409)
    },

    async 'accounts.recoveryLink'({ db, by, params: { id = '' }, body }) {
      const seconds = body.expires_in ?? usualLinkSeconds
      const made = await onAccount(db, by, id, async (trx) => {
        // It opens what apps know by names of roles and groups, too.
        await assertMayManage(trx, by, { kind: 'account', id }, { names: true })
        return createRecoveryLink(trx, id, seconds, by.actor)
      })
      if (!made) throw new AppError('account_not_active', 409)
      const link = `${config.issuer}/reset-password?token=${made.token}`
      return { link, expires_at: made.expiresAt.toISOString() }
    },

    async 'accounts.endSessions'({ db, by, params: { id = '' } }) {
      const origin = by.origin ?? {}
      await getEntry(db, id)
      await revokeSessions(db, { accountId: id }, { actor: by.actor, origin })
    },
  }
}

/** Under the lock of the account, all or nothing. Throws `account_not_found` (404), `grants_more_than_held` (403). */
function onAccount<T>(
  db: Db,
  by: By,
  id: string,
  act: (trx: Db, account: DirectoryEntry) => Promise<T>,
): Promise<T> {
  return transact(db, async (trx) => {
    const account = await getEntry(trx, id, { lock: true })
    await assertMayManage(trx, by, { kind: 'account', id })
    return act(trx, account)
  })
}
