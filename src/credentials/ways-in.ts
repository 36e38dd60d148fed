/** What somebody could still sign in with: nobody is let saw off the branch that they sit on. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'

/** For a query on `accounts`: nothing signs in to it yet, and nothing ever did but has been switched off. */
export const hasNoWayIn = sql<boolean>`(accounts.password_hash is null
  and not exists (select from passkeys where passkeys.account_id = accounts.id)
  and not exists (select from identities where identities.account_id = accounts.id))`

/** Where it decides about something, the account's row is held. */
export async function isWithoutWayIn(db: Db, accountId: string): Promise<boolean> {
  const account = await db
    .selectFrom('accounts')
    .select('id')
    .where('id', '=', accountId)
    .where(hasNoWayIn)
    .executeTakeFirst()
  return account !== undefined
}

/**
 * The ways into an account beside the one that is to go. Inside the act's transaction: the account's row is held to its
 * end, so that of the last two, removed at once, one stays.
 */
export async function countOtherWaysIn(
  trx: Db,
  accountId: string,
  {
    passkeyId = null,
    identityId = null,
  }: { passkeyId?: string | null; identityId?: string | null },
): Promise<number> {
  await sql`select from accounts where id = ${accountId} for update`.execute(trx)
  const { rows } = await sql<{ ways: number }>`
    select (a.password_hash is not null)::int
      + (select count(*) from passkeys p
        where p.account_id = a.id and p.id is distinct from ${passkeyId}::uuid)::int
      + (select count(*) from identities i join providers v on v.id = i.provider_id
        where i.account_id = a.id and v.enabled and i.id is distinct from ${identityId}::uuid)::int as ways
    from accounts a where a.id = ${accountId}`.execute(trx)
  return rows[0]?.ways ?? 0
}
