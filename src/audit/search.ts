/** Reads the audit trail: newest first, a page at a time, or all of it in the order in which it happened. */
import { type RawBuilder, sql } from 'kysely'
import type { Db } from '../database/connection.ts'

export type FoundEvent = {
  id: string
  at: Date
  type: string
  actorKind: string
  actorId: string | null
  /** Of the actor, where it is a person who is still here. */
  actorName: string | null
  accountId: string | null
  username: string | null
  clientId: string | null
  clientName: string | null
  address: string | null
  requestId: string | null
  detail: Record<string, unknown>
}

/** All that are given must fit. */
export type EventFilter = {
  accountId?: string | undefined
  clientId?: string | undefined
  /** `sign_in.refused`, or its beginning up to a dot: `sign_in`. Any of them. */
  types?: string[] | undefined
  /** `operator`, `person`, `client`, `system`, or the id of one, such as an operator's name. */
  actor?: string | undefined
  /** An address or a network. */
  address?: string | undefined
  since?: Date | undefined
  until?: Date | undefined
  /** Ids, for pages: older than the one, newer than the other. */
  before?: string | undefined
  after?: string | undefined
}

export const mostEvents = 1000

/** At most `mostEvents`. Ids begin with their time, so their order is that of what happened. */
export async function listEvents(
  db: Db,
  filter: EventFilter,
  { limit = 100, order = 'newest' }: { limit?: number; order?: 'newest' | 'oldest' } = {},
): Promise<FoundEvent[]> {
  const { rows } = await sql<FoundEvent>`
    select e.id, e.at, e.type, e.actor_kind, e.actor_id, p.username as actor_name, e.account_id, a.username,
      e.client_id, c.name as client_name, host(e.address) as address, e.request_id, e.detail
    from audit_events e
    left join accounts a on a.id = e.account_id
    left join accounts p on e.actor_kind = 'person' and p.id::text = e.actor_id
    left join clients c on c.id = e.client_id
    where ${sql.join([sql`true`, ...conditions(filter)], sql` and `)}
    order by e.id ${order === 'newest' ? sql`desc` : sql`asc`}
    limit ${Math.min(Math.max(limit, 1), mostEvents)}`.execute(db)
  return rows
}

function conditions(filter: EventFilter): RawBuilder<unknown>[] {
  const { accountId, clientId, types, actor, address, since, until, before, after } = filter
  const wanted = types?.map((type) => sql`(e.type = ${type} or starts_with(e.type, ${`${type}.`}))`)
  return [
    accountId !== undefined && sql`e.account_id = ${accountId}::uuid`,
    clientId !== undefined && sql`e.client_id = ${clientId}`,
    wanted !== undefined && wanted.length > 0 && sql`(${sql.join(wanted, sql` or `)})`,
    actor !== undefined && sql`(e.actor_kind = ${actor} or e.actor_id = ${actor})`,
    address !== undefined && sql`e.address <<= ${address}::inet`,
    since !== undefined && sql`e.at >= ${since}`,
    until !== undefined && sql`e.at < ${until}`,
    before !== undefined && sql`e.id < ${before}::uuid`,
    after !== undefined && sql`e.id > ${after}::uuid`,
  ].filter((condition) => condition !== false)
}

/** Any number of them, in pages: what is written meanwhile may be among them. */
export async function* readEvents(db: Db, filter: EventFilter): AsyncGenerator<FoundEvent> {
  let after = filter.after
  for (;;) {
    const page = await listEvents(db, { ...filter, after }, { limit: mostEvents, order: 'oldest' })
    yield* page
    after = page.at(-1)?.id
    if (page.length < mostEvents) return
  }
}

/**
 * What is new, in its order, each once. A transaction may end after a later one, so the last seconds are read again.
 * `seen` is kept by the caller from call to call.
 */
export async function listNewEvents(
  db: Db,
  filter: EventFilter,
  seen: Map<string, number>,
  now = Date.now(),
): Promise<FoundEvent[]> {
  const since = new Date(now - overlapMs)
  const found = await listEvents(db, { ...filter, since }, { limit: mostEvents })
  const fresh = found.filter(({ id }) => !seen.has(id)).reverse()
  for (const { id } of found) seen.set(id, now)
  for (const [id, at] of seen) if (at < now - overlapMs) seen.delete(id)
  return fresh
}

const overlapMs = 30_000
