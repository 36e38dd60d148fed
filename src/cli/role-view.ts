/** A role as an admin names it, and as it is shown. */
import { findClient } from '../clients/clients.ts'
import type { Db } from '../database/connection.ts'
import { findRole, listRoles, type Role, roleId } from '../roles/roles.ts'
import { stamp } from './client-view.ts'
import { resolveClient } from './clients-find.ts'
import { CliError, exitCodes } from './errors.ts'
import type { Output } from './output.ts'
import { didYouMean } from './text.ts'

export const ofClient = [
  '--client <client>',
  'the app that the role belongs to; it counts nowhere else',
] as const

/** By its id, or its name at an app. Throws "not found", with the nearest one there is. */
export async function resolveRole(db: Db, name: string, client?: string): Promise<Role> {
  const at = client === undefined ? undefined : (await resolveClient(db, client)).id
  const role = (await findRole(db, roleId(name, at))) ?? (await findAtClient(db, name, at))
  if (role) return role
  const known = await listRoles(db, at === undefined ? {} : { clientId: at })
  const near = didYouMean(
    name,
    known.map((each) => (at === undefined ? each.id : each.name)),
  )
  throw new CliError(exitCodes.notFound, `There is no role “${name}”.`, [
    near ? `Did you mean ${near}?` : 'See: idp roles list',
  ])
}

/** `Forum/moderator`, with the name of the app. */
async function findAtClient(
  db: Db,
  name: string,
  at: string | undefined,
): Promise<Role | undefined> {
  const slash = name.lastIndexOf('/')
  if (at !== undefined || slash < 0) return undefined
  const client = await findClient(db, name.slice(0, slash))
  return client && findRole(db, roleId(name.slice(slash + 1), client.id))
}

export function showRole(out: Output, role: Role): void {
  out.fields([
    ['Role', role.id],
    ['App', role.clientId ?? undefined],
    ['Description', role.description],
    ['Allows', role.permissions],
    ['Since', stamp(role.createdAt)],
  ])
}
