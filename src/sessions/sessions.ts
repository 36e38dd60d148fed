/** Sessions as people and admins mean them: one browser signed in, which can be ended. */
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'

/** Ends the session and the grants that live no longer than it. False when it had ended before. */
export function endSession(db: Db, uid: string): Promise<boolean> {
  return transact(db, async (trx) => {
    const { numDeletedRows } = await trx
      .deleteFrom('sessions')
      .where('uid', '=', uid)
      .executeTakeFirst()
    await trx
      .deleteFrom('grants')
      .where('sessionUid', '=', uid)
      .where('offline', '=', false)
      .execute()
    return numDeletedRows > 0n
  })
}
