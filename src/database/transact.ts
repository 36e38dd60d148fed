/** One unit of work: all of it happens, or none. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../errors.ts'
import type { Db } from './connection.ts'

const retries = 3

/**
 * Runs `work` in the caller's transaction when there is one, else in its own. Its own is run again after a
 * serialization failure or a deadlock (three times, RL-16), so `work` keeps to the database. What a trigger of ours
 * refuses (SQLSTATE `ID` and a status, such as ID422) is thrown as an AppError whose code is the trigger's message.
 */
export async function transact<T>(db: Db, work: (trx: Db) => Promise<T>): Promise<T> {
  if (db.isTransaction) return work(db)
  for (let attempt = 0; ; attempt++) {
    try {
      return await db.transaction().execute(work)
    } catch (error) {
      if (attempt === retries || !isConflict(error)) throw refusalIn(error) ?? error
      await sleep(Math.random() * 20 * 2 ** attempt)
    }
  }
}

function isConflict(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === '40001' || code === '40P01'
}

function refusalIn(error: unknown): AppError | undefined {
  const { code, message, detail } = error as Record<string, string | undefined>
  const [, status] = /^ID(4\d\d)$/.exec(String(code)) ?? []
  if (!status || !message) return undefined
  return new AppError(message, Number(status), { cause: error, ...(detail ? { detail } : {}) })
}
