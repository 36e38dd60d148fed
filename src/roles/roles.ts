/** Roles: made, changed, ended. A role of an app's own is named within that app and counts nowhere else. */
import { type Selectable, sql } from 'kysely'
import { record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import type { Tables } from '../database/tables.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { type By, beginChange } from './may-grant.ts'
import { readPermissions } from './permission.ts'

export type Role = Selectable<Tables['roles']>

/** Throws `role_invalid` (400). */
export function assertRole(role: string): void {
  if (/^[a-z][a-z0-9_.:-]{0,63}$/.test(role)) return
  throw new AppError('role_invalid', 400, {
    detail: `A role reads like "admin": ${role.slice(0, 100)}`,
    fields: [{ field: 'role', code: 'role_invalid' }],
  })
}

/** `name` for a role that counts everywhere, `client/name` for one of an app's own. */
export function roleId(name: string, clientId?: string): string {
  return clientId === undefined ? name : `${clientId}/${name}`
}

export function findRole(db: Db, id: string): Promise<Role | undefined> {
  return db.selectFrom('roles').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Throws `role_not_found` (404). */
export async function getRole(db: Db, id: string): Promise<Role> {
  const role = await findRole(db, id)
  if (role) return role
  throw new AppError('role_not_found', 404, { detail: `There is no role ${id.slice(0, 200)}.` })
}

/** In the order of ids, which puts an app's own beside each other. `clientId` null: those that count everywhere. */
export function listRoles(
  db: Db,
  { clientId }: { clientId?: string | null } = {},
): Promise<Role[]> {
  let query = db.selectFrom('roles').selectAll().orderBy('id')
  if (clientId !== undefined) query = query.where('clientId', 'is not distinct from', clientId)
  return query.execute()
}

export type NewRole = {
  name: string
  clientId?: string | undefined
  description?: string | undefined
  permissions?: readonly string[] | undefined
}

/**
 * `created` is false where a role of that name was left as it is (`ifNotExists`). Throws `role_invalid`,
 * `permission_invalid` (400), `role_taken` (409), `client_not_found` (404), `grants_more_than_held` (403).
 */
export async function createRole(
  db: Db,
  { name, clientId, description = '', permissions = [] }: NewRole,
  by: By & { ifNotExists?: boolean },
): Promise<{ created: boolean; role: Role }> {
  assertRole(name)
  const allowed = bounded(readPermissions(permissions))
  const id = roleId(name, clientId)
  return transact(db, async (trx) => {
    await beginChange(trx, by, { permissions: allowed })
    if (clientId !== undefined) await assertClient(trx, clientId)
    else await assertNoGroup(trx, name)
    const role = await trx
      .insertInto('roles')
      .values({ id, name, clientId: clientId ?? null, description, permissions: allowed })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst()
    if (!role) {
      if (by.ifNotExists) return { created: false, role: await getRole(trx, id) }
      throw new AppError('role_taken', 409, { detail: `There is a role ${id} already.` })
    }
    await record(trx, {
      type: 'role.created',
      ...toldBy(by),
      clientId,
      detail: { role: id, permissions: allowed },
    })
    return { created: true, role }
  })
}

/** Lists replace; `add…` and `remove…` change some. What is undefined stays. */
export type RoleChange = {
  description?: string | undefined
  permissions?: readonly string[] | undefined
  addPermissions?: readonly string[] | undefined
  removePermissions?: readonly string[] | undefined
}

/**
 * `changed` names the fields. `unchangedSince`: `updatedAt` as the caller has read it; throws `changed_meanwhile` (412)
 * when it is another by now. Throws `role_not_found` (404), `permission_invalid` (400), `role_built_in` (422) for the
 * permissions of `admin`, `grants_more_than_held` (403).
 */
export async function updateRole(
  db: Db,
  id: string,
  change: RoleChange,
  by: By & { unchangedSince?: Date | undefined },
): Promise<{ role: Role; changed: string[] }> {
  const given = change.permissions && readPermissions(change.permissions)
  const added = readPermissions(change.addPermissions ?? [])
  const removed = readPermissions(change.removePermissions ?? [])
  return transact(db, async (trx) => {
    await beginChange(trx, by, { roles: [id], permissions: [...(given ?? []), ...added] })
    const before = await getRole(trx, id)
    assertUnchanged(before, by.unchangedSince)
    const permissions = bounded(
      [...new Set([...(given ?? before.permissions), ...added])].filter(
        (permission) => !removed.includes(permission),
      ),
    )
    const description = change.description ?? before.description
    const changed = [
      ...(description === before.description ? [] : ['description']),
      ...(permissions.join('\n') === before.permissions.join('\n') ? [] : ['permissions']),
    ]
    if (changed.length === 0) return { role: before, changed }
    if (id === 'admin' && changed.includes('permissions')) throw builtIn('What admin may is fixed.')
    const role = await trx
      .updateTable('roles')
      .set({ description, permissions, updatedAt: sql<Date>`clock_timestamp()` })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
    await record(trx, {
      type: 'role.updated',
      ...toldBy(by),
      clientId: role.clientId ?? undefined,
      detail: { role: id, changed, before: before.permissions, after: permissions },
    })
    return { role, changed }
  })
}

/**
 * Whoever holds it loses it. Throws `role_not_found` (404), `role_built_in` (422), `role_required` (409) while an app
 * lets only its holders in, `grants_more_than_held` (403).
 */
export function deleteRole(
  db: Db,
  id: string,
  by: By & { unchangedSince?: Date | undefined },
): Promise<void> {
  return transact(db, async (trx) => {
    await beginChange(trx, by, { roles: [id] })
    const before = await getRole(trx, id)
    assertUnchanged(before, by.unchangedSince)
    if (before.builtIn) throw builtIn(`${id} is built in and stays.`)
    await assertNotRequired(trx, sql`role = ${id}`, 'role_required')
    await trx.deleteFrom('roles').where('id', '=', id).execute()
    await record(trx, {
      type: 'role.deleted',
      ...toldBy(by),
      clientId: before.clientId ?? undefined,
      detail: { role: id, permissions: before.permissions },
    })
  })
}

/** Part of the caller's transaction, which has begun a change: a role that apps know by its name, and that allows nothing yet. */
export async function ensureRole(trx: Db, name: string, by: By): Promise<void> {
  assertRole(name)
  if (await findRole(trx, name)) return
  await createRole(trx, { name }, { ...by, ifNotExists: true })
}

/** For the audit trail. */
export function toldBy({ actor, origin }: By) {
  return { actor, origin }
}

export function assertUnchanged(row: { updatedAt: Date }, since: Date | undefined): void {
  if (since === undefined || since.getTime() === row.updatedAt.getTime()) return
  throw new AppError('changed_meanwhile', 412, {
    detail: 'Somebody else has changed it meanwhile.',
  })
}

/** What an app asks for is not deleted under it: the app would be open to everybody. */
export async function assertNotRequired(
  trx: Db,
  condition: ReturnType<typeof sql>,
  code: 'role_required' | 'group_required',
): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select c.name from client_access a join clients c on c.id = a.client_id where ${condition} order by 1`.execute(
    trx,
  )
  if (rows.length === 0) return
  const names = rows.map(({ name }) => name).join(', ')
  throw new AppError(code, 409, { detail: `It is what lets people in at: ${names}.` })
}

function bounded(permissions: string[]): string[] {
  if (permissions.length <= 200) return permissions
  throw new AppError('permission_invalid', 400, { detail: 'A role has 200 permissions at most.' })
}

function builtIn(detail: string): AppError {
  return new AppError('role_built_in', 422, { detail })
}

async function assertClient(trx: Db, id: string): Promise<void> {
  const found = await trx.selectFrom('clients').select('id').where('id', '=', id).executeTakeFirst()
  if (!found)
    throw new AppError('client_not_found', 404, {
      detail: `There is no client ${id.slice(0, 200)}.`,
    })
}

/** Apps are told both in one claim, so a name means one of them. */
async function assertNoGroup(trx: Db, name: string): Promise<void> {
  const { rows } = await sql`select 1 from groups where lower(name) = lower(${name})`.execute(trx)
  if (rows.length > 0)
    throw new AppError('role_taken', 409, { detail: `There is a group ${name} already.` })
}
