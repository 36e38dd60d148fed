/** A person begins anew in the same browser: the form they sent before gives its username back at once. */
import { type Origin, record } from '../audit/audit.ts'
import { sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { returnInvites } from '../invites/claim.ts'
import type { RegistrationKey } from './deps.ts'
import { isId } from './read.ts'

/** False when there is nothing to give up: unknown, not the holder's, or verified already. */
export function abandon(db: Db, key: RegistrationKey, origin: Origin = {}): Promise<boolean> {
  if (!isId(key.id)) return Promise.resolve(false)
  return transact(db, async (trx) => {
    const gone = await trx
      .deleteFrom('registrations')
      .where('id', '=', key.id)
      .where('handleHash', '=', sha256(key.handle))
      .where('status', '!=', 'verified')
      .returning(['accountId', 'inviteId'])
      .executeTakeFirst()
    if (!gone) return false
    if (gone.inviteId) await returnInvites(trx, [gone.inviteId])
    if (gone.accountId) {
      await trx
        .deleteFrom('accounts')
        .where('id', '=', gone.accountId)
        .where('status', '=', 'unverified')
        .execute()
    }
    await record(trx, {
      type: 'registration.abandoned',
      origin,
      detail: { registrationId: key.id },
    })
    return true
  })
}
