/** Good calls: roles and groups. */
import type { groupsOperations } from '../../../src/api/admin/groups-operations.ts'
import type { rolesOperations } from '../../../src/api/admin/roles-operations.ts'
import { addMember } from '../../../src/roles/groups.ts'
import type { Cases } from './cases.ts'
import { makeGroup, makeRole, operator, type World } from './world.ts'

type Ids = keyof typeof rolesOperations | keyof typeof groupsOperations

async function role(world: World, rest = '') {
  const name = await makeRole(world)
  return { path: `/roles/${name}${rest}`, secrets: [name] }
}

async function group(world: World, rest = '') {
  const name = await makeGroup(world)
  return { path: `/groups/${name}${rest}`, secrets: [name] }
}

async function member(world: World) {
  const [name, { id }] = [await makeGroup(world), await world.somebody()]
  await addMember(world.db, name, id, operator)
  return { path: `/groups/${name}/members`, id, secrets: [name] }
}

export const roleCases: Cases<Ids> = {
  'roles.list': async (world) => ({ path: '/roles', secrets: (await role(world)).secrets }),
  'roles.create': async ({ fresh }) => ({
    path: '/roles',
    body: { name: fresh('r'), permissions: ['read:notes:own', 'write:notes if acr=2fa'] },
  }),
  'roles.get': (world) => role(world),
  'roles.update': async (world) => {
    const { path, secrets } = await role(world)
    const body = { description: 'Writers', permissions: ['write:notes'] }
    return { path, body, headers: await world.match(path), secrets }
  },
  'roles.delete': (world) => role(world),
  'roles.holders': (world) => role(world, '/holders'),
  'permissions.list': async (world) => ({
    path: '/permissions',
    secrets: (await role(world)).secrets,
  }),
  'groups.list': async (world) => ({ path: '/groups', secrets: (await group(world)).secrets }),
  'groups.create': async ({ fresh }) => ({ path: '/groups', body: { name: fresh('Team ') } }),
  'groups.get': (world) => group(world),
  'groups.update': async (world) => {
    const { path, secrets } = await group(world)
    const body = { description: 'Writers', roles: [await makeRole(world)] }
    return { path, body, headers: await world.match(path), secrets }
  },
  'groups.delete': (world) => group(world),
  'groups.members': (world) => member(world),
  'groups.addMember': async (world) => group(world, `/members/${(await world.somebody()).id}`),
  'groups.removeMember': async (world) => {
    const { path, id, secrets } = await member(world)
    return { path: `${path}/${id}`, secrets }
  },
}
