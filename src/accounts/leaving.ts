/**
 * How people leave: what is held about them as one document, and a deletion that waits a week for second thoughts. A
 * sign-in takes it back; a job erases what is due. Apps are told when the sessions end, and know people by `sub`, which
 * never comes again (AC-28).
 */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import { mayErase } from '../audit/retention.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { endSessions } from '../sessions/end-sessions.ts'
import { tell } from './notices.ts'

export const graceDays = 7

/** False for the last admin: somebody has to be able to look after the others. */
export async function askDeletion(db: Db, accountId: string, origin: Origin): Promise<boolean> {
  return leave(db, accountId, { actor: { kind: 'person', id: accountId }, origin }).catch(
    (error: unknown) => {
      if (error instanceof AppError && error.code === 'last_admin') return false
      throw error
    },
  )
}

type By = { actor: Actor; origin?: Origin | undefined }

/** As askDeletion, whoever asks for it. Throws `last_admin` (422). */
export function leave(db: Db, accountId: string, { actor, origin = {} }: By): Promise<boolean> {
  return transact(db, async (trx) => {
    await trx
      .updateTable('accounts')
      .set({ deletionDueAt: sql<Date>`now() + make_interval(days => ${graceDays})` })
      .where('id', '=', accountId)
      .where('deletionDueAt', 'is', null)
      .execute()
    await sql`delete from mail_proofs where account_id = ${accountId}`.execute(trx)
    const ended = await endSessions(trx, { accountId }, { offline: 'ends' })
    await record(trx, {
      type: 'account.deletion_asked',
      actor,
      accountId,
      origin,
      detail: { sessions: ended.sessions, told: ended.told },
    })
    await tell(trx, { accountId, kind: 'deletion_asked' }, origin)
    return true
  })
}

/** After a sign-in. True when there was something to take back. */
export function cancelDeletion(db: Db, accountId: string, origin: Origin): Promise<boolean> {
  return transact(db, async (trx) => {
    const kept = await trx
      .updateTable('accounts')
      .set({ deletionDueAt: null })
      .where('id', '=', accountId)
      .where('deletionDueAt', 'is not', null)
      .returning('id')
      .executeTakeFirst()
    if (!kept) return false
    const actor = { kind: 'person', id: accountId } as const
    await record(trx, { type: 'account.deletion_cancelled', actor, accountId, origin })
    return true
  })
}

/** What names an account and does not go with its row. */
const holdings = [
  'consents',
  'authorization_codes',
  'access_tokens',
  'refresh_tokens',
  'device_codes',
  'backchannel_authentication_requests',
] as const

/** Erases the accounts that are due, each in a transaction of its own. Returns how many. */
export async function eraseDue(db: Db): Promise<number> {
  for (let erased = 0; ; erased++) {
    if (!(await transact(db, eraseNext))) return erased
  }
}

async function eraseNext(trx: Db): Promise<boolean> {
  const account = await trx
    .selectFrom('accounts')
    .select(['id', 'emailCanonical'])
    .where('deletionDueAt', '<=', sql<Date>`now()`)
    .orderBy('deletionDueAt')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()
  if (!account) return false
  await erase(trx, account)
  return true
}

/** At once, by an admin: nothing takes it back. False when it is not there. Throws `last_admin` (422). */
export function eraseAccount(db: Db, accountId: string, by: By): Promise<boolean> {
  return transact(db, async (trx) => {
    const account = await trx
      .selectFrom('accounts')
      .select(['id', 'emailCanonical'])
      .where('id', '=', accountId)
      .forUpdate()
      .executeTakeFirst()
    if (!account) return false
    await erase(trx, account, by)
    return true
  })
}

