/** The one insert behind every account, whoever makes it. Names and addresses are unique by constraint. */
import { sql } from 'kysely'
import { newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { FieldError } from '../errors.ts'
import { splitName } from './names.ts'
import { skeleton } from './username.ts'

export type NewAccount = {
  username: string
  /** None for whoever signs in otherwise. */
  passwordHash: string | null
  /** Shown to apps; the username when nothing is given, since many apps refuse an empty one. */
  name?: string | undefined
  locale?: string | undefined
  /** Proven: with it the account is active, without it unverified. */
  address?: { email: string; canonical: string }
}

/**
 * Every field has passed its check. `username_taken` (a look-alike too) and `email_taken` are decided by the
 * database, also when fifty ask at once.
 */
export async function insertAccount(
  db: Db,
  account: NewAccount,
): Promise<{ ok: true; id: string } | { ok: false; errors: FieldError[] }> {
  const { username, address } = account
  const id = newId()
  const name = account.name ?? username
  const now = sql<Date>`now()`
  const inserted = await db
    .insertInto('accounts')
    .values({
      id,
      username,
      usernameSkeleton: skeleton(username),
      status: address ? 'active' : 'unverified',
      passwordHash: account.passwordHash,
      passwordChangedAt: account.passwordHash === null ? null : now,
      email: address?.email ?? null,
      emailCanonical: address?.canonical ?? null,
      emailVerifiedAt: address ? now : null,
      name,
      ...splitName(name),
      locale: account.locale ?? null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  if (inserted) return { ok: true, id }

  return { ok: false, errors: await findConflicts(db, account) }
}

/** Doing nothing on a conflict keeps the caller's transaction usable, but does not say which it was. */
async function findConflicts(db: Db, { username, address }: NewAccount): Promise<FieldError[]> {
  const look = skeleton(username)
  const canonical = address?.canonical ?? ''
  const holders = await db
    .selectFrom('accounts')
    .select(['usernameSkeleton', 'emailCanonical'])
    .where((where) =>
      where.or([where('usernameSkeleton', '=', look), where('emailCanonical', '=', canonical)]),
    )
    .execute()
  const emailTaken = holders.some((holder) => holder.emailCanonical === canonical)
  // A holder that has gone since then held the name: addresses are not given back so quickly.
  const usernameTaken = !emailTaken || holders.some((holder) => holder.usernameSkeleton === look)
  return [
    ...(usernameTaken ? [{ field: 'username', code: 'username_taken' }] : []),
    ...(emailTaken ? [{ field: 'email', code: 'email_taken' }] : []),
  ]
}
