/** How roles and groups look to programs. */
import type { Group } from './groups.ts'
import type { Role } from './roles.ts'

export function roleJson(role: Role) {
  return {
    id: role.id,
    name: role.name,
    client_id: role.clientId,
    description: role.description,
    permissions: role.permissions,
    built_in: role.builtIn,
    created_at: role.createdAt.toISOString(),
    updated_at: role.updatedAt.toISOString(),
  }
}

export function groupJson(group: Group) {
  return {
    name: group.name,
    description: group.description,
    roles: group.roles,
    members: group.members,
    created_at: group.createdAt.toISOString(),
    updated_at: group.updatedAt.toISOString(),
  }
}
