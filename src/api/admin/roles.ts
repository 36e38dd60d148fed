/** Roles by a program of an admin. What may be given is the room's business (AD-03). */
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import { listHolders } from '../../roles/holders.ts'
import { roleJson } from '../../roles/json.ts'
import {
  createRole,
  deleteRole,
  getRole,
  listRoles,
  type Role,
  updateRole,
} from '../../roles/roles.ts'
import { demandMatch, tagged } from '../etags.ts'
import type { Operation } from '../operations.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'
import { cutPage, listPage } from './pages.ts'
import type { rolesOperations } from './roles-operations.ts'

const keysOf = ({ id }: Role) => [id]

/** `operations` is the whole table, which knows the permissions that open something. */
export function rolesHandlers(
  { config }: Pick<AdminDeps, 'config'>,
  operations: () => Record<string, Operation>,
): AdminHandlers<typeof rolesOperations> {
  return {
    'roles.list'(call) {
      const { client_id: clientId } = call.query
      const which = clientId === undefined ? {} : { clientId }
      return listPage(call, {
        fetch: async (page) => cutPage(await listRoles(call.db, which), page, keysOf),
        keysOf,
        toJson: roleJson,
      })
    },

    async 'roles.create'({ ctx, db, by, body }) {
      const { client_id: clientId, ...given } = body
      const { role } = await createRole(db, { ...given, clientId }, by)
      const at = `${config.issuer}/api/admin/roles/${encodeURIComponent(role.id)}`
      ctx.set('Location', at)
      return tagged(ctx, roleJson(role))
    },

    async 'roles.get'({ ctx, db, params: { id = '' } }) {
      return tagged(ctx, roleJson(await getRole(db, id)))
    },

    async 'roles.update'({ ctx, db, by, params: { id = '' }, body }) {
      const { role } = await transact(db, async (trx) => {
        demandMatch(ctx, roleJson(await locked(trx, id)), { required: true })
        return updateRole(trx, id, body, by)
      })
      return tagged(ctx, roleJson(role))
    },

    async 'roles.delete'({ ctx, db, by, params: { id = '' } }) {
      await transact(db, async (trx) => {
        demandMatch(ctx, roleJson(await locked(trx, id)))
        await deleteRole(trx, id, by)
      })
    },

    async 'roles.holders'({ db, params: { id = '' } }) {
      await getRole(db, id)
      return listHolders(db, id)
    },

    async 'permissions.list'({ db }) {
      const known = new Map<string, { operations: string[]; roles: string[] }>()
      const entry = (permission: string) => {
        const found = known.get(permission) ?? { operations: [], roles: [] }
        known.set(permission, found)
        return found
      }
      for (const [name, { permission }] of Object.entries(operations())) {
        if (permission) entry(permission).operations.push(name)
      }
      for (const { id, permissions } of await listRoles(db)) {
        for (const permission of permissions) entry(permission).roles.push(id)
      }
      const items = [...known].map(([permission, more]) => ({ permission, ...more }))
      return { items: items.toSorted((a, b) => (a.permission < b.permission ? -1 : 1)) }
    },
  }
}

async function locked(trx: Db, id: string): Promise<Role> {
  await trx.selectFrom('roles').select('id').where('id', '=', id).forUpdate().execute()
  return getRole(trx, id)
}
