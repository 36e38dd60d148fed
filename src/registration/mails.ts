/**
 * When a verification mail may be put on its way. The timer stands in the row and is kept by the database, so
 * ten clicks send one mail. Who gets the mail and what it says is decided when it is sent (send-verification.ts).
 */
import { sql } from 'kysely'
import { type Origin, record } from '../audit/audit.ts'
import { sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { enqueue } from '../jobs/tasks.ts'
import { now } from './clock.ts'
import type { RegistrationDeps, RegistrationKey } from './deps.ts'
import { isId, read } from './read.ts'

/** After the first mail, the second, …; the last one repeats. */
export const waitsInSeconds = [60, 60, 120, 300, 600]
/** With five guesses a mail, a registration never has more than 60. */
export const mailsPerRegistration = 12
export const proofMinutes = 10
export const proofExpiry = sql<Date>`now() + make_interval(mins => ${proofMinutes})`
/** graphile-worker waits e, e², … e¹⁰ seconds: about seven hours in all. */
const attempts = 12

/** From now on only the next mail's code and link count, whenever it is sent. */
export async function queueMail(
  trx: Db,
  id: string,
  { address }: Pick<Origin, 'address'>,
): Promise<void> {
  const waits = sql`array[${sql.join(waitsInSeconds)}]::int[]`
  const { mailNumber } = await trx
    .updateTable('registrations')
    .set({
      mailNumber: sql<number>`mail_number + 1`,
      codeHash: null,
      tokenHash: null,
      guesses: 0,
      proofExpiresAt: proofExpiry,
      nextMailAt: sql<Date>`now() + make_interval(secs =>
        (${waits})[least(mail_number + 1, ${waitsInSeconds.length})])`,
    })
    .where('id', '=', id)
    .returning('mailNumber')
    .executeTakeFirstOrThrow()
  await enqueue(
    trx,
    'mail.verification',
    { registrationId: id, mailNumber, ...(address === undefined ? {} : { askedFrom: address }) },
    { jobKey: `verification:${id}`, maxAttempts: attempts },
  )
}

export type MailAnswer =
  /** `sent` is false while the timer runs. */
  | { ok: true; sent: boolean; retryAfterSeconds: number }
  | { ok: false; code: 'registration_not_found' | 'registration_not_waiting' | 'too_many_attempts' }

/** The same answer whether or not somebody owns the address (security EN-05). */
export async function resend(
  { db }: Pick<RegistrationDeps, 'db'>,
  key: RegistrationKey,
  origin: Origin = {},
): Promise<MailAnswer> {
  const sent = await transact(db, async (trx) => {
    if (!(await claim(trx, key))) return false
    await queueMail(trx, key.id, origin)
    const detail = { registrationId: key.id }
    await record(trx, { type: 'registration.mail_asked', origin, detail })
    return true
  })
  const registration = await read(db, key)
  if (!registration) return { ok: false, code: 'registration_not_found' }
  if (registration.status !== 'verification_sent') {
    return { ok: false, code: 'registration_not_waiting' }
  }
  const usedUp = registration.mailNumber >= mailsPerRegistration
  if (!sent && usedUp) return { ok: false, code: 'too_many_attempts' }
  return { ok: true, sent, retryAfterSeconds: registration.waitSeconds }
}

/** Locks the registration when it may have another mail now. */
async function claim(trx: Db, { id, handle }: RegistrationKey): Promise<boolean> {
  if (!isId(id)) return false
  const free = await trx
    .selectFrom('registrations')
    .select('id')
    .where('id', '=', id)
    .where('handleHash', '=', sha256(handle))
    .where('status', '=', 'verification_sent')
    .where('nextMailAt', '<=', now)
    .where('expiresAt', '>', now)
    .where('mailNumber', '<', mailsPerRegistration)
    .forUpdate()
    .executeTakeFirst()
  return free !== undefined
}
