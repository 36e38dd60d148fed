/**
 * When a verification mail may be put on its way. The timer stands in the row and is kept by the database, so
 * ten clicks send one mail. Who gets the mail and what it says is decided when it is sent (send-verification.ts).
 */
import { sql } from 'kysely'
import { canonicalEmail } from '../accounts/email.ts'
import { type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import type { FieldError } from '../errors.ts'
import { enqueue } from '../jobs/tasks.ts'
import { now } from './clock.ts'
import type { RegistrationDeps, RegistrationKey } from './deps.ts'
import { read } from './read.ts'

/** After the first mail, the second, …; the last one repeats. */
export const waitsInSeconds = [60, 60, 120, 300, 600]
/** With five guesses a mail, a registration never has more than 60. */
export const mailsPerRegistration = 12
export const proofMinutes = 10
export const proofExpiry = sql<Date>`now() + make_interval(mins => ${proofMinutes})`
/** graphile-worker waits e, e², … e¹⁰ seconds: about seven hours in all. */
const attempts = 12

/** From now on only the next mail's code and link count, whenever it is sent. */
export async function queueMail(trx: Db, id: string): Promise<void> {
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
    { registrationId: id, mailNumber },
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
  const registration = await read(db, key)
  if (!registration) return { ok: false, code: 'registration_not_found' }
  if (registration.status !== 'verification_sent') {
    return { ok: false, code: 'registration_not_waiting' }
  }
  const sent = await transact(db, async (trx) => {
    const free = await claim(trx, key.id, { timer: true })
    if (!free) return false
    await queueMail(trx, key.id)
    await record(trx, {
      type: 'registration.mail_asked',
      origin,
      detail: { registrationId: key.id },
    })
    return true
  })
  return answer(db, key, sent)
}

/**
 * "Wrong address?": what was mailed before is worthless from now on. It need not wait for the timer, for the
 * next mail goes to another mailbox; the number of mails of a registration bounds it.
 */
export async function changeAddress(
  { db }: Pick<RegistrationDeps, 'db'>,
  key: RegistrationKey,
  text: string,
  origin: Origin = {},
): Promise<MailAnswer | { ok: false; code: 'invalid_request'; errors: FieldError[] }> {
  const email = canonicalEmail(text)
  if (!email.ok) {
    const code = text.trim() === '' ? 'email_required' : email.code
    return { ok: false, code: 'invalid_request', errors: [{ field: 'email', code }] }
  }
  const registration = await read(db, key)
  if (!registration) return { ok: false, code: 'registration_not_found' }
  if (registration.status !== 'verification_sent') {
    return { ok: false, code: 'registration_not_waiting' }
  }
  if (registration.emailCanonical === email.canonical) return resend({ db }, key, origin)
  const sent = await transact(db, async (trx) => {
    const free = await claim(trx, key.id, { timer: false })
    if (!free) return false
    await trx
      .updateTable('registrations')
      .set({ email: email.email, emailCanonical: email.canonical })
      .where('id', '=', key.id)
      .execute()
    await queueMail(trx, key.id)
    await record(trx, {
      type: 'registration.address_changed',
      origin,
      detail: { registrationId: key.id },
    })
    return true
  })
  return answer(db, key, sent)
}

/** Locks the registration when it may have another mail. */
async function claim(trx: Db, id: string, { timer }: { timer: boolean }): Promise<boolean> {
  let query = trx
    .selectFrom('registrations')
    .select('id')
    .where('id', '=', id)
    .where('status', '=', 'verification_sent')
    .where('expiresAt', '>', now)
    .where('mailNumber', '<', mailsPerRegistration)
    .forUpdate()
  if (timer) query = query.where('nextMailAt', '<=', now)
  return (await query.executeTakeFirst()) !== undefined
}

async function answer(db: Db, key: RegistrationKey, sent: boolean): Promise<MailAnswer> {
  const registration = await read(db, key)
  if (!registration) return { ok: false, code: 'registration_not_found' }
  if (registration.status !== 'verification_sent') {
    return { ok: false, code: 'registration_not_waiting' }
  }
  const usedUp = registration.mailNumber >= mailsPerRegistration
  if (!sent && usedUp) return { ok: false, code: 'too_many_attempts' }
  return { ok: true, sent, retryAfterSeconds: registration.waitSeconds }
}
