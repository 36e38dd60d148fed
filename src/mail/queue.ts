/**
 * Mails on their way: jobs that wait, are being sent, or were given up. A job holds no address and no secret; whose it is
 * comes from the row that it names, and is masked.
 */
import { sql } from 'kysely'
import { type Actor, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'

export type QueuedMail = {
  id: string
  /** `mail.proof` and the like. */
  kind: string
  /** `m•••@example.com`; null where the row that it was for is gone. */
  to: string | null
  /** Given up: it is not tried again by itself. */
  state: 'waiting' | 'sending' | 'failed'
  attempts: number
  maxAttempts: number
  createdAt: Date
  nextAt: Date
  /** One line, without addresses. */
  error: string | null
}

export const mostMails = 1000

/** The oldest first; `after` is the last id of the page before. */
export async function listMails(
  db: Db,
  {
    failedOnly = false,
    limit = 100,
    after,
  }: { failedOnly?: boolean; limit?: number; after?: string | undefined } = {},
): Promise<QueuedMail[]> {
  const { rows } = await sql<QueuedMail>`
    select j.id::text, t.identifier as kind, j.attempts::int, j.max_attempts::int, j.created_at, j.run_at as next_at,
      case when j.locked_at is not null then 'sending' when j.attempts >= j.max_attempts then 'failed'
        else 'waiting' end as state,
      regexp_replace(coalesce(p.email, r.email, s.email_canonical, a.email), '^(.)[^@]*(@.*)$', '\\1•••\\2') as "to",
      left(regexp_replace(split_part(j.last_error, chr(10), 1), '[^[:space:]<>"]+@[^[:space:]<>"]+', '…', 'g'), 200) as error
    from graphile_worker._private_jobs j
    join graphile_worker._private_tasks t on t.id = j.task_id
    left join mail_proofs p on p.id::text = j.payload ->> 'proofId'
    left join registrations r on r.id::text = j.payload ->> 'registrationId'
    left join sign_in_codes s on encode(s.flow_hash, 'hex') = j.payload ->> 'flow'
    left join accounts a on a.id::text = j.payload ->> 'accountId'
    where starts_with(t.identifier, 'mail.')
      and j.id > ${after ?? '0'}::bigint
      and (not ${failedOnly}::boolean or (j.attempts >= j.max_attempts and j.locked_at is null))
    order by j.id
    limit ${Math.min(Math.max(limit, 1), mostMails)}`.execute(db)
  return rows
}

/** Tried again at once, as if for the first time. `ids` undefined: all that were given up. Returns how many. */
export function retryMails(db: Db, ids: string[] | undefined, actor: Actor): Promise<number> {
  return transact(db, async (trx) => {
    const wanted = ids ? sql`j.id::text = any(${ids})` : sql`j.attempts >= j.max_attempts`
    const { rows } = await sql<{ retried: number }>`
      with wanted as (
        select array_agg(j.id) as ids from graphile_worker._private_jobs j
        join graphile_worker._private_tasks t on t.id = j.task_id
        where starts_with(t.identifier, 'mail.') and j.locked_at is null and ${wanted})
      select count(*)::int as retried
      from wanted, graphile_worker.reschedule_jobs(wanted.ids, run_at => now(), attempts => 0)
      where wanted.ids is not null`.execute(trx)
    const retried = rows[0]?.retried ?? 0
    if (retried > 0) await record(trx, { type: 'mails.retried', actor, detail: { mails: retried } })
    return retried
  })
}
