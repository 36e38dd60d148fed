/** Groups in a file, with the roles that come with them. Who is in one is no configuration and stays as it is. */
import {
  createGroup,
  deleteGroup,
  findGroup,
  getGroup,
  listGroups,
  updateGroup,
} from '../roles/groups.ts'
import type { GroupEntry } from './document.ts'
import { type Kind, type State, without } from './kind.ts'

const defaults: State = { description: '', roles: [] }

export const groupKind: Kind<GroupEntry> = {
  name: 'group',
  label: ({ name }) => name,

  async find({ db }, { name }) {
    return (await findGroup(db, name))?.name
  },

  async read({ db }, id) {
    const group = await findGroup(db, id)
    return group && { description: group.description, roles: group.roles }
  },

  async write({ db, actor }, { name, description = '', roles = [] }, id) {
    if (id !== undefined) await updateGroup(db, id, { description, roles }, { actor })
    else await createGroup(db, { name, description, roles }, { actor })
    return { id: id ?? name }
  },

  async remove({ db, actor }, id) {
    await deleteGroup(db, id, { actor })
  },

  async list({ db }) {
    return (await listGroups(db)).map(({ name }) => name)
  },

  async toEntry({ db }, id) {
    const { name, description, roles } = await getGroup(db, id)
    return { name, ...without({ description, roles: roles.toSorted() }, defaults) }
  },
}
