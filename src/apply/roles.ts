/** Roles in a file. Those that are built in stand there where somebody has changed what they allow. */

import { readPermissions } from '../roles/permission.ts'
import { createRole, deleteRole, findRole, listRoles, roleId, updateRole } from '../roles/roles.ts'
import type { RoleEntry } from './document.ts'
import { type Kind, type State, without } from './kind.ts'

const defaults: State = { description: '', permissions: [] }

export const roleKind: Kind<RoleEntry> = {
  name: 'role',
  label: ({ name, client }) => roleId(name, client),

  async find({ db }, { name, client }) {
    return (await findRole(db, roleId(name, client)))?.id
  },

  async read({ db }, id) {
    const role = await findRole(db, id)
    return role && { description: role.description, permissions: role.permissions }
  },

  async write({ db, actor }, { name, client, description = '', permissions = [] }, id) {
    const wanted = { description, permissions: readPermissions(permissions) }
    if (id !== undefined) await updateRole(db, id, wanted, { actor })
    else await createRole(db, { name, clientId: client, ...wanted }, { actor })
    return { id: roleId(name, client) }
  },

  async remove({ db, actor }, id) {
    await deleteRole(db, id, { actor })
  },

  async list({ db }) {
    const roles = await listRoles(db)
    const plain = (permissions: string[]) => permissions.length === 0
    return roles
      .filter(({ id, builtIn, permissions }) => !builtIn || (id !== 'admin' && !plain(permissions)))
      .map(({ id }) => id)
  },

  async toEntry({ db }, id) {
    const role = await findRole(db, id)
    if (!role) return { name: id }
    const { name, clientId, description, permissions } = role
    const client = clientId === null ? {} : { client: clientId }
    return { name, ...client, ...without({ description, permissions }, defaults) }
  },
}
