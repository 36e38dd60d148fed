/**
 * A client's secrets and its end: rotation, disabling, deletion. Whatever ends a client ends its tokens in the
 * same transaction: a token without its grant is dead, so the grants go (sessions/ owns the rows).
 */
import { sql } from 'kysely'
import { record } from '../audit/audit.ts'
import { sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { AppError } from '../errors.ts'
import { type Client, getClient } from './clients.ts'
import { addSecret, type By } from './create-client.ts'
import { usesSecret } from './metadata.ts'

/**
 * The secrets of before live `overlapSeconds` longer, never longer than they would have. `secret` is in clear
 * here and never again. Undefined when there is no such client.
 */
export function rotateSecret(
  db: Db,
  id: string,
  { overlapSeconds, actor, origin }: By & { overlapSeconds: number },
): Promise<
  | { ok: true; client: Client; secret: string }
  | { ok: false; reason: 'no-secret'; client: Client }
  | undefined
> {
  return transact(db, async (trx) => {
    if (!(await lock(trx, id))) return undefined
    const before = await getClient(trx, id)
    if (!usesSecret(before.metadata)) return { ok: false, reason: 'no-secret', client: before }
    if (overlapSeconds > 0) {
      await sql`
        update client_secrets
        set expires_at = least(expires_at, now() + make_interval(secs => ${overlapSeconds}))
        where client_id = ${id}`.execute(trx)
      await sql`delete from client_secrets where client_id = ${id} and expires_at <= now()`.execute(
        trx,
      )
    } else {
      await trx.deleteFrom('clientSecrets').where('clientId', '=', id).execute()
    }
    const secret = await addSecret(trx, id)
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'client.secret_rotated',
      actor,
      origin,
      clientId: id,
      detail: { overlapSeconds },
    })
    return { ok: true, client: await getClient(trx, id), secret }
  })
}

/**
 * A secret that was made elsewhere, in place of all others. False when it is one of the living already. Throws
 * `secret_taken` (409): two apps with one secret are one to whoever has it.
 */
export function giveSecret(
  db: Db,
  id: string,
  secret: string,
  { actor, origin }: By,
): Promise<boolean> {
  const hash = sha256(secret)
  return transact(db, async (trx) => {
    const { rows } = await sql`
      select 1 from client_secrets where client_id = ${id} and hash = ${hash}
        and (expires_at is null or expires_at > now())`.execute(trx)
    if (rows.length > 0) return false
    await trx.deleteFrom('clientSecrets').where('clientId', '=', id).execute()
    const given = await trx
      .insertInto('clientSecrets')
      .values({ hash, clientId: id, expiresAt: null })
      .onConflict((conflict) => conflict.doNothing())
      .returning('clientId')
      .executeTakeFirst()
    if (!given) {
      throw new AppError('secret_taken', 409, { detail: 'Another app has this secret already.' })
    }
    await bumpVersion(trx, 'clients')
    await record(trx, { type: 'client.secret_given', actor, origin, clientId: id })
    return true
  })
}

/** Changes when the secrets do, and tells nothing of them. Undefined where there are none. */
export async function secretFingerprint(db: Db, id: string): Promise<string | undefined> {
  const rows = await db
    .selectFrom('clientSecrets')
    .select('hash')
    .where('clientId', '=', id)
    .orderBy('hash')
    .execute()
  if (rows.length === 0) return undefined
  return sha256(Buffer.concat(rows.map(({ hash }) => hash))).toString('hex')
}

/** Its tokens end at once; what people allowed is remembered. `changed` is false when it was disabled already. */
export function disableClient(
  db: Db,
  id: string,
  by: By,
): Promise<{ client: Client; changed: boolean } | undefined> {
  return setDisabled(db, id, true, by)
}

/** People sign in again; nothing that was issued before comes back. */
export function enableClient(
  db: Db,
  id: string,
  by: By,
): Promise<{ client: Client; changed: boolean } | undefined> {
  return setDisabled(db, id, false, by)
}

/** Its secrets, tokens and what people allowed it go with it. False when there is no such client. */
export function deleteClient(db: Db, id: string, { actor, origin }: By): Promise<boolean> {
  return transact(db, async (trx) => {
    const gone = await trx
      .deleteFrom('clients')
      .where('id', '=', id)
      .returning(['name', 'preset'])
      .executeTakeFirst()
    if (!gone) return false
    await endAccess(trx, id)
    await trx.deleteFrom('consents').where('clientId', '=', id).execute()
    await bumpVersion(trx, 'clients')
    await record(trx, { type: 'client.deleted', actor, origin, clientId: id, detail: gone })
    return true
  })
}

/** Ends every token of the client, for whomever. Part of the caller's transaction. */
export async function endAccess(trx: Db, id: string): Promise<void> {
  await trx.deleteFrom('grants').where('clientId', '=', id).execute()
  await trx.deleteFrom('clientCredentials').where('clientId', '=', id).execute()
}

function setDisabled(db: Db, id: string, disabled: boolean, { actor, origin }: By) {
  return transact(db, async (trx) => {
    const { rows } = await sql`
      update clients set disabled_at = ${disabled ? sql`now()` : sql`null`}, updated_at = now()
      where id = ${id} and (disabled_at is null) = ${disabled} returning id`.execute(trx)
    if (rows.length === 0) {
      if (!(await lock(trx, id))) return undefined
      return { client: await getClient(trx, id), changed: false }
    }
    // When enabling as well: another process may have served it for a second after it was disabled.
    await endAccess(trx, id)
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: disabled ? 'client.disabled' : 'client.enabled',
      actor,
      origin,
      clientId: id,
    })
    return { client: await getClient(trx, id), changed: true }
  })
}

/** Holds other changes of this client back until the transaction ends. False when there is no such client. */
async function lock(trx: Db, id: string): Promise<boolean> {
  const { rows } = await sql`select 1 from clients where id = ${id} for update`.execute(trx)
  return rows.length > 0
}
