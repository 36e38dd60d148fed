/**
 * What waits for each receiver, and how it went: a job per receiver takes what is due, a few at a time, and leaves a
 * receiver alone for a while that did not answer, so that none delays another (DS-10, RL-19). After three days a message
 * is left as failed, and may be replayed, under the same id.
 */
import { sql } from 'kysely'
import { type Actor, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { enqueue } from '../jobs/tasks.ts'

export type Delivery = {
  id: string
  webhookId: string
  type: string
  body: string
  /** This one included. */
  attempts: number
}

export type KnownDelivery = Omit<Delivery, 'body'> & {
  state: 'pending' | 'delivered' | 'failed'
  error: string | null
  createdAt: Date
  nextAttemptAt: Date
  settledAt: Date | null
}

/** `error` is one word, such as `timeout` or `http_500`; `final` when trying again would change nothing. */
export type Outcome = { ok: true } | { ok: false; error: string; final: boolean }

const [minute, hour] = [60, 3600]
/** Seconds from each attempt to the next; after the last one it is over. */
const waits = [
  5,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
]
const atOnce = 5
const restSeconds = 30
const absent = sql`error in ('unresolved', 'timeout', 'unreachable')`
/** Longer than any call may take: what a dying process had taken is due again after it. */
const leaseSeconds = 60

/** Takes what is due for one receiver, the oldest first; nothing while it rests. */
export async function takeDue(db: Db, webhookId: string): Promise<Delivery[]> {
  const { rows } = await sql<Delivery>`
    update webhook_deliveries set attempts = attempts + 1, attempted_at = now(),
      next_attempt_at = now() + make_interval(secs => ${leaseSeconds})
    where id in (
      select id from webhook_deliveries
      where webhook_id = ${webhookId} and state = 'pending' and next_attempt_at <= now()
        and not exists (
          select from webhook_deliveries
          where webhook_id = ${webhookId} and state = 'pending' and ${absent}
            and attempted_at > now() - make_interval(secs => ${restSeconds}))
      order by next_attempt_at, created_at limit ${atOnce} for update skip locked)
    returning id, webhook_id, type, body, attempts`.execute(db)
  return rows
}

/** Nothing happens where it has been replayed meanwhile. Giving up is written into the audit trail. */
export function settle(db: Db, delivery: Delivery, outcome: Outcome): Promise<void> {
  const { id, webhookId, attempts, type } = delivery
  const wait = waits[attempts - 1]
  const error = outcome.ok ? null : outcome.error
  const over = !outcome.ok && (outcome.final || wait === undefined)
  const state = outcome.ok ? 'delivered' : over ? 'failed' : 'pending'
  return transact(db, async (trx) => {
    const { rows } = await sql`
      update webhook_deliveries set state = ${state}, error = ${error},
        settled_at = case when ${state} = 'pending' then null else now() end,
        next_attempt_at = now() + make_interval(secs => ${wait ?? 0})
      where id = ${id} and attempts = ${attempts} and state = 'pending'
      returning 1`.execute(trx)
    if (rows.length === 0 || !over) return
    const detail = { id, webhookId, type, error, attempts }
    await record(trx, { type: 'webhook.undelivered', detail })
  })
}

/** Puts the next round off to when something is due. A round that somebody asked for meanwhile is not delayed. */
export async function scheduleNext(db: Db, webhookId: string): Promise<void> {
  const { rows } = await sql<{ at: Date | null }>`
    select greatest(min(next_attempt_at),
      max(attempted_at) filter (where ${absent}) + make_interval(secs => ${restSeconds})) as at
    from webhook_deliveries where webhook_id = ${webhookId} and state = 'pending'`.execute(db)
  const runAt = rows[0]?.at
  if (runAt) await askForRound(db, webhookId, { runAt, keepsRunAt: true })
}

/** For what a process left behind that died. */
export async function resumeWebhooks(db: Db): Promise<void> {
  const { rows } = await sql<{ webhookId: string }>`
    select distinct webhook_id from webhook_deliveries d
    join webhooks w on w.id = d.webhook_id and w.disabled_at is null
    where state = 'pending' and next_attempt_at < now() - make_interval(secs => ${2 * leaseSeconds})`.execute(
    db,
  )
  for (const { webhookId } of rows) await askForRound(db, webhookId, { keepsRunAt: true })
}

/** The newest first. */
export async function listDeliveries(
  db: Db,
  { webhookId, state, limit }: { webhookId?: string; state?: string; limit: number },
): Promise<KnownDelivery[]> {
  const { rows } = await sql<KnownDelivery>`
    select id, webhook_id, type, state, attempts, error, created_at, next_attempt_at, settled_at
    from webhook_deliveries
    where (${webhookId ?? null}::text is null or webhook_id = ${webhookId ?? null})
      and (${state ?? null}::text is null or state = ${state ?? null})
    order by created_at desc, id limit ${limit}`.execute(db)
  return rows
}

/**
 * Sends again, from the first attempt on and under the same id, so that a receiver that has it already may say so: one
 * message by its id, or all of a receiver that have failed. How many there were.
 */
export function replay(
  db: Db,
  which: { id: string } | { webhookId: string },
  actor: Actor,
): Promise<number> {
  return transact(db, async (trx) => {
    const { rows } = await sql<{ webhookId: string }>`
      update webhook_deliveries set state = 'pending', attempts = 0, error = null, settled_at = null,
        attempted_at = null, next_attempt_at = now()
      where ${'id' in which ? sql`id = ${which.id}` : sql`webhook_id = ${which.webhookId} and state = 'failed'`}
      returning webhook_id`.execute(trx)
    for (const webhookId of new Set(rows.map((row) => row.webhookId))) {
      await askForRound(trx, webhookId)
    }
    const detail = { ...which, count: rows.length }
    if (rows.length > 0) await record(trx, { type: 'webhook.replayed', actor, detail })
    return rows.length
  })
}

/** For the cleanup: what arrived is kept a week, what failed a month. */
export async function removeSettled(db: Db): Promise<void> {
  await sql`
    delete from webhook_deliveries where settled_at < now() - interval '7 days'
      and (state = 'delivered' or settled_at < now() - interval '30 days')`.execute(db)
}

/** One waiting and one running round per receiver, whoever asks and however often (audit/published.ts names it alike). */
export function askForRound(
  db: Db,
  webhookId: string,
  options: { runAt?: Date; keepsRunAt?: boolean } = {},
): Promise<void> {
  const name = `webhook:${webhookId}`
  return enqueue(db, 'webhook.deliver', { webhookId }, { jobKey: name, queue: name, ...options })
}
