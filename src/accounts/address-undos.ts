/** The way back to an old address, for a week after a change: only whoever reads the old mailbox has its link. */
import { sql } from 'kysely'
import { type Keyring, newId, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'

export const undoDays = 7

/** What the mail to the old address carries; it follows from the row's id, so no payload holds it. */
export function undoToken(keyring: Keyring, id: string): string {
  return keyring.mac('address-undo', id).toString('base64url')
}

/** Keeps the address that is left; returns the id of the row. */
export async function keepUndo(
  trx: Db,
  keyring: Keyring,
  old: { accountId: string; email: string; emailCanonical: string },
): Promise<string> {
  const id = newId()
  await trx
    .insertInto('addressUndos')
    .values({
      ...old,
      id,
      tokenHash: sha256(undoToken(keyring, id)),
      expiresAt: sql<Date>`now() + make_interval(days => ${undoDays})`,
    })
    .execute()
  return id
}

export function findUndo(db: Db, id: string) {
  return db.selectFrom('addressUndos').selectAll().where('id', '=', id).executeTakeFirst()
}
