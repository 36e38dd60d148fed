/**
 * What an operator changes while everything runs, as rows: settings of the environment need a restart of every process at
 * once, and these are for the hour in which an attack begins. Servers hear of a change within two seconds.
 */
import { sql } from 'kysely'
import { z } from 'zod'
import { type Actor, record } from '../audit/audit.ts'
import { changesOf } from '../audit/changes.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { AppError } from '../errors.ts'

export type StoredSetting<T extends object> = {
  name: string
  schema: z.ZodType<T>
  /** What holds where nothing, or not all, is stored. */
  otherwise: T
}

export async function readSetting<T extends object>(
  db: Db,
  { name, schema, otherwise }: StoredSetting<T>,
): Promise<T> {
  const row = await db
    .selectFrom('settings')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst()
  return row ? schema.parse({ ...otherwise, ...row.value }) : otherwise
}

/** Returns the whole as it is now. Throws `policy_invalid` (400). */
export function changeSetting<T extends object>(
  db: Db,
  setting: StoredSetting<T>,
  change: Partial<T>,
  actor: Actor,
): Promise<T> {
  const { name, schema } = setting
  return transact(db, async (trx) => {
    // One change after the other: each keeps what the other has set.
    await sql`select pg_advisory_xact_lock(hashtext(${`settings ${name}`}))`.execute(trx)
    const before = await readSetting(trx, setting)
    const parsed = schema.safeParse({ ...before, ...change })
    if (!parsed.success) {
      throw new AppError('policy_invalid', 400, { detail: z.prettifyError(parsed.error) })
    }
    const value = JSON.stringify(parsed.data)
    await trx
      .insertInto('settings')
      .values({ name, value })
      .onConflict((on) => on.column('name').doUpdateSet({ value, updatedAt: sql`now()` }))
      .execute()
    await bumpVersion(trx, 'settings')
    await record(trx, {
      type: 'settings.changed',
      actor,
      detail: { name, ...changesOf(before, parsed.data) },
    })
    return parsed.data
  })
}
