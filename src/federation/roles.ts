/**
 * Roles by the operator's table: given when the upstream says so, taken away when it says so no longer. What somebody has
 * by another hand is not touched, so only what came from here is written down here.
 */
import { sql } from 'kysely'
import type { Origin } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { grantRole, revokeRole } from '../roles/holders.ts'

type Whose = { identityId: string; accountId: string }

/** Inside the transaction of the sign-in, the link or its end. */
export async function applyRoles(
  trx: Db,
  whose: Whose,
  { roles }: { roles: string[] },
  origin: Origin,
): Promise<void> {
  const { identityId, accountId } = whose
  const held = await trx
    .selectFrom('identityRoles')
    .select('role')
    .where('identityId', '=', identityId)
    .execute()
  const given = held.map(({ role }) => role)
  const by = { actor: { kind: 'system' }, origin } as const
  const holder = { kind: 'account', id: accountId } as const
  for (const role of roles.filter((name) => !given.includes(name))) {
    const added = await grantRole(trx, role, holder, { ...by, make: true })
    if (!added && !(await isGivenByAnother(trx, whose, role))) continue
    await trx.insertInto('identityRoles').values({ identityId, role }).execute()
  }
  for (const role of given.filter((name) => !roles.includes(name))) {
    if (await isLastAdmin(trx, accountId, role)) continue
    await trx
      .deleteFrom('identityRoles')
      .where('identityId', '=', identityId)
      .where('role', '=', role)
      .execute()
    if (!(await isGivenByAnother(trx, whose, role))) await revokeRole(trx, role, holder, by)
  }
}

/** Somebody has to be able to look after the others, whatever an upstream says. */
async function isLastAdmin(trx: Db, accountId: string, role: string): Promise<boolean> {
  if (role !== 'admin') return false
  const { rows } = await sql<{ others: boolean }>`
    select exists (select from held_roles h join accounts a on a.id = h.account_id
      where h.role = 'admin' and a.status = 'active' and a.id <> ${accountId}) as others`.execute(
    trx,
  )
  return rows[0]?.others === false
}

async function isGivenByAnother(
  trx: Db,
  { identityId, accountId }: Whose,
  role: string,
): Promise<boolean> {
  const other = await trx
    .selectFrom('identityRoles')
    .innerJoin('identities', 'identities.id', 'identityRoles.identityId')
    .select('role')
    .where('identities.accountId', '=', accountId)
    .where('identities.id', '!=', identityId)
    .where('role', '=', role)
    .executeTakeFirst()
  return other !== undefined
}
