/** Groups by a program of an admin. What may be given is the room's business (AD-03). */
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import {
  addMember,
  createGroup,
  deleteGroup,
  type Group,
  getGroup,
  listGroups,
  listMembers,
  removeMember,
  updateGroup,
} from '../../roles/groups.ts'
import { groupJson } from '../../roles/json.ts'
import { assertMayManage, type By } from '../../roles/may-grant.ts'
import { demandMatch, tagged } from '../etags.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'
import type { groupsOperations } from './groups-operations.ts'
import { cutPage, listPage } from './pages.ts'

const keysOf = ({ name }: Group) => [name.toLowerCase()]

export function groupsHandlers({
  config,
}: Pick<AdminDeps, 'config'>): AdminHandlers<typeof groupsOperations> {
  return {
    'groups.list'(call) {
      const { role } = call.query
      const fits = ({ roles }: Group) => role === undefined || roles.includes(role)
      return listPage(call, {
        fetch: async (page) => cutPage((await listGroups(call.db)).filter(fits), page, keysOf),
        keysOf,
        toJson: groupJson,
      })
    },

    async 'groups.create'({ ctx, db, by, body }) {
      const { group } = await createGroup(db, body, by)
      const at = `${config.issuer}/api/admin/groups/${encodeURIComponent(group.name)}`
      ctx.set('Location', at)
      return tagged(ctx, groupJson(group))
    },

    async 'groups.get'({ ctx, db, params: { name = '' } }) {
      return tagged(ctx, groupJson(await getGroup(db, name)))
    },

    async 'groups.update'({ ctx, db, by, params: { name = '' }, body }) {
      const { group } = await transact(db, async (trx) => {
        demandMatch(ctx, groupJson(await locked(trx, name)), { required: true })
        return updateGroup(trx, name, body, by)
      })
      return tagged(ctx, groupJson(group))
    },

    async 'groups.delete'({ ctx, db, by, params: { name = '' } }) {
      await transact(db, async (trx) => {
        demandMatch(ctx, groupJson(await locked(trx, name)))
        await deleteGroup(trx, name, by)
      })
    },

    async 'groups.members'(call) {
      const { name } = await getGroup(call.db, call.params.name ?? '')
      return listPage(call, {
        fetch: ({ limit, after: [after = ''] = [] }) =>
          listMembers(call.db, name, { after, limit }),
        keysOf: ({ username }) => [username],
        toJson: ({ id, username, since }) => ({ id, username, since: since.toISOString() }),
      })
    },

    'groups.addMember': ({ db, by, params }) => move(db, by, params, addMember),

    'groups.removeMember': ({ db, by, params }) => move(db, by, params, removeMember),
  }
}

/** Whoever holds more than the caller stays where they are. */
async function move(
  db: Db,
  by: By,
  { name = '', id = '' }: Record<string, string>,
  act: typeof addMember,
): Promise<void> {
  await transact(db, async (trx) => {
    await getGroup(trx, name)
    await assertMayManage(trx, by, { kind: 'account', id })
    await act(trx, name, id, by)
  })
}

async function locked(trx: Db, given: string): Promise<Group> {
  const { name } = await getGroup(trx, given)
  await trx.selectFrom('groups').select('name').where('name', '=', name).forUpdate().execute()
  return getGroup(trx, name)
}
