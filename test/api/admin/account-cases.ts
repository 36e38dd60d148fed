/** Good calls: accounts, and acts on them. */

import type { accountActsOperations } from '../../../src/api/admin/account-acts-operations.ts'
import type { accountsOperations } from '../../../src/api/admin/accounts-operations.ts'
import { addMember } from '../../../src/roles/groups.ts'
import { grantRole } from '../../../src/roles/holders.ts'
import type { Cases } from './cases.ts'
import { makeGroup, makeRole, operator, type World } from './world.ts'

type Ids = keyof typeof accountsOperations | keyof typeof accountActsOperations

async function at(world: World, rest = '') {
  const { id, username, email } = await world.somebody()
  return { id, path: `/accounts/${id}${rest}`, secrets: [username, email] }
}

export const accountCases: Cases<Ids> = {
  'accounts.list': async ({ somebody }) => {
    const { username, email } = await somebody()
    return { path: `/accounts?username=${username}`, secrets: [username, email] }
  },
  'accounts.create': async (world) => {
    const username = world.fresh('p')
    const [role, group] = [await makeRole(world), await makeGroup(world)]
    const given = { username, email: `${username}@example.org`, email_verified: true }
    const body = { ...given, roles: [role], groups: [group], send_mail: true }
    return { path: '/accounts', body }
  },
  'accounts.get': (world) => at(world),
  'accounts.update': async (world) => {
    const { path, secrets } = await at(world)
    const body = { name: 'Ada Lovelace', address: { country: 'UK' }, status: 'disabled' }
    return { path, body, headers: await world.match(path), secrets }
  },
  'accounts.delete': async (world) => {
    const { path, secrets } = await at(world)
    return { path: `${path}?at_once=true`, headers: await world.match(path), secrets }
  },
  'accounts.roles': async (world) => {
    const { id, path, secrets } = await at(world, '/roles')
    const role = await makeRole(world)
    await grantRole(world.db, role, { kind: 'account', id }, operator)
    return { path, secrets: [...secrets, role] }
  },
  'accounts.grantRole': async (world) => at(world, `/roles/${await makeRole(world)}`),
  'accounts.revokeRole': async (world) => {
    const role = await makeRole(world)
    const made = await at(world, `/roles/${role}`)
    await grantRole(world.db, role, { kind: 'account', id: made.id }, operator)
    return made
  },
  'accounts.addGroup': async (world) => at(world, `/groups/${await makeGroup(world)}`),
  'accounts.removeGroup': async (world) => {
    const group = await makeGroup(world)
    const made = await at(world, `/groups/${group}`)
    await addMember(world.db, group, made.id, operator)
    return made
  },
  'accounts.factors': (world) => at(world, '/factors'),
  'accounts.resetFactors': (world) => at(world, '/factors-reset'),
  'accounts.mailPasswordReset': (world) => at(world, '/password-reset'),
  'accounts.recoveryLink': async (world) => ({
    ...(await at(world, '/recovery-link')),
    body: { expires_in: 600 },
  }),
  'accounts.endSessions': (world) => at(world, '/sessions'),
}
