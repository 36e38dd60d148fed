/** Who holds which role: accounts of their own or by a group, and apps that act for themselves. */
import { sql } from 'kysely'
import { record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { endRefused } from './access.ts'
import { assertGivable, unknownAccount } from './groups.ts'
import type { Holder } from './holdings.ts'
import { type By, beginChange } from './may-grant.ts'
import { assertRole, ensureRole, getRole, toldBy } from './roles.ts'

/** A role of an account; `groups` by which it comes too, `own` where it was given to the account itself. */
export type HeldRole = { role: string; own: boolean; groups: string[] }

/** By id of the role, without everybody's. */
export async function listHeldRoles(db: Db, accountId: string): Promise<HeldRole[]> {
  const { rows } = await sql<HeldRole>`
    select role, bool_or(group_name is null) as own,
      coalesce(array_agg(group_name order by group_name) filter (where group_name is not null), '{}') as groups
    from (
      select role, null as group_name from account_roles where account_id = ${accountId}
      union all
      select r.role, m.group_name from group_members m join group_roles r on r.group_name = m.group_name
      where m.account_id = ${accountId}
    ) held group by role order by role`.execute(db)
  return rows
}

/** Sorted. */
export async function listGroupsOf(db: Db, accountId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('groupMembers')
    .select('groupName')
    .where('accountId', '=', accountId)
    .orderBy('groupName')
    .execute()
  return rows.map(({ groupName }) => groupName)
}

/** Sorted. */
export async function listClientRoles(db: Db, clientId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('clientRoles')
    .select('role')
    .where('clientId', '=', clientId)
    .orderBy('role')
    .execute()
  return rows.map(({ role }) => role)
}

/** Of several at once, sorted by role. */
export function listRolesOfClients(
  db: Db,
  clientIds: readonly string[],
): Promise<{ clientId: string; role: string }[]> {
  if (clientIds.length === 0) return Promise.resolve([])
  return db
    .selectFrom('clientRoles')
    .select(['clientId', 'role'])
    .where('clientId', 'in', clientIds)
    .orderBy('role')
    .execute()
}

/** Accounts and apps that hold it, people also by their groups; at most 1,000 of each. */
export async function listHolders(
  db: Db,
  role: string,
): Promise<{ accounts: { id: string; username: string }[]; groups: string[]; clients: string[] }> {
  const { rows } = await sql<{
    accounts: { id: string; username: string }[]
    groups: string[]
    clients: string[]
  }>`
    select (select coalesce(json_agg(json_build_object('id', id, 'username', username)), '[]') from (
        select a.id, a.username from held_roles h join accounts a on a.id = h.account_id
        where h.role = ${role} order by a.username limit 1000) people) as accounts,
      array(select group_name from group_roles where role = ${role} order by 1) as groups,
      array(select client_id from client_roles where role = ${role} order by 1 limit 1000) as clients`.execute(
    db,
  )
  return rows[0] ?? { accounts: [], groups: [], clients: [] }
}

/**
 * False when the holder had it. With `make` a role that nobody has heard of is made, allowing nothing: apps know roles
 * by their names. Throws `role_invalid` (400), `role_not_found`, `account_not_found`, `client_not_found` (404),
 * `role_everybodys` (422), `grants_more_than_held` (403).
 */
export async function grantRole(
  db: Db,
  role: string,
  holder: Holder,
  by: By & { make?: boolean },
): Promise<boolean> {
  assertGivable(role)
  return transact(db, async (trx) => {
    if (by.make) {
      assertRole(role)
      await beginChange(trx, by)
      await ensureRole(trx, role, by)
    }
    await beginChange(trx, by, { roles: [role] })
    await getRole(trx, role)
    return holder.kind === 'account'
      ? grantToAccount(trx, role, holder.id, by)
      : grantToClient(trx, role, holder.id, by)
  })
}

async function grantToAccount(trx: Db, role: string, accountId: string, by: By): Promise<boolean> {
  const added = await trx
    .insertInto('accountRoles')
    .values({ accountId, role })
    .onConflict((conflict) => conflict.doNothing())
    .returning('role')
    .executeTakeFirst()
    .catch(unknownAccount)
  if (!added) {
    // Given by hand now, too: what an upstream says of it later does not count any more (federation/roles.ts).
    if (by.actor.kind !== 'system')
      await sql`delete from identity_roles where role = ${role}
        and identity_id in (select id from identities where account_id = ${accountId})`.execute(trx)
    return false
  }
  await record(trx, { type: 'account.role_added', ...toldBy(by), accountId, detail: { role } })
  return true
}

async function grantToClient(trx: Db, role: string, clientId: string, by: By): Promise<boolean> {
  const client = await trx
    .selectFrom('clients')
    .select('id')
    .where('id', '=', clientId)
    .executeTakeFirst()
  if (!client) throw new AppError('client_not_found', 404)
  const added = await trx
    .insertInto('clientRoles')
    .values({ clientId, role })
    .onConflict((conflict) => conflict.doNothing())
    .returning('role')
    .executeTakeFirst()
  if (!added) return false
  await record(trx, { type: 'client.role_added', ...toldBy(by), clientId, detail: { role } })
  return true
}

/**
 * False when the holder did not have it of their own; what comes by a group is taken there. Ends what the account has at
 * apps that let nobody in without it. Throws `grants_more_than_held` (403), `last_admin` (422).
 */
export function revokeRole(db: Db, role: string, holder: Holder, by: By): Promise<boolean> {
  return transact(db, async (trx) => {
    await beginChange(trx, by, { roles: [role] })
    if (holder.kind === 'client') return revokeFromClient(trx, role, holder.id, by)
    const { id: accountId } = holder
    const removed = await trx
      .deleteFrom('accountRoles')
      .where('accountId', '=', accountId)
      .where('role', '=', role)
      .returning('role')
      .executeTakeFirst()
    if (!removed) return false
    await endRefused(trx, sql`(select ${accountId}::uuid)`)
    await record(trx, { type: 'account.role_removed', ...toldBy(by), accountId, detail: { role } })
    return true
  })
}

async function revokeFromClient(trx: Db, role: string, clientId: string, by: By): Promise<boolean> {
  const removed = await trx
    .deleteFrom('clientRoles')
    .where('clientId', '=', clientId)
    .where('role', '=', role)
    .returning('role')
    .executeTakeFirst()
  if (!removed) return false
  await record(trx, { type: 'client.role_removed', ...toldBy(by), clientId, detail: { role } })
  return true
}
