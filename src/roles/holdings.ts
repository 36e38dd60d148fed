/**
 * What somebody holds: roles of their own, of their groups and everybody's, and the permissions in them. A role that
 * belongs to one app counts at that app alone.
 */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import type { Holdings } from './decide.ts'
import { storedPermissions } from './permission.ts'

export type Holder = { kind: 'account' | 'client'; id: string }

/** Everybody's. */
export const everybodysRole = 'user'

/** Those of a list of role ids that count at this app, by the names that apps know. */
export function namesAt(clientId: string | undefined, roles: readonly string[]): string[] {
  const names = roles.flatMap((role) => {
    const slash = role.lastIndexOf('/')
    if (slash < 0) return [role]
    return role.slice(0, slash) === clientId ? [role.slice(slash + 1)] : []
  })
  return [...new Set(names)].toSorted()
}

/**
 * Empty for whoever is not here, or not active. `at`: the app whose own roles count besides; none of them does
 * without it.
 */
export async function readHoldings(
  db: Db,
  holder: Holder,
  { at }: { at?: string | undefined } = {},
): Promise<Holdings> {
  return holder.kind === 'account' ? ofAccount(db, holder.id, at) : ofClient(db, holder.id, at)
}

async function ofAccount(db: Db, id: string, at: string | undefined): Promise<Holdings> {
  const { rows } = await sql<{ username: string; roles: StoredRole[] }>`
    select a.username, ${packed(sql`
      select r.id, r.permissions from roles r
      where (r.id = ${everybodysRole} or r.id in (select role from held_roles where account_id = a.id))
        and ${countsAt(at)}`)} as roles
    from accounts a where a.id = ${id} and a.status = 'active'`.execute(db)
  const row = rows[0]
  return row ? toHoldings([id, row.username], row.roles) : { names: [], held: [] }
}

async function ofClient(db: Db, id: string, at: string | undefined): Promise<Holdings> {
  const { rows } = await sql<{ roles: StoredRole[] }>`
    select ${packed(sql`
      select r.id, r.permissions from roles r join client_roles c on c.role = r.id
      where c.client_id = a.id and ${countsAt(at)}`)} as roles
    from clients a where a.id = ${id} and a.disabled_at is null`.execute(db)
  const row = rows[0]
  return row ? toHoldings([id], row.roles) : { names: [], held: [] }
}

type StoredRole = { id: string; permissions: string[] }

const packed = (query: ReturnType<typeof sql>) =>
  sql`(select coalesce(json_agg(json_build_object('id', id, 'permissions', permissions) order by id), '[]')
    from (${query}) found)`

const countsAt = (at: string | undefined) =>
  sql`(r.client_id is null or r.client_id = ${at ?? null}::text)`

function toHoldings(names: string[], roles: StoredRole[]): Holdings {
  return {
    names,
    held: roles.flatMap(({ id, permissions }) =>
      storedPermissions(permissions).map((permission) => ({ role: id, permission })),
    ),
  }
}
