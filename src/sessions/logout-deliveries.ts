/**
 * Which apps still have to hear that a session has ended, and how that went. The rows are the queue: a job per app
 * takes what is due (oidc/backchannel-logout.ts), a few at a time, and leaves an app alone for a while that did not
 * answer, so that no app delays another, however many sign-outs wait for it (DS-10, RL-19).
 */
import { type RawBuilder, sql } from 'kysely'
import { record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { enqueue } from '../jobs/tasks.ts'

/** One app's part in one session that has ended. */
export type EndedPart = { sessionUid: string; accountId: string; clientId: string }

export type Delivery = EndedPart & {
  /** This one included. */
  attempts: number
}

export type DeliveryState = 'pending' | 'told' | 'refused' | 'failed'

/** `error` is one word, such as `timeout` or `http_500`; `final` when trying again would change nothing. */
export type Outcome = { told: true } | { told: false; error: string; final: boolean }

/** Seconds from each attempt to the next. After the last one nobody is told any more: about six hours. */
const waits = [5, 30, 120, 600, 1800, 5400, 14_400]
const atOnce = 5
const restSeconds = 10
/** The app did not answer at all, so the next call would most likely cost as much time. */
const absent = sql`error in ('unresolved', 'timeout', 'unreachable')`
/** Longer than any call may take: what a dying process had taken is due again after it. */
const leaseSeconds = 60

/**
 * An insert for a larger statement, returning `client_id`: `parts` is what stands after `from`, with the columns
 * session_uid, account_id and client_id. Of the apps only those that have an address for it are told.
 */
export function insertDeliveries(parts: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    insert into logout_deliveries (session_uid, client_id, account_id)
    select p.session_uid, p.client_id, p.account_id from ${parts} p
    join clients c on c.id = p.client_id and c.disabled_at is null
      and c.metadata ->> 'backchannel_logout_uri' is not null
    on conflict (session_uid, client_id) do update
      set state = 'pending', attempts = 0, error = null, asked_at = now(), next_attempt_at = now()
    returning client_id`
}

/** Has the inserted sent, once the caller's transaction stands. */
export async function askForRounds(trx: Db, clientIds: string[]): Promise<void> {
  for (const clientId of clientIds) {
    await enqueue(trx, 'logout.backchannel', { clientId }, job(clientId))
  }
}

/** Part of the caller's transaction. */
export async function tellApp(trx: Db, part: EndedPart): Promise<void> {
  const { sessionUid, accountId, clientId } = part
  const { rows } = await insertDeliveries(
    sql`(select ${sessionUid}::text as session_uid, ${accountId}::uuid as account_id, ${clientId}::text as client_id)`,
  ).execute(trx)
  if (rows.length > 0) await askForRounds(trx, [clientId])
}

/** Takes what is due for one app, a few at once; nothing while the app rests. */
export async function takeDue(db: Db, clientId: string): Promise<Delivery[]> {
  const { rows } = await sql<Delivery>`
    update logout_deliveries set attempts = attempts + 1, attempted_at = now(),
      next_attempt_at = now() + make_interval(secs => ${leaseSeconds})
    where (session_uid, client_id) in (
      select session_uid, client_id from logout_deliveries
      where client_id = ${clientId} and state = 'pending' and next_attempt_at <= now()
        and not exists (
          select from logout_deliveries
          where client_id = ${clientId} and state = 'pending' and ${absent}
            and attempted_at > now() - make_interval(secs => ${restSeconds}))
      order by next_attempt_at limit ${atOnce} for update skip locked)
    returning session_uid, client_id, account_id, attempts`.execute(db)
  return rows
}

/** Nothing happens where the same app has to be told anew meanwhile. Giving up is written into the audit trail. */
export function settle(db: Db, delivery: Delivery, outcome: Outcome): Promise<void> {
  const { sessionUid, clientId, accountId, attempts } = delivery
  const wait = waits[attempts - 1]
  const next = stateAfter(outcome, wait)
  const error = outcome.told ? null : outcome.error
  return transact(db, async (trx) => {
    const { rows } = await sql`
      update logout_deliveries set state = ${next}, error = ${error},
        next_attempt_at = now() + make_interval(secs => ${wait ?? 0})
      where session_uid = ${sessionUid} and client_id = ${clientId}
        and attempts = ${attempts} and state = 'pending'
      returning 1`.execute(trx)
    if (rows.length === 0 || outcome.told || next === 'pending') return
    const detail = { error: outcome.error, attempts }
    await record(trx, { type: 'logout.undelivered', accountId, clientId, detail })
  })
}

function stateAfter(outcome: Outcome, wait: number | undefined): DeliveryState {
  if (outcome.told) return 'told'
  if (outcome.final) return 'refused'
  return wait === undefined ? 'failed' : 'pending'
}

/** Puts the next round off to when something is due. A round that somebody asked for meanwhile is not delayed. */
export async function scheduleNext(db: Db, clientId: string): Promise<void> {
  const { rows } = await sql<{ at: Date | null }>`
    select greatest(
      min(next_attempt_at),
      max(attempted_at) filter (where ${absent}) + make_interval(secs => ${restSeconds})
    ) as at
    from logout_deliveries where client_id = ${clientId} and state = 'pending'`.execute(db)
  const runAt = rows[0]?.at
  if (!runAt) return
  await enqueue(
    db,
    'logout.backchannel',
    { clientId },
    { ...job(clientId), runAt, keepsRunAt: true },
  )
}

/** For what a process left behind that died: the job queue takes hours to notice. */
export async function resumeDeliveries(db: Db): Promise<void> {
  const { rows } = await sql<{ clientId: string }>`
    select distinct client_id from logout_deliveries
    where state = 'pending' and next_attempt_at < now() - make_interval(secs => ${2 * leaseSeconds})`.execute(
    db,
  )
  for (const { clientId } of rows) {
    await enqueue(db, 'logout.backchannel', { clientId }, { ...job(clientId), keepsRunAt: true })
  }
}

/** How far the news of this session's end has come, by app. */
export async function deliveriesOf(
  db: Db,
  sessionUid: string,
): Promise<Map<string, DeliveryState>> {
  const rows = await db
    .selectFrom('logoutDeliveries')
    .select(['clientId', 'state'])
    .where('sessionUid', '=', sessionUid)
    .execute()
  return new Map(rows.map(({ clientId, state }) => [clientId, state]))
}

/** One waiting and one running round per app, whoever asks and however often. */
function job(clientId: string) {
  return { jobKey: `logout:${clientId}`, queue: `logout:${clientId}` }
}
