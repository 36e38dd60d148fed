/** Good calls: apps and APIs. */
import type { apisOperations } from '../../../src/api/admin/apis-operations.ts'
import type { clientsOperations } from '../../../src/api/admin/clients-operations.ts'
import { grantRole } from '../../../src/roles/holders.ts'
import { createApp } from '../../support/relying-party.ts'
import type { Cases } from './cases.ts'
import { makeRole, operator, type World } from './world.ts'

type Ids = keyof typeof clientsOperations | keyof typeof apisOperations

async function client(world: World, rest = '') {
  const name = world.fresh('App ')
  const { id, secret = '' } = await createApp(world.server, { name })
  return { id, path: `/clients/${id}${rest}`, secrets: [name, secret] }
}

async function api(world: World) {
  const identifier = `https://${world.fresh('a')}.example.com/api`
  await world.asAdmin('post', '/apis', { body: { identifier, scopes: ['read'] } })
  return { path: `/apis/${encodeURIComponent(identifier)}`, secrets: [identifier] }
}

export const clientCases: Cases<Ids> = {
  'clients.list': async (world) => {
    const { secrets } = await client(world)
    const query = new URLSearchParams({ name: String(secrets[0]), disabled: 'false' })
    return { path: `/clients?${query}`, secrets }
  },
  'clients.create': async ({ fresh }) => ({
    path: '/clients',
    body: {
      client_name: fresh('App '),
      preset: 'generic',
      redirect_uris: ['https://app.example.com/cb'],
      access_token_lifetime: 600,
      require_pushed_authorization_requests: true,
      second_factors: ['totp'],
    },
  }),
  'clients.get': (world) => client(world),
  'clients.update': async (world) => {
    const { path, secrets } = await client(world)
    const body = { client_uri: 'https://app.example.com', pkce: 'required', disabled: true }
    return { path, body, headers: await world.match(path), secrets }
  },
  'clients.delete': async (world) => {
    const { path, secrets } = await client(world)
    return { path, headers: await world.match(path), secrets }
  },
  'clients.rotateSecret': async (world) => ({
    ...(await client(world, '/secret')),
    body: { overlap: 60 },
  }),
  'clients.grantRole': async (world) => client(world, `/roles/${await makeRole(world)}`),
  'clients.revokeRole': async (world) => {
    const role = await makeRole(world)
    const made = await client(world, `/roles/${role}`)
    await grantRole(world.db, role, { kind: 'client', id: made.id }, operator)
    return made
  },
  'apis.list': async (world) => ({ path: '/apis', secrets: (await api(world)).secrets }),
  'apis.create': async ({ fresh }) => ({
    path: '/apis',
    body: { identifier: `https://${fresh('a')}.example.com`, scopes: ['read'], token_alg: 'RS256' },
  }),
  'apis.get': (world) => api(world),
  'apis.update': async (world) => {
    const { path, secrets } = await api(world)
    const payment = { type: 'object', properties: { amount: { type: 'integer' } } }
    const types = { [world.fresh('type')]: payment }
    const body = { scopes: ['read', 'write'], authorization_types: types }
    return { path, body, headers: await world.match(path), secrets }
  },
  'apis.delete': (world) => api(world),
}
