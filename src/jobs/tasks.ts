/** What can be put off, with its payload, and the one way to put it off: inside the caller's transaction. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'

export type Tasks = {
  /** Sends the newest verification mail of a registration; the code is made there, so no payload holds one. */
  'mail.verification': { registrationId: string; mailNumber: number }
  /** Removes what has expired, in batches. */
  cleanup: Record<string, never>
  /** Rotates signing keys where it is due. */
  'rotate-keys': Record<string, never>
}

export type TaskName = keyof Tasks

/** `jobKey` replaces a waiting job of the same key, so that asking twice sends once. */
export async function enqueue<T extends TaskName>(
  db: Db,
  task: T,
  payload: Tasks[T],
  options: { jobKey?: string; runAt?: Date; maxAttempts?: number } = {},
): Promise<void> {
  const { jobKey = null, runAt = null, maxAttempts = null } = options
  await sql`select graphile_worker.add_job(
    ${task}, ${JSON.stringify(payload)}::json, run_at => ${runAt}::timestamptz,
    job_key => ${jobKey}::text, max_attempts => ${maxAttempts}::int)`.execute(db)
}
