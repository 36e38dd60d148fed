/**
 * An act that a program asks for again, because it never heard the answer, is done once (RFC 9110 §9.2.2): whoever comes
 * with the same key and the same request gets the first answer for a day. Answers tell secrets, so they are sealed.
 */
import { sql } from 'kysely'
import { type Keyring, newId, sha256 } from './crypto.ts'
import type { Db } from './database/connection.ts'
import { transact } from './database/transact.ts'
import { AppError } from './errors.ts'

/** `caller` is who asks: nobody gets another's answer. `request` is what is asked for, with its body. */
export type Once = { caller: string; key: string; request: string }

const lifetimeHours = 24
/** Whoever has been at it for longer has died. */
const patienceSeconds = 60

/**
 * `work` runs in a transaction together with the keeping of its answer, which is JSON; when it throws, the key is free again.
 * Throws `idempotency_key_invalid` (400), `idempotency_in_progress` (409) while another request is at it,
 * `idempotency_key_reused` (422) for a key that came with something else.
 */
export async function performOnce<T extends object>(
  { db, keyring }: { db: Db; keyring: Keyring },
  once: Once,
  work: (trx: Db) => Promise<T>,
): Promise<{ answer: T; repeated: boolean }> {
  if (!/^[\x21-\x7e]{1,255}$/.test(once.key)) throw new AppError('idempotency_key_invalid', 400)
  const { caller } = once
  const keyHash = sha256(once.key)
  const row = `${caller} ${keyHash.toString('hex')}`
  const fingerprint = sha256(once.request)
  const attempt = newId()
  if (!(await begin(db, { caller, keyHash, fingerprint, attempt }))) {
    const sealed = await findAnswer(db, { caller, keyHash, fingerprint })
    const text = keyring.open('idempotency', row, sealed).toString()
    return { answer: JSON.parse(text) as T, repeated: true }
  }
  try {
    const answer = await transact(db, async (trx) => {
      const done = await work(trx)
      const kept = await trx
        .updateTable('idempotencyKeys')
        .set({ answer: keyring.seal('idempotency', row, JSON.stringify(done)) })
        .where('caller', '=', caller)
        .where('keyHash', '=', keyHash)
        .where('attempt', '=', attempt)
        .executeTakeFirst()
      // Somebody took over while this one was silent; what was done here is undone.
      if (kept.numUpdatedRows === 0n) throw inProgress()
      return done
    })
    return { answer, repeated: false }
  } catch (error) {
    await db
      .deleteFrom('idempotencyKeys')
      .where('caller', '=', caller)
      .where('keyHash', '=', keyHash)
      .where('attempt', '=', attempt)
      .where('answer', 'is', null)
      .execute()
    throw error
  }
}

/** Of many at once one begins. */
async function begin(
  db: Db,
  row: { caller: string; keyHash: Buffer; fingerprint: Buffer; attempt: string },
): Promise<boolean> {
  const { rows } = await sql`
    insert into idempotency_keys as k (caller, key_hash, fingerprint, attempt, expires_at)
    values (${row.caller}, ${row.keyHash}, ${row.fingerprint}, ${row.attempt},
      now() + make_interval(hours => ${lifetimeHours}))
    on conflict (caller, key_hash) do update
    set fingerprint = excluded.fingerprint, attempt = excluded.attempt, started_at = now(), answer = null,
      expires_at = excluded.expires_at
    where k.expires_at <= now()
      or (k.answer is null and k.fingerprint = excluded.fingerprint
        and k.started_at < now() - make_interval(secs => ${patienceSeconds}))
    returning 1`.execute(db)
  return rows.length > 0
}

async function findAnswer(
  db: Db,
  { caller, keyHash, fingerprint }: { caller: string; keyHash: Buffer; fingerprint: Buffer },
): Promise<Buffer> {
  const found = await db
    .selectFrom('idempotencyKeys')
    .select(['fingerprint', 'answer'])
    .where('caller', '=', caller)
    .where('keyHash', '=', keyHash)
    .executeTakeFirst()
  if (found && !found.fingerprint.equals(fingerprint)) {
    throw new AppError('idempotency_key_reused', 422)
  }
  // Without a row the first has just failed.
  if (!found?.answer) throw inProgress()
  return found.answer
}

function inProgress(): AppError {
  return new AppError('idempotency_in_progress', 409, { retryAfterSeconds: 1 })
}

/** For the cleanup. */
export async function forgetAnswers(db: Db): Promise<number> {
  const gone = await db
    .deleteFrom('idempotencyKeys')
    .where('expiresAt', '<', sql<Date>`now()`)
    .executeTakeFirst()
  return Number(gone.numDeletedRows)
}
