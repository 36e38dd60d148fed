/**
 * Nobody gives, or takes away, more than they have themselves (AD-03). Operators at the machine may everything; a
 * person or an app only what their own permissions cover, read in the transaction of the change.
 */
import { sql } from 'kysely'
import type { Actor, Origin } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { bumpVersion } from '../database/versions.ts'
import { AppError } from '../errors.ts'
import type { Holdings } from './decide.ts'
import { everybodysRole, type Holder, readHoldings } from './holdings.ts'
import { covers, type Permission, storedPermissions } from './permission.ts'

/** Whose act it is decides what they may: people and clients are held to what they hold. */
export type By = { actor: Actor; origin?: Origin | undefined }

/** Throws `grants_more_than_held` (403) unless each of the permissions is covered by one of the caller's. */
export function assertMayGrant(caller: Holdings, permissions: readonly Permission[]): void {
  const uncovered = permissions.some(
    (wanted) => !caller.held.some(({ permission }) => covers(permission, wanted)),
  )
  if (uncovered) throw more()
}

/** Undefined for operators and the system, who may everything. */
async function callerOf(trx: Db, { actor }: By): Promise<Holdings | undefined> {
  if (actor.kind === 'operator' || actor.kind === 'system') return undefined
  if (actor.id === undefined) return { names: [], held: [] }
  const kind = actor.kind === 'client' ? 'client' : 'account'
  return readHoldings(trx, { kind, id: actor.id })
}

/**
 * Begins a change of roles, one after the other from here to the end of the transaction, and tells every process of it.
 * `names` are roles and groups that are given or taken: a name opens doors in apps, so it takes holding it, or
 * `grant:roles:ID` and `grant:groups:NAME`. `permissions` come beside theirs. Throws `grants_more_than_held` (403).
 */
export async function beginChange(
  trx: Db,
  by: By,
  {
    roles = [],
    groups = [],
    permissions = [],
  }: {
    roles?: readonly string[]
    groups?: readonly string[]
    permissions?: readonly string[]
  } = {},
): Promise<void> {
  await bumpVersion(trx, 'roles')
  const caller = await callerOf(trx, by)
  if (!caller) return
  const { rows } = await sql<{ role: string; permissions: string[] }>`
    select id as role, permissions from roles
    where id = any (${roles}) or id in (select role from group_roles where group_name = any (${groups}))`.execute(
    trx,
  )
  assertMayGrant(caller, [
    ...storedPermissions([...permissions, ...rows.flatMap((row) => row.permissions)]),
  ])
  const named = [
    ...new Set(
      [...roles, ...rows.map(({ role }) => role)].filter((role) => role !== everybodysRole),
    ),
  ]
  await assertMayGive(trx, by, caller, { roles: named, groups })
}

/**
 * Whoever holds more than the caller is not the caller's to change, switched off or not: what opens their account, or an
 * app that acts by itself, opens what they hold. With `names` also the roles and groups themselves count, as when they
 * are given: for what leads into an account. Throws `grants_more_than_held` (403).
 */
export async function assertMayManage(
  db: Db,
  by: By,
  holder: Holder,
  { names = false }: { names?: boolean } = {},
): Promise<void> {
  const { actor } = by
  const ownKind = actor.kind === 'client' ? 'client' : 'account'
  const caller = await callerOf(db, by)
  if (!caller || (holder.kind === ownKind && holder.id === actor.id)) return
  const { rows } = await sql<{ roles: string[]; groups: string[]; permissions: string[] }>`
    with held as (${
      holder.kind === 'account'
        ? sql`select role from held_roles where account_id = ${holder.id}`
        : sql`select role from client_roles where client_id = ${holder.id}`
    })
    select array(select role from held order by 1) as roles,
      array(select group_name from group_members
        where ${holder.kind === 'account' ? sql`account_id = ${holder.id}` : sql`false`} order by 1) as groups,
      array(select unnest(r.permissions) from roles r where r.id in (select role from held)) as permissions`.execute(
    db,
  )
  const { roles = [], groups = [], permissions = [] } = rows[0] ?? {}
  assertMayGrant(caller, storedPermissions(permissions))
  if (names) await assertMayGive(db, by, caller, { roles, groups })
}

/** A name opens doors in apps: it takes holding it, or `grant:roles:ID` and `grant:groups:NAME`. */
async function assertMayGive(
  db: Db,
  by: By,
  caller: Holdings,
  { roles, groups }: { roles: readonly string[]; groups: readonly string[] },
): Promise<void> {
  const own = await ownNames(db, by)
  assertMayGrant(caller, [
    ...roles.filter((role) => !own.roles.includes(role)).map((id) => grantOf('roles', id)),
    ...groups.filter((group) => !own.groups.includes(group)).map((id) => grantOf('groups', id)),
  ])
}

/** Throws `grants_more_than_held` (403) unless the caller may everything. */
export async function assertMayEverything(db: Db, by: By): Promise<void> {
  const caller = await callerOf(db, by)
  if (caller) assertMayGrant(caller, [{ action: '*', type: '*', conditions: {} }])
}

function grantOf(type: 'roles' | 'groups', id: string): Permission {
  return { action: 'grant', type, id, conditions: {} }
}

async function ownNames(trx: Db, { actor }: By): Promise<{ roles: string[]; groups: string[] }> {
  if (actor.kind !== 'person') return { roles: [], groups: [] }
  const { rows } = await sql<{ roles: string[]; groups: string[] }>`
    select array(select role from held_roles where account_id = ${actor.id}) as roles,
      array(select group_name from group_members where account_id = ${actor.id}) as groups`.execute(
    trx,
  )
  return rows[0] ?? { roles: [], groups: [] }
}

function more(): AppError {
  return new AppError('grants_more_than_held', 403, {
    detail: 'Nobody gives or takes away more than they have themselves.',
  })
}
