/**
 * What an app keeps about one of its people: a small JSON object, written by admins or by the app itself, that reaches
 * the app as a claim. Settings of one app are nothing to another.
 */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import { newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { jsonDepth } from '../json-depth.ts'

export const mostSettingsBytes = 4096
const deepest = 10

export type ServiceSettings = Record<string, unknown>

type Place = { accountId: string; clientId: string }
type By = { actor: Actor; origin?: Origin | undefined }

/** Undefined where the app keeps nothing about this person. */
export async function findServiceSettings(
  db: Db,
  { accountId, clientId }: Place,
): Promise<ServiceSettings | undefined> {
  const row = await db
    .selectFrom('serviceSettings')
    .select('settings')
    .where('accountId', '=', accountId)
    .where('clientId', '=', clientId)
    .executeTakeFirst()
  return row?.settings
}

/**
 * Replaces all of it; null takes it away. `judge` is given what stood there, under a lock that holds until the end, and
 * throws where the change was made upon something else. False when there was nothing to change. Throws
 * `settings_invalid` (400), `account_not_found` (404).
 */
export async function writeServiceSettings(
  db: Db,
  place: Place,
  settings: ServiceSettings | null,
  by: By,
  judge: (before: ServiceSettings | undefined) => void = () => {},
): Promise<boolean> {
  const text = settings === null ? null : readSettings(settings)
  const { accountId, clientId } = place
  return transact(db, async (trx) => {
    // Whatever is there or not, one writer comes after the other.
    const { rows } = await sql`select 1 from accounts
      where id = ${accountId} and status <> 'deleted' for no key update`.execute(trx)
    if (rows.length === 0) throw new AppError('account_not_found', 404)
    const before = await findServiceSettings(trx, place)
    judge(before)
    if ((before === undefined ? null : JSON.stringify(before)) === text) return false
    if (text === null) {
      await trx
        .deleteFrom('serviceSettings')
        .where('accountId', '=', accountId)
        .where('clientId', '=', clientId)
        .execute()
    } else {
      await sql`insert into service_settings (account_id, client_id, settings, version)
        values (${accountId}, ${clientId}, ${text}::json, ${newId()})
        on conflict (account_id, client_id) do update
          set settings = excluded.settings, version = excluded.version, updated_at = now()`.execute(
        trx,
      )
    }
    await record(trx, {
      type: text === null ? 'service_settings.removed' : 'service_settings.changed',
      actor: by.actor,
      origin: by.origin,
      accountId,
      clientId,
      detail: { members: Object.keys(settings ?? {}) },
    })
    return true
  })
}

/** As it is stored. Throws `settings_invalid` (400). */
function readSettings(settings: unknown): string {
  const isObject = typeof settings === 'object' && settings !== null && !Array.isArray(settings)
  const text = JSON.stringify(settings)
  if (isObject && Buffer.byteLength(text) <= mostSettingsBytes && jsonDepth(text) <= deepest)
    return text
  throw new AppError('settings_invalid', 400, {
    detail: `Settings are a JSON object of at most ${mostSettingsBytes} bytes, ${deepest} levels deep.`,
  })
}
