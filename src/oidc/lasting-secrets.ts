/**
 * Secrets that stay the same for the life of an installation, whatever becomes of SECRET_KEY: made once, at random,
 * and kept sealed. Several processes may ask at once; all get the same.
 */
import { randomBytes } from 'node:crypto'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'

export type LastingSecret = 'pairwise-subjects'

const purpose = 'lasting-secret'

/** 32 bytes. Seals it anew under the newest key. Throws when no key opens what is there. */
export async function loadLastingSecret(
  db: Db,
  keyring: Keyring,
  name: LastingSecret,
): Promise<Buffer> {
  await db
    .insertInto('lastingSecrets')
    .values({ name, sealed: keyring.seal(purpose, name, randomBytes(32)) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const { sealed } = await db
    .selectFrom('lastingSecrets')
    .select('sealed')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  const secret = keyring.open(purpose, name, sealed)
  await db
    .updateTable('lastingSecrets')
    .set({ sealed: keyring.seal(purpose, name, secret) })
    .where('name', '=', name)
    .execute()
  return secret
}

/** Changes nothing. True also when there are none yet. */
export async function opensLastingSecrets(db: Db, keyring: Keyring): Promise<boolean> {
  const rows = await db.selectFrom('lastingSecrets').select(['name', 'sealed']).execute()
  try {
    for (const { name, sealed } of rows) keyring.open(purpose, name, sealed)
    return true
  } catch {
    return false
  }
}
