/** What can be put off, with its payload, and the one way to put it off: inside the caller's transaction. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'

export type Tasks = {
  /** Sends the newest verification mail of a registration; the code is made there, so no payload holds one. */
  'mail.verification': {
    registrationId: string
    mailNumber: number
    /** The address of whoever asked for it; none for an operator. */
    askedFrom?: string
  }
  /** Sends an invitation to the address that it is for. */
  'mail.invite': { inviteId: string; locale: 'en' | 'zh-CN' }
  /** Sends the newest mail of a proof (credentials/mail-proofs.ts). */
  'mail.proof': { proofId: string; mailNumber: number; askedFrom?: string }
  /** Tells a person what happened to their account; with `undoId` at the address that it had before. */
  'mail.notice': {
    noticeId: string
    accountId: string
    kind: string
    at: string
    undoId?: string
    address?: string
    userAgent?: string
    locale?: string
  }
  /** Tells one app of the sessions that have ended. */
  'logout.backchannel': { clientId: string }
  /** Tells a person that an app asks for their yes; `question` is the hash of its id, in hexadecimal digits. */
  'mail.question': { question: string }
  /** Of the release before, which may have left some: as `mail.factor` of a passkey. */
  'mail.passkey': {
    accountId: string
    passkeyId: string
    change: 'added' | 'removed'
    name: string
  }
  /** Tells a person that a factor was added, removed or used up; `id` is the mail's own, `name` a passkey's. */
  'mail.factor': {
    id: string
    accountId: string
    what: 'added' | 'removed' | 'used'
    factor: 'totp' | 'recovery-code' | 'passkey' | 'all'
    name?: string
  }
  /** Sends the code of a sign-in that is under way; `flow` is the hash of its id, in hexadecimal digits. */
  'mail.sign-in-code': { flow: string; number: number; askedFrom?: string }
  /** Tells one receiver what waits for it. */
  'webhook.deliver': { webhookId: string }
  /** Tells an app that somebody has decided. */
  'backchannel.ping': { question: string }
  /** Removes what has expired, in batches. */
  cleanup: Record<string, never>
  /** Rotates signing keys where it is due. */
  'rotate-keys': Record<string, never>
}

export type TaskName = keyof Tasks

export type JobOptions = {
  /** Replaces a waiting job of the same key, so that asking twice does it once. */
  jobKey?: string
  /** With it a waiting job of the same key stays due when it was. */
  keepsRunAt?: boolean
  /** Jobs of one queue run one after another. */
  queue?: string
  runAt?: Date
  maxAttempts?: number
}

export async function enqueue<T extends TaskName>(
  db: Db,
  task: T,
  payload: Tasks[T],
  options: JobOptions = {},
): Promise<void> {
  const { jobKey = null, queue = null, runAt = null, maxAttempts = null, keepsRunAt } = options
  await sql`select graphile_worker.add_job(
    ${task}, ${JSON.stringify(payload)}::json, queue_name => ${queue}::text,
    run_at => ${runAt}::timestamptz, job_key => ${jobKey}::text, max_attempts => ${maxAttempts}::int,
    job_key_mode => ${keepsRunAt ? 'preserve_run_at' : 'replace'}::text)`.execute(db)
}
