/**
 * How the trail ends: by age alone, in batches. The database refuses whoever changes or removes an event otherwise, but for
 * the erasure of a person (`mayErase`); that it was trimmed is an event itself.
 */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { record } from './audit.ts'

/** Removes events older than `days` and returns how many; `null` keeps all. For the cleanup job. */
export async function removeOldEvents(
  db: Db,
  days: number | null,
  batchSize = 5000,
): Promise<number> {
  if (days === null) return 0
  let removed = 0
  for (;;) {
    const count = await transact(db, async (trx) => {
      await say(trx, 'retention')
      const { rows } = await sql<{ id: string }>`
        delete from audit_events where id in (
          select id from audit_events where at < now() - make_interval(days => ${days})
          order by at limit ${batchSize} for update skip locked) returning id`.execute(trx)
      return rows.length
    })
    removed += count
    if (count < batchSize) break
  }
  if (removed > 0) await record(db, { type: 'audit.trimmed', detail: { removed, days } })
  return removed
}

/** From here to the end of the caller's transaction, events may lose what says whose they were. */
export function mayErase(trx: Db): Promise<void> {
  return say(trx, 'erasure')
}

async function say(trx: Db, why: 'retention' | 'erasure'): Promise<void> {
  await sql`select set_config('idp.audit', ${why}, true)`.execute(trx)
}
