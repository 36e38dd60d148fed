/**
 * The people who are here: found, made, listed, switched off and on. How a newcomer proves an address is
 * registration/; passwords are judged and hashed before they come here (credentials/).
 */
import { type Selectable, sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import type { AccountStatus, Tables } from '../database/tables.ts'
import { transact } from '../database/transact.ts'
import { AppError, type FieldError } from '../errors.ts'
import { grantRole } from '../roles/holders.ts'
import { endSessions } from '../sessions/end-sessions.ts'
import { canonicalEmail } from './email.ts'
import { insertAccount, type NewAccount } from './new-account.ts'

export type Account = Selectable<Tables['accounts']>

/**
 * By username or proven address, in one statement whatever was typed, so that time tells nothing. An
 * unverified account is found by its username only, for it owns no address.
 */
export function findByIdentifier(db: Db, identifier: string): Promise<Account | undefined> {
  const typed = identifier.trim()
  const email = typed.includes('@') ? canonicalEmail(typed) : undefined
  const query = db.selectFrom('accounts').selectAll().where('status', '!=', 'deleted')
  // What cannot be stored (a NUL, 10,000 characters) is looked for as the empty name, which nobody has.
  if (email)
    return query.where('emailCanonical', '=', email.ok ? email.canonical : '').executeTakeFirst()
  const username = /^[\w-]{1,32}$/.test(typed) ? typed.toLowerCase() : ''
  return query.where('username', '=', username).executeTakeFirst()
}

/** The owner of a proven address, in its canonical form. */
export function findByAddress(db: Db, canonical: string): Promise<Account | undefined> {
  return db
    .selectFrom('accounts')
    .selectAll()
    .where('emailCanonical', '=', canonical)
    .executeTakeFirst()
}

export function findAccount(db: Db, id: string): Promise<Account | undefined> {
  return db.selectFrom('accounts').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Throws `account_not_found` (404). */
export async function getAccount(db: Db, id: string): Promise<Account> {
  const account = await findAccount(db, id)
  if (!account) throw new AppError('account_not_found', 404)
  return account
}

/** In order of username, at most 1,000 at once; `after` is the last username of the page before. */
export function listAccounts(
  db: Db,
  page: { after?: string; limit?: number; status?: AccountStatus } = {},
): Promise<Account[]> {
  const limit = Math.min(Math.max(page.limit ?? 100, 1), 1000)
  let query = db.selectFrom('accounts').selectAll().orderBy('username').limit(limit)
  if (page.after !== undefined) query = query.where('username', '>', page.after)
  if (page.status !== undefined) query = query.where('status', '=', page.status)
  return query.execute()
}

/** An account whose address an operator vouches for. Every field has passed its check. */
export function createAccount(
  db: Db,
  account: NewAccount & { address: { email: string; canonical: string }; roles?: string[] },
  actor: Actor,
  origin?: Origin,
): Promise<{ ok: true; id: string } | { ok: false; errors: FieldError[] }> {
  return transact(db, async (trx) => {
    const made = await insertAccount(trx, account)
    if (!made.ok) return made
    await record(trx, {
      type: 'account.created',
      actor,
      accountId: made.id,
      origin,
      detail: { username: account.username },
    })
    for (const role of account.roles ?? []) {
      await grantRole(trx, role, { kind: 'account', id: made.id }, { actor, make: true })
    }
    return made
  })
}

/**
 * Ends whatever the account holds, at once: sessions, and grants with every token that hangs on them; apps are
 * told. Only JWT access tokens live on to their end. False when it was not there or off already.
 */
export function disableAccount(
  db: Db,
  id: string,
  reason: string,
  actor: Actor,
  origin?: Origin,
): Promise<boolean> {
  return transact(db, async (trx) => {
    const disabled = await trx
      .updateTable('accounts')
      .set({ status: 'disabled', disabledReason: reason, updatedAt: sql<Date>`now()` })
      .where('id', '=', id)
      .where('status', 'in', ['active', 'unverified'])
      .returning('id')
      .executeTakeFirst()
    if (!disabled) return false
    const ended = await endSessions(trx, { accountId: id }, { offline: 'ends' })
    await record(trx, {
      type: 'account.disabled',
      actor,
      accountId: id,
      origin,
      detail: { reason, sessions: ended.sessions, grants: ended.grants, told: ended.told },
    })
    return true
  })
}

/** What was ended stays ended. False when it was not disabled. */
export function enableAccount(db: Db, id: string, actor: Actor, origin?: Origin): Promise<boolean> {
  return transact(db, async (trx) => {
    const enabled = await trx
      .updateTable('accounts')
      .set({
        status: sql<AccountStatus>`case when email is null then 'unverified' else 'active' end`,
        disabledReason: null,
        updatedAt: sql<Date>`now()`,
      })
      .where('id', '=', id)
      .where('status', '=', 'disabled')
      .returning('id')
      .executeTakeFirst()
    if (!enabled) return false
    // A sign-in that was under way when the account was switched off wrote its session and grant afterwards.
    await endSessions(trx, { accountId: id }, { offline: 'ends' })
    await record(trx, { type: 'account.enabled', actor, accountId: id, origin })
    return true
  })
}
