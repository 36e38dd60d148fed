/** `--allow-role` and `--allow-group`: whom an app lets in. */
import type { Actor } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { setClientAccess } from '../roles/client-access.ts'
import { findRole, roleId } from '../roles/roles.ts'
import { resolveGroup } from './groups.ts'
import { resolveRole } from './role-view.ts'

export type AccessFlags = { allowRole?: string[] | false; allowGroup?: string[] | false }

/** False when nothing was named, or it was so already. A role of the app's own is meant before one of that name. */
export async function changeAccess(
  db: Db,
  clientId: string,
  { allowRole, allowGroup }: AccessFlags,
  actor: Actor,
): Promise<boolean> {
  if (allowRole === undefined && allowGroup === undefined) return false
  const roles: string[] = []
  for (const name of allowRole || []) {
    const own = await findRole(db, roleId(name, clientId))
    roles.push((own ?? (await resolveRole(db, name))).id)
  }
  const groups: string[] = []
  for (const name of allowGroup || []) groups.push((await resolveGroup(db, name)).name)
  const change = {
    roles: allowRole === undefined ? undefined : roles,
    groups: allowGroup === undefined ? undefined : groups,
  }
  return setClientAccess(db, clientId, change, { actor })
}