async function erase(
  trx: Db,
  { id, emailCanonical }: { id: string; emailCanonical: string | null },
  by?: By,
): Promise<void> {
  await endSessions(trx, { accountId: id }, { offline: 'ends' })
  for (const table of holdings) {
    await sql`delete from ${sql.table(table)} where account_id = ${id}`.execute(trx)
  }
  await sql`delete from interactions
    where session_account_id = ${id} or login_account_id = ${id}`.execute(trx)
  await sql`delete from registrations
    where account_id = ${id} or email_canonical = ${emailCanonical}`.execute(trx)
  await sql`delete from mail_proofs where email_canonical = ${emailCanonical}`.execute(trx)
  await sql`update invites set email = null, email_canonical = null, note = null,
    revoked_at = coalesce(revoked_at, now()) where email_canonical = ${emailCanonical}`.execute(trx)
  // What happened stays on record for operators, without whose it was (AD-13).
  await mayErase(trx)
  // The beginning of a registration is older than its account, and within a day of it.
  await sql`update audit_events e set address = null, request_id = null, detail = '{}'
    from (select at, detail ->> 'registrationId' as registration from audit_events
      where account_id = ${id} and type = 'account.created') made
    where e.account_id is null and e.detail ->> 'registrationId' = made.registration
      and e.at between made.at - interval '1 hour' and made.at + interval '1 day'`.execute(trx)
  await sql`update audit_events set address = null, request_id = null, detail = '{}'
    where account_id = ${id}`.execute(trx)
  // All that hangs on the account goes with it.
  await sql`delete from accounts where id = ${id}`.execute(trx)
  await record(trx, { type: 'account.erased', ...by, accountId: id })
}

/** Everything that is held about a person, without secrets; members as the tables have them. */
export async function exportAccount(db: Db, accountId: string): Promise<Record<string, unknown>> {
  const { rows } = await sql<{ document: Record<string, unknown> }>`
    select jsonb_build_object(
      'version', 1,
      'exported_at', now(),
      'account', to_jsonb(a) - 'password_hash' - 'username_skeleton',
      'roles', ${list(sql`select role, created_at from account_roles where account_id = a.id`)},
      'service_settings', ${list(sql`select client_id, settings, updated_at from service_settings where account_id = a.id`)},
      'groups', ${list(sql`select group_name, created_at from group_members where account_id = a.id`)},
      'sessions', ${list(sql`select signed_in_at, seen_at, host(address) as address, user_agent, expires_at, acr, amr
        from sessions where account_id = a.id`)},
      'connected_apps', ${list(sql`select client_id, scopes, claims, resources, created_at, updated_at
        from consents where account_id = a.id`)},
      'grants', ${list(sql`select client_id, scopes, claims, resources, offline, created_at, expires_at
        from grants where account_id = a.id`)},
      'passkeys', ${list(sql`select to_jsonb(p) ->> 'name' as name, p.created_at from passkeys p where account_id = a.id`)},
      'linked_accounts', ${list(sql`select provider_id, issuer, subject, label, created_at, last_used_at
        from identities where account_id = a.id`)},
      'authenticators', ${list(sql`select name, created_at, last_used_at from authenticators where account_id = a.id`)},
      'recovery_codes', ${list(sql`select created_at, used_at from recovery_codes where account_id = a.id`)},
      'remembered_browsers', ${list(sql`select factor, host(address) as address, user_agent, created_at, last_used_at, expires_at
        from remembered_devices where account_id = a.id`)},
      'earlier_addresses', ${list(sql`select email, created_at, expires_at from address_undos where account_id = a.id`)},
      'registrations', ${list(sql`select username, email, name, locale, status, created_at, verified_at
        from registrations where account_id = a.id`)},
      'events', ${list(sql`select at, type, client_id, host(address) as address, detail
        from audit_events where account_id = a.id order by id`)}
    ) as document
    from accounts a where a.id = ${accountId}`.execute(db)
  return rows[0]?.document ?? {}
}

function list(query: ReturnType<typeof sql>) {
  return sql`(select coalesce(jsonb_agg(to_jsonb(rows)), '[]') from (${query}) rows)`
}
