/** People as admins look for them: by what they are, page by page, with what they hold. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import type { AccountStatus } from '../database/tables.ts'
import { AppError } from '../errors.ts'
import type { Account } from './accounts.ts'
import { canonicalEmail } from './email.ts'

/** Roles of their own and by their groups, without everybody's; both sorted. */
export type DirectoryEntry = Account & { roles: string[]; groups: string[] }

export type DirectoryFilter = {
  status?: AccountStatus | undefined
  role?: string | undefined
  group?: string | undefined
  /** How the username begins. */
  username?: string | undefined
  /** A proven address. */
  email?: string | undefined
}

const columns = sql`a.*,
  array(select role from held_roles where account_id = a.id order by 1) as roles,
  array(select group_name from group_members where account_id = a.id order by 1) as groups`

/** In order of username; `after` is the last one of the page before. */
export async function searchAccounts(
  db: Db,
  { status, role, group, username, email }: DirectoryFilter,
  { after = '', limit }: { after?: string | undefined; limit: number },
): Promise<DirectoryEntry[]> {
  const address = email === undefined ? undefined : canonicalEmail(email)
  const canonical = address?.ok ? address.canonical : ''
  const { rows } = await sql<DirectoryEntry>`
    select ${columns} from accounts a
    where a.username > ${after}
      and (${status ?? null}::text is null or a.status = ${status ?? ''})
      and (${username ?? null}::text is null or starts_with(a.username, ${username ?? ''}))
      and (${email ?? null}::text is null or a.email_canonical = ${canonical})
      and (${role ?? null}::text is null or a.id in (select account_id from held_roles where role = ${role ?? ''}))
      and (${group ?? null}::text is null or a.id in (select account_id from group_members where group_name = ${group ?? ''}))
    order by a.username limit ${limit}`.execute(db)
  return rows
}

/** `lock` holds other changes of it back until the transaction ends. Throws `account_not_found` (404). */
export async function getEntry(db: Db, id: string, { lock = false } = {}): Promise<DirectoryEntry> {
  if (lock) await sql`select from accounts where id = ${id} for update`.execute(db)
  const { rows } = await sql<DirectoryEntry>`
    select ${columns} from accounts a where a.id = ${id}`.execute(db)
  const [entry] = rows
  if (!entry) throw new AppError('account_not_found', 404)
  return entry
}
