/** Who is offered a passkey after a password, and where somebody has said "not now". */
import { sql } from 'kysely'
import { sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'

/** Whoever has none and has not declined on this device; a device that we have not seen has declined nothing. */
export async function wantsOffer(
  db: Db,
  accountId: string,
  device: string | undefined,
): Promise<boolean> {
  const { rows } = await sql<{ wants: boolean }>`
    select not exists (select from passkeys where account_id = ${accountId})
      and not exists (select from passkey_declines
        where account_id = ${accountId} and device_hash = ${device ? sha256(device) : null}::bytea)
      as wants`.execute(db)
  return rows[0]?.wants === true
}

/** Nobody is asked again on this device. */
export async function declineOffer(db: Db, accountId: string, device: string): Promise<void> {
  await db
    .insertInto('passkeyDeclines')
    .values({ accountId, deviceHash: sha256(device) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}
