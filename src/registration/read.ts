/** What the holder of a registration's handle may know about it: never a hash, never a code. */
import { sql } from 'kysely'
import { maskEmail } from '../accounts/email.ts'
import { sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { RegistrationStatus } from '../database/tables.ts'
import { now } from './clock.ts'
import type { RegistrationKey } from './deps.ts'
import { canProceed, mayRetry, progressOf } from './machine.ts'

export type RegistrationView = {
  id: string
  /** Null until the account has been made. */
  accountId: string | null
  username: string
  email: string
  maskedEmail: string
  locale: string
  status: RegistrationStatus
  lastStep: RegistrationStatus
  /** Why it failed: a stable code. */
  error: string | null
  /** Percent. */
  progress: number
  canProceed: boolean
  canRetry: boolean
  /** Whether the newest mail can still be used. */
  proof: 'open' | 'expired' | 'too-many'
  /** Until another mail may be asked for, by the database's clock. */
  waitSeconds: number
  mailNumber: number
  /** When the address was proven. */
  verifiedAt: Date | null
  lastUpdated: Date
}

export const guessesPerCode = 5

const anyId = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/** What arrives from outside may be anything; the database would throw on what is not a UUID. */
export function isId(text: string): boolean {
  return anyId.test(text)
}

/** Undefined for an unknown id, a wrong handle and an expired registration alike. */
export function read(
  db: Db,
  { id, handle }: RegistrationKey,
): Promise<RegistrationView | undefined> {
  return view(db, id, sha256(handle))
}

/** For a caller that has shown something better than the handle: the code or the link of the mail. */
export function readProven(db: Db, id: string): Promise<RegistrationView | undefined> {
  return view(db, id)
}

async function view(
  db: Db,
  id: string,
  handleHash?: Buffer,
): Promise<RegistrationView | undefined> {
  if (!isId(id)) return undefined
  let query = db
    .selectFrom('registrations')
    .select(['id', 'accountId', 'username', 'email', 'locale'])
    .select(['status', 'lastStep', 'error', 'mailNumber', 'verifiedAt', 'updatedAt'])
    .select([
      sql<RegistrationView['proof']>`case
        when guesses >= ${guessesPerCode} then 'too-many'
        when proof_expires_at > now() then 'open'
        else 'expired' end`.as('proof'),
      sql<number>`coalesce(greatest(0, ceil(extract(epoch from next_mail_at - now()))), 0)::int`.as(
        'waitSeconds',
      ),
    ])
    .where('id', '=', id)
    .where('expiresAt', '>', now)
  if (handleHash) query = query.where('handleHash', '=', handleHash)
  const row = await query.executeTakeFirst()
  if (!row) return undefined
  const { updatedAt, ...known } = row
  return {
    ...known,
    maskedEmail: maskEmail(row.email),
    progress: progressOf(row),
    canProceed: canProceed(row),
    canRetry: mayRetry(row),
    lastUpdated: updatedAt,
  }
}

export type RegistrationJson = {
  id: string
  handle?: string
  status: RegistrationStatus
  progress: number
  message: string
  canProceed: boolean
  details: { lastStep: RegistrationStatus; error: string | null; lastUpdated: string }
}

/** The shape of the contract. `t` speaks the person's language; `handle` is told once, to whoever began. */
export function toJson(
  view: RegistrationView,
  t: (key: string) => string,
  handle?: string,
): RegistrationJson {
  const { id, status, progress, lastStep, error } = view
  return {
    id,
    ...(handle === undefined ? {} : { handle }),
    status,
    progress,
    message: t(messageKey(view)),
    canProceed: view.canProceed,
    details: { lastStep, error, lastUpdated: view.lastUpdated.toISOString() },
  }
}

function messageKey({ status, canRetry, error }: RegistrationView): string {
  if (status !== 'failed') return `registration.${status}`
  return canRetry ? 'registration.failed' : `errors.${error}`
}
