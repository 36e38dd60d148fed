/** Groups: people, and the roles that come with being among them. */
import { type Selectable, sql } from 'kysely'
import { record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import type { Tables } from '../database/tables.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { endRefused } from './access.ts'
import { type By, beginChange } from './may-grant.ts'
import { assertNotRequired, assertUnchanged, getRole, toldBy } from './roles.ts'

export type Group = Selectable<Tables['groups']> & { roles: string[]; members: number }

/** Throws `group_invalid` (400). */
export function assertGroup(name: string): void {
  if (/^[A-Za-z0-9]([A-Za-z0-9 _.:-]{0,62}[A-Za-z0-9_.:-])?$/.test(name)) return
  throw new AppError('group_invalid', 400, {
    detail: `A group reads like "Finance" or "team.red": ${name.slice(0, 100)}`,
    fields: [{ field: 'group', code: 'group_invalid' }],
  })
}

/** However its case is written. */
export async function findGroup(db: Db, name: string): Promise<Group | undefined> {
  return (await readGroups(db, sql`lower(g.name) = lower(${name})`))[0]
}

/** Throws `group_not_found` (404). */
export async function getGroup(db: Db, name: string): Promise<Group> {
  const group = await findGroup(db, name)
  if (group) return group
  throw new AppError('group_not_found', 404, { detail: `There is no group ${name.slice(0, 100)}.` })
}

/** By name. */
export function listGroups(db: Db): Promise<Group[]> {
  return readGroups(db, sql`true`)
}

async function readGroups(db: Db, condition: ReturnType<typeof sql>): Promise<Group[]> {
  const { rows } = await sql<Group>`
    select g.name, g.description, g.created_at, g.updated_at,
      array(select role from group_roles where group_name = g.name order by role) as roles,
      (select count(*)::int from group_members where group_name = g.name) as members
    from groups g where ${condition} order by lower(g.name)`.execute(db)
  return rows
}

/** In order of username, at most 1,000 at once; `after` is the last username of the page before. */
export async function listMembers(
  db: Db,
  name: string,
  { after = '', limit = 100 }: { after?: string; limit?: number } = {},
): Promise<{ id: string; username: string; since: Date }[]> {
  const { rows } = await sql<{ id: string; username: string; since: Date }>`
    select a.id, a.username, m.created_at as since
    from group_members m join accounts a on a.id = m.account_id
    where m.group_name = ${name} and a.username > ${after}
    order by a.username limit ${Math.min(Math.max(limit, 1), 1000)}`.execute(db)
  return rows
}

/**
 * Throws `group_invalid` (400), `group_taken` (409) for a name that a group or a role has, `role_not_found` (404),
 * `grants_more_than_held` (403).
 */
export async function createGroup(
  db: Db,
  {
    name,
    description = '',
    roles = [],
  }: { name: string; description?: string | undefined; roles?: readonly string[] | undefined },
  by: By & { ifNotExists?: boolean },
): Promise<{ created: boolean; group: Group }> {
  assertGroup(name)
  return transact(db, async (trx) => {
    await beginChange(trx, by, { roles })
    const there = await findGroup(trx, name)
    if (there && by.ifNotExists) return { created: false, group: there }
    if (there || (await hasRole(trx, name.toLowerCase()))) {
      const what = there ? 'group' : 'role'
      throw new AppError('group_taken', 409, { detail: `There is a ${what} of that name already.` })
    }
    await trx.insertInto('groups').values({ name, description }).execute()
    await record(trx, { type: 'group.created', ...toldBy(by), detail: { group: name, roles } })
    for (const role of roles) await insertRole(trx, name, role)
    return { created: true, group: await getGroup(trx, name) }
  })
}

/** `roles` replaces. What is undefined stays. */
export type GroupChange = {
  description?: string | undefined
  roles?: readonly string[] | undefined
  addRoles?: readonly string[] | undefined
  removeRoles?: readonly string[] | undefined
}

/** Throws `group_not_found`, `role_not_found` (404), `changed_meanwhile` (412), `grants_more_than_held` (403), `last_admin` (422). */
export function updateGroup(
  db: Db,
  given: string,
  change: GroupChange,
  by: By & { unchangedSince?: Date | undefined },
): Promise<{ group: Group; changed: string[] }> {
  return transact(db, async (trx) => {
    const { addRoles = [], removeRoles = [] } = change
    await beginChange(trx, by, { roles: [...(change.roles ?? []), ...addRoles, ...removeRoles] })
    const before = await getGroup(trx, given)
    const { name } = before
    // Whoever changes a group changes what all of its members hold.
    await beginChange(trx, by, { groups: [name] })
    assertUnchanged(before, by.unchangedSince)
    const wanted = new Set([...(change.roles ?? before.roles), ...addRoles])
    for (const role of removeRoles) wanted.delete(role)
    const added = [...wanted].filter((role) => !before.roles.includes(role))
    const removed = before.roles.filter((role) => !wanted.has(role))
    const description = change.description ?? before.description
    const changed = [
      ...(description === before.description ? [] : ['description']),
      ...(added.length + removed.length === 0 ? [] : ['roles']),
    ]
    if (changed.length === 0) return { group: before, changed }
    for (const role of added) await insertRole(trx, name, role)
    if (removed.length > 0) {
      await trx
        .deleteFrom('groupRoles')
        .where('groupName', '=', name)
        .where('role', 'in', removed)
        .execute()
    }
    await trx
      .updateTable('groups')
      .set({ description, updatedAt: sql<Date>`clock_timestamp()` })
      .where('name', '=', name)
      .execute()
    if (removed.length > 0)
      await endRefused(trx, sql`(select account_id from group_members where group_name = ${name})`)
    await record(trx, {
      type: 'group.updated',
      ...toldBy(by),
      detail: { group: name, changed, added, removed },
    })
    return { group: await getGroup(trx, name), changed }
  })
}

/** Throws `group_not_found` (404), `group_required` (409), `grants_more_than_held` (403), `last_admin` (422). */
export function deleteGroup(
  db: Db,
  given: string,
  by: By & { unchangedSince?: Date | undefined },
): Promise<void> {
  return transact(db, async (trx) => {
    await beginChange(trx, by)
    const { name, ...before } = await getGroup(trx, given)
    await beginChange(trx, by, { groups: [name] })
    assertUnchanged(before, by.unchangedSince)
    await assertNotRequired(trx, sql`group_name = ${name}`, 'group_required')
    const members = await trx
      .deleteFrom('groupMembers')
      .where('groupName', '=', name)
      .returning('accountId')
      .execute()
    await trx.deleteFrom('groups').where('name', '=', name).execute()
    await endRefused(
      trx,
      sql`(select unnest(${members.map(({ accountId }) => accountId)}::uuid[]))`,
    )
    await record(trx, {
      type: 'group.deleted',
      ...toldBy(by),
      detail: { group: name, roles: before.roles, members: members.length },
    })
  })
}

/** False when the account was among them. Throws `group_not_found`, `account_not_found` (404), `grants_more_than_held` (403). */
export function addMember(db: Db, given: string, accountId: string, by: By): Promise<boolean> {
  return transact(db, async (trx) => {
    const { name } = await getGroup(trx, given)
    await beginChange(trx, by, { groups: [name] })
    const added = await sql<{ accountId: string }>`
      insert into group_members (group_name, account_id)
      select name, ${accountId} from groups where name = ${name}
      on conflict do nothing returning account_id`
      .execute(trx)
      .catch(unknownAccount)
    if (added.rows.length === 0) return false
    await record(trx, {
      type: 'account.group_added',
      ...toldBy(by),
      accountId,
      detail: { group: name },
    })
    return true
  })
}

/** False when the account was not among them. Throws `group_not_found` (404), `grants_more_than_held` (403), `last_admin` (422). */
export function removeMember(db: Db, given: string, accountId: string, by: By): Promise<boolean> {
  return transact(db, async (trx) => {
    const { name } = await getGroup(trx, given)
    await beginChange(trx, by, { groups: [name] })
    const removed = await trx
      .deleteFrom('groupMembers')
      .where('groupName', '=', name)
      .where('accountId', '=', accountId)
      .returning('accountId')
      .executeTakeFirst()
    if (!removed) return false
    await endRefused(trx, sql`(select ${accountId}::uuid)`)
    await record(trx, {
      type: 'account.group_removed',
      ...toldBy(by),
      accountId,
      detail: { group: name },
    })
    return true
  })
}

async function insertRole(trx: Db, groupName: string, role: string): Promise<void> {
  await getRole(trx, role)
  assertGivable(role)
  await trx
    .insertInto('groupRoles')
    .values({ groupName, role })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Throws `role_everybodys` (422). */
export function assertGivable(role: string): void {
  if (role !== 'user') return
  throw new AppError('role_everybodys', 422, { detail: 'Everybody holds the role user already.' })
}

/** For whoever names somebody who is not here: throws `account_not_found` (404). */
export function unknownAccount(error: unknown): never {
  const { code } = error as { code?: unknown }
  if (code !== '23503') throw error
  throw new AppError('account_not_found', 404, { cause: error })
}

async function hasRole(trx: Db, id: string): Promise<boolean> {
  return (
    (await trx.selectFrom('roles').select('id').where('id', '=', id).executeTakeFirst()) !==
    undefined
  )
}
