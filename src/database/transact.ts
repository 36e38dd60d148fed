/** One unit of work: all of it happens, or none. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Db } from './connection.ts'

const retries = 3

/**
 * Runs `work` in the caller's transaction when there is one, else in its own. Its own is run again after a
 * serialization failure or a deadlock (three times, RL-16), so `work` keeps to the database.
 */
export async function transact<T>(db: Db, work: (trx: Db) => Promise<T>): Promise<T> {
  if (db.isTransaction) return work(db)
  for (let attempt = 0; ; attempt++) {
    try {
      return await db.transaction().execute(work)
    } catch (error) {
      if (attempt === retries || !isConflict(error)) throw error
      await sleep(Math.random() * 20 * 2 ** attempt)
    }
  }
}

function isConflict(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === '40001' || code === '40P01'
}
