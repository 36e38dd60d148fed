/**
 * Removes what has expired, in batches that never hold a lock for long. An expired row is refused whether or not
 * it has been removed; some are kept a while longer, because a late replay or a person who comes back to an old
 * page is answered better from them.
 */
import type { Queryable } from './reads.ts'

/** Table → how long its rows stay after their end. */
const kept = {
  authorization_codes: '1 day',
  refresh_tokens: '0',
  access_tokens: '0',
  client_credentials: '0',
  grants: '0',
  sessions: '0',
  interactions: '8 hours',
  device_codes: '1 day',
  backchannel_authentication_requests: '1 day',
  pushed_authorization_requests: '1 hour',
  replay_detection: '1 hour',
  posted_requests: '0',
  auth_sessions: '0',
  passkey_challenges: '0',
  mail_proofs: '1 day',
  address_undos: '0',
  remembered_devices: '0',
  sign_in_codes: '0',
  doctor_probes: '0',
  upstream_requests: '0',
  upstream_proofs: '0',
  upstream_sessions: '0',
} as const

/** Anybody can begin a sign-in, so these go after a night (DS-07); whoever said who they are may come back later. */
const andNobodys = `
      and (expires_at < now() - interval '1 day' or session_account_id is null and login_account_id is null)`

const keyOf = (table: string): string => {
  if (['grants', 'mail_proofs', 'address_undos', 'upstream_sessions'].includes(table)) return 'id'
  if (['remembered_devices', 'doctor_probes'].includes(table)) return 'token_hash'
  if (['sign_in_codes', 'upstream_proofs'].includes(table)) return 'flow_hash'
  return table === 'sessions' ? 'uid' : 'id_hash'
}

/** Rows removed, by table. `batch` rows a statement, until none are left. */
export async function removeExpired(db: Queryable, batch = 1000): Promise<Record<string, number>> {
  const removed: Record<string, number> = {}
  for (const [table, stay] of Object.entries(kept)) {
    const key = keyOf(table)
    const expired = `delete from ${table} where ${key} in (
      select ${key} from ${table} where expires_at < now() - interval '${stay}'${table === 'interactions' ? andNobodys : ''}
      order by expires_at limit ${batch} for update skip locked)`
    removed[table] = await untilNone(db, expired, batch)
  }
  const refusals = `delete from refusals where reference in (
    select reference from refusals where at < now() - interval '7 days' limit ${batch})`
  removed.refusals = await untilNone(db, refusals, batch)
  const deliveries = `delete from logout_deliveries where (session_uid, client_id) in (
    select session_uid, client_id from logout_deliveries
    where asked_at < now() - interval '7 days' limit ${batch})`
  removed.logout_deliveries = await untilNone(db, deliveries, batch)
  return removed
}

async function untilNone(db: Queryable, statement: string, batch: number): Promise<number> {
  let total = 0
  for (;;) {
    const { rowCount } = await db.query({ text: statement })
    total += rowCount ?? 0
    if ((rowCount ?? 0) < batch) return total
  }
}
