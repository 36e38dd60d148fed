/** Says whom an app lets in. Whoever it does not let in any more loses what they have there, at once. */
import { sql } from 'kysely'
import { record } from '../audit/audit.ts'
import type { ClientAccess } from '../clients/entry.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { AppError } from '../errors.ts'
import { endRefused } from './access.ts'
import { getGroup } from './groups.ts'
import type { By } from './may-grant.ts'
import { getRole, toldBy } from './roles.ts'

/** What is undefined stays; two empty lists let everybody in. */
export type AccessChange = {
  roles?: readonly string[] | undefined
  groups?: readonly string[] | undefined
}

/**
 * False when it was so already. Throws `client_not_found`, `role_not_found`, `group_not_found` (404), `role_elsewhere`
 * (422) for a role of another app's own.
 */
export function setClientAccess(
  db: Db,
  clientId: string,
  change: AccessChange,
  by: By,
): Promise<boolean> {
  return transact(db, async (trx) => {
    await bumpVersion(trx, 'roles')
    const { rows } = await sql`select 1 from clients where id = ${clientId} for update`.execute(trx)
    if (rows.length === 0) throw new AppError('client_not_found', 404)
    const before = await readClientAccess(trx, clientId)
    const roles = unique(change.roles ?? before.roles)
    const groups = unique(change.groups ?? before.groups)
    for (const id of roles) {
      const role = await getRole(trx, id)
      if (role.clientId !== null && role.clientId !== clientId)
        throw new AppError('role_elsewhere', 422, { detail: `${id} is a role of another app.` })
    }
    const exact = []
    for (const group of groups) exact.push((await getGroup(trx, group)).name)
    const after = { roles, groups: unique(exact) }
    if (JSON.stringify(before) === JSON.stringify(after)) return false
    await trx.deleteFrom('clientAccess').where('clientId', '=', clientId).execute()
    const wanted = [
      ...after.roles.map((role) => ({ clientId, role, groupName: null })),
      ...after.groups.map((groupName) => ({ clientId, role: null, groupName })),
    ]
    if (wanted.length > 0) await trx.insertInto('clientAccess').values(wanted).execute()
    await bumpVersion(trx, 'clients')
    await endRefused(
      trx,
      sql`(select account_id from grants where client_id = ${clientId}
        union select account_id from sessions where authorizations ? ${clientId})`,
      clientId,
    )
    await record(trx, {
      type: 'client.access_changed',
      ...toldBy(by),
      clientId,
      detail: { before, after },
    })
    return true
  })
}

/** Sorted. */
export async function readClientAccess(db: Db, clientId: string): Promise<ClientAccess> {
  const rows = await db
    .selectFrom('clientAccess')
    .select(['role', 'groupName'])
    .where('clientId', '=', clientId)
    .execute()
  return {
    roles: rows.flatMap(({ role }) => role ?? []).toSorted(),
    groups: rows.flatMap(({ groupName }) => groupName ?? []).toSorted(),
  }
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)].toSorted()
}
