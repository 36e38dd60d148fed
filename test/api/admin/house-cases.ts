/** Good calls: who may come in, what happens, keys and settings. */
import { sql } from 'kysely'
import type { entryOperations } from '../../../src/api/admin/entry-operations.ts'
import type { houseOperations } from '../../../src/api/admin/house-operations.ts'
import type { watchOperations } from '../../../src/api/admin/watch-operations.ts'
import { addBlock } from '../../../src/blocks/blocks.ts'
import { transact } from '../../../src/database/transact.ts'
import { createInvite } from '../../../src/invites/invites.ts'
import { enqueue } from '../../../src/jobs/tasks.ts'
import { authorize, createBrowser } from '../../support/person.ts'
import type { Cases } from './cases.ts'
import { makeRole, operator, type World } from './world.ts'

type Ids =
  | keyof typeof entryOperations
  | keyof typeof watchOperations
  | keyof typeof houseOperations

async function invite(world: World) {
  const input = { uses: 1, lifetimeSeconds: 600, roles: [], note: world.fresh('note') }
  const { code, invite: made } = await createInvite(world, input, operator)
  return { path: `/invites/${made.id}`, secrets: [code, input.note] }
}

let third = 0
const network = () => `203.0.113.${++third}`

async function block(world: World) {
  const reason = world.fresh('reason')
  const rule = { network: network(), scope: 'entry', reason, lifetimeSeconds: 600 } as const
  const { id } = await addBlock(world.db, rule, operator)
  return { path: `/blocks/${id}`, secrets: [reason] }
}

/** Somebody who has just signed in to the app. */
async function signedIn(world: World) {
  const person = await world.somebody()
  await authorize(createBrowser(world.server), world.app, person, { scope: 'openid' })
  const { rows } = await world.server.database.pool.query<{ id: string; uid: string }>(
    'select id, session_uid as uid from grants where account_id = $1',
    [person.id],
  )
  const [{ id = '', uid = '' } = {}] = rows
  return { person, grant: id, session: uid, secrets: [person.username, person.email] }
}

/** A mail that no worker takes: it leaves next year. */
async function waiting(world: World) {
  const { id, username } = await world.somebody()
  // The worker sees it when it is a year away.
  const [job] = await transact(world.db, async (trx) => {
    await enqueue(trx, 'mail.notice', { accountId: id, kind: 'password_changed' } as never)
    const { rows } = await sql<{ id: string }>`
      update graphile_worker._private_jobs set run_at = now() + interval '1 year'
      where payload ->> 'accountId' = ${id} returning id::text`.execute(trx)
    return rows
  })
  return { path: `/mail/${job?.id}`, secrets: [username] }
}

export const houseCases: Cases<Ids> = {
  'invites.list': async (world) => ({
    path: '/invites?state=open',
    secrets: (await invite(world)).secrets,
  }),
  'invites.create': async (world) => ({
    path: '/invites',
    body: { uses: 3, expires_in: 3600, roles: [await makeRole(world)], note: 'for the team' },
  }),
  'invites.get': (world) => invite(world),
  'invites.revoke': (world) => invite(world),
  'blocks.list': async (world) => ({
    path: '/blocks?ended=true',
    secrets: (await block(world)).secrets,
  }),
  'blocks.create': async () => ({
    path: '/blocks',
    body: { network: `${network()}/32`, reason: 'floods', scope: 'all', expires_in: 3600 },
  }),
  'blocks.get': (world) => block(world),
  'blocks.delete': (world) => block(world),
  'sessions.list': async (world) => {
    const { person, secrets } = await signedIn(world)
    return { path: `/sessions?account=${person.id}&client=${world.app.id}`, secrets }
  },
  'sessions.end': async (world) => {
    const { session, secrets } = await signedIn(world)
    return { path: `/sessions/${session}`, secrets }
  },
  'grants.list': async (world) => {
    const { person, grant, secrets } = await signedIn(world)
    return { path: `/grants?account=${person.id}`, secrets: [...secrets, grant] }
  },
  'grants.revoke': async (world) => {
    const { grant, secrets } = await signedIn(world)
    return { path: `/grants/${grant}`, secrets }
  },
  'audit.list': async (world) => {
    const { id, username } = await world.somebody()
    const since = new Date(Date.now() - 60_000).toISOString()
    const query = new URLSearchParams({ account: id, type: 'account', actor: 'operator', since })
    return { path: `/audit?${query}`, secrets: [username] }
  },
  'mail.list': async (world) => ({ path: '/mail', secrets: (await waiting(world)).secrets }),
  'mail.retry': async (world) => {
    const { path, secrets } = await waiting(world)
    return { path: `${path}/retry`, secrets }
  },
  'keys.list': async () => ({ path: '/keys', secrets: ['"kid"'] }),
  // Nothing here is signed by it.
  'keys.rotate': async () => ({ path: '/keys/rotation', body: { alg: 'EdDSA', leaked: true } }),
  'keys.retire': async ({ asAdmin }) => {
    const { body } = await asAdmin('get', '/keys')
    const standby = body.items.find(
      ({ alg, state }: Record<string, string>) => alg === 'EdDSA' && state === 'next',
    )
    return { path: `/keys/${standby.kid}?leaked=true`, secrets: [standby.kid] }
  },
  'settings.get': async () => ({ path: '/settings', secrets: ['remember_days'] }),
  'settings.update': async ({ match }) => ({
    path: '/settings',
    body: { remember_days: 7, audit_retention_days: null },
    headers: await match('/settings'),
  }),
}
