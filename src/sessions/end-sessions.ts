/**
 * The one way in which sessions end, whoever ends them: the person, an admin, or whatever switches an account off.
 * The rows that are deleted say which apps have to hear of it, so no tab and no race leaves one out.
 */
import { type RawBuilder, sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { askForRounds, type EndedPart, insertDeliveries } from './logout-deliveries.ts'

/** All that are given must fit. With `clientId` the sessions go on, without that app. */
export type WhichSessions = {
  uid?: string
  accountId?: string
  clientId?: string
  /** All but this one, and what hangs on it. */
  exceptUid?: string
}

export type EndedSessions = {
  /** How many ended, or lost their app. */
  sessions: number
  grants: number
  parts: EndedPart[]
  /** Client ids of the apps that are being told. */
  told: string[]
}

/**
 * `offline: 'stays'` leaves the tokens that were given to outlive a session (offline_access), as when a person signs
 * out; 'ends' takes everything. Ended tokens are dead at once, but for JWT access tokens and their few minutes.
 */
export function endSessions(
  db: Db,
  which: WhichSessions,
  { offline }: { offline: 'stays' | 'ends' },
): Promise<EndedSessions> {
  const { uid, accountId, clientId, exceptUid } = which
  if (uid === undefined && accountId === undefined && clientId === undefined) {
    throw new Error('nobody ends every session of everybody')
  }
  const ofSession = allOf(
    uid !== undefined && sql`uid = ${uid}`,
    accountId !== undefined && sql`account_id = ${accountId}`,
    exceptUid !== undefined && sql`uid <> ${exceptUid}`,
  )
  const ofGrant = allOf(
    uid !== undefined && sql`session_uid = ${uid}`,
    accountId !== undefined && sql`account_id = ${accountId}`,
    clientId !== undefined && sql`client_id = ${clientId}`,
    exceptUid !== undefined && sql`session_uid is distinct from ${exceptUid}`,
    offline === 'stays' && sql`not offline`,
  )
  return transact(db, async (trx) => {
    const { rows } = await sql<Counted>`
      with ended as (${clientId === undefined ? whole(ofSession) : without(clientId, ofSession)}),
      ended_grants as (
        delete from grants where ${ofGrant} returning session_uid, account_id, client_id
      ),
      parts as (
        select uid as session_uid, account_id, client_id
        from ended, unnest(client_ids) as client_id where account_id is not null
        union
        select session_uid, account_id, client_id from ended_grants where session_uid is not null
      ),
      told as (${insertDeliveries(sql`parts`)})
      select (select count(*)::int from ended) as sessions,
        (select count(*)::int from ended_grants) as grants,
        (select coalesce(json_agg(json_build_array(session_uid, account_id, client_id)), '[]') from parts) as parts,
        array(select distinct client_id from told order by client_id) as told
      `.execute(trx)
    const { sessions = 0, grants = 0, parts: found = [], told = [] } = rows[0] ?? {}
    await askForRounds(trx, told)
    const parts = found.map(([sessionUid, account, client]) => ({
      sessionUid,
      accountId: account,
      clientId: client,
    }))
    return { sessions, grants, parts, told }
  })
}

/** A person signs out: the end of a session with its audit event. `askedBy` is the app that sent them here. */
export function signOut(
  db: Db,
  session: { uid: string; accountId?: string | undefined; askedBy?: string | undefined },
  origin?: Origin,
): Promise<EndedSessions> {
  const { uid, accountId, askedBy } = session
  return transact(db, async (trx) => {
    const ended = await endSessions(trx, { uid }, { offline: 'stays' })
    if (accountId && ended.sessions > 0) {
      await record(trx, {
        type: 'session.ended',
        actor: { kind: 'person', id: accountId },
        accountId,
        clientId: askedBy,
        origin,
        detail: { told: ended.told },
      })
    }
    return ended
  })
}

/** An admin ends them, whatever was given to outlive them included. */
export function revokeSessions(
  db: Db,
  which: WhichSessions,
  { actor, origin }: { actor: Actor; origin?: Origin },
): Promise<EndedSessions> {
  return transact(db, async (trx) => {
    const ended = await endSessions(trx, which, { offline: 'ends' })
    const { sessions, grants, told } = ended
    if (sessions + grants > 0) {
      await record(trx, {
        type: 'sessions.revoked',
        actor,
        accountId: which.accountId,
        clientId: which.clientId,
        origin,
        detail: { session: which.uid, sessions, grants, told },
      })
    }
    return ended
  })
}

type Counted = {
  sessions: number
  grants: number
  parts: [string, string, string][]
  told: string[]
}

function whole(condition: RawBuilder<unknown>) {
  return sql`delete from sessions where ${condition}
    returning uid, account_id, array(select jsonb_object_keys(authorizations)) as client_ids`
}

function without(clientId: string, condition: RawBuilder<unknown>) {
  return sql`update sessions set authorizations = authorizations - ${clientId}::text
    where ${condition} and authorizations ? ${clientId}
    returning uid, account_id, array[${clientId}::text] as client_ids`
}

function allOf(...conditions: (RawBuilder<unknown> | false)[]): RawBuilder<unknown> {
  return sql.join([sql`true`, ...conditions.filter((part) => part !== false)], sql` and `)
}
