/**
 * Browsers that stand for a second factor for a while. The value is a cookie's and only its hash is stored, bound to
 * one account; a new password or any change of factors ends it (security MF-09). It proves nothing to an app: what a
 * token says is what was proven in its sign-in.
 */
import { sql } from 'kysely'
import type { Origin } from '../audit/audit.ts'
import { randomToken, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { Factor } from './step-up.ts'

export type RememberedDevice = {
  /** For lists and for ending it: no secret. */
  id: string
  factor: string
  address: string | null
  userAgent: string | null
  createdAt: Date
  lastUsedAt: Date
  expiresAt: Date
}

/** The value for the cookie, which is stored nowhere. */
export async function rememberDevice(
  db: Db,
  device: { accountId: string; factor: Factor; days: number },
  origin: Origin = {},
): Promise<string> {
  const token = randomToken()
  await db
    .insertInto('rememberedDevices')
    .values({
      tokenHash: sha256(token),
      accountId: device.accountId,
      factor: device.factor,
      address: origin.address ?? null,
      userAgent: origin.userAgent?.slice(0, 256) ?? null,
      expiresAt: sql<Date>`now() + make_interval(days => ${device.days})`,
    })
    .execute()
  return token
}

const isAlive = sql<boolean>`remembered_devices.expires_at > now() and not exists (
  select from accounts a where a.id = remembered_devices.account_id
    and a.password_changed_at > remembered_devices.created_at)`

/** Which factor one of these values stands for; undefined for none. */
export async function findRemembered(
  db: Db,
  accountId: string,
  tokens: string[],
): Promise<string | undefined> {
  if (tokens.length === 0) return undefined
  const row = await db
    .updateTable('rememberedDevices')
    .set({ lastUsedAt: sql<Date>`now()` })
    .where('accountId', '=', accountId)
    .where('tokenHash', 'in', tokens.map(sha256))
    .where(isAlive)
    .returning('factor')
    .executeTakeFirst()
  return row?.factor
}

/** Newest first. */
export async function listRememberedDevices(
  db: Db,
  accountId: string,
): Promise<RememberedDevice[]> {
  const rows = await db
    .selectFrom('rememberedDevices')
    .selectAll()
    .where('accountId', '=', accountId)
    .where(isAlive)
    .orderBy('createdAt', 'desc')
    .execute()
  return rows.map(({ tokenHash, accountId: _, ...row }) => ({
    ...row,
    id: tokenHash.toString('base64url'),
  }))
}

/** One of them by its id, or all of the account. Returns how many. */
export async function endRememberedDevices(
  db: Db,
  accountId: string,
  id?: string,
): Promise<number> {
  let query = db.deleteFrom('rememberedDevices').where('accountId', '=', accountId)
  if (id !== undefined) query = query.where('tokenHash', '=', Buffer.from(id, 'base64url'))
  const { numDeletedRows } = await query.executeTakeFirst()
  return Number(numDeletedRows)
}
