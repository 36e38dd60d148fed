/** Apps by a program of an admin. What an app holds, or may ask of our own API, decides who may change it. */
import type { z } from 'zod'
import { clientJson } from '../../clients/client-json.ts'
import {
  deleteClient,
  disableClient,
  enableClient,
  rotateSecret,
} from '../../clients/client-life.ts'
import {
  type ClientMembers,
  changeFromMembers,
  inputFromMembers,
} from '../../clients/client-members.ts'
import { type Client, getClient, searchClients, wholeScope } from '../../clients/clients.ts'
import { createClient, type Refused } from '../../clients/create-client.ts'
import { isOwnScope } from '../../clients/own-api.ts'
import { splitScope } from '../../clients/scopes.ts'
import { updateClient } from '../../clients/update-client.ts'
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import { AppError } from '../../errors.ts'
import { setClientAccess } from '../../roles/client-access.ts'
import { grantRole, listClientRoles, listRolesOfClients, revokeRole } from '../../roles/holders.ts'
import { assertMayEverything, assertMayManage, type By } from '../../roles/may-grant.ts'
import { demandMatch, tagged } from '../etags.ts'
import type { clientWithSecret } from './client-schemas.ts'
import type { clientsOperations } from './clients-operations.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'
import { listPage } from './pages.ts'
import { notFound, refuseProblems } from './refusals.ts'

export function clientsHandlers({
  config,
  engineCheck,
}: Pick<AdminDeps, 'config' | 'engineCheck'>): AdminHandlers<typeof clientsOperations> {
  const acting = ({ actor, origin = {} }: By) => ({ actor, origin, engineCheck })

  /** Nothing is judged where nothing is named: also an app that the rules have left behind is switched off. */
  async function change(trx: Db, by: By, id: string, members: ClientMembers) {
    if (Object.values(members).every((value) => value === undefined)) return undefined
    const done = await updateClient(trx, id, changeFromMembers(members), acting(by))
    if (!done) throw notFound('client_not_found')
    if (!done.ok) throw refused(done)
    await assertMayReach(trx, by, done.client)
    return done.secret
  }

  return {
    async 'clients.list'(call) {
      const { cursor, page_size, disabled, ...filter } = call.query
      const off = disabled === undefined ? undefined : disabled === 'true'
      const held = new Map<string, string[]>()
      return listPage(call, {
        async fetch({ limit, after: [name, id] = [] }) {
          const page = { limit, after: name === undefined ? undefined : { name, id: id ?? '' } }
          const found = await searchClients(call.db, { ...filter, disabled: off }, page)
          const roles = await listRolesOfClients(
            call.db,
            found.map(({ id }) => id),
          )
          for (const { clientId, role } of roles) {
            held.set(clientId, [...(held.get(clientId) ?? []), role])
          }
          return found
        },
        keysOf: ({ name, id }) => [name, id],
        toJson: (client) => show(client, held.get(client.id) ?? []),
      })
    },

    async 'clients.create'({ ctx, db, by, body }) {
      const { client, secret } = await transact(db, async (trx) => {
        const made = await createClient(trx, inputFromMembers(body), acting(by))
        if (!made.ok) throw refused(made)
        await assertMayReach(trx, by, made.client)
        return made
      })
      ctx.set('Location', `${config.issuer}/api/admin/clients/${client.id}`)
      tagged(ctx, show(client, []))
      return show(client, [], secret)
    },

    async 'clients.get'({ ctx, db, params: { id = '' } }) {
      return tagged(ctx, await read(db, id))
    },

    async 'clients.update'({ ctx, db, by, params: { id = '' }, body }) {
      const { disabled, allowed_roles: roles, allowed_groups: groups, ...members } = body
      const secret = await onClient(db, by, id, async (trx) => {
        demandMatch(ctx, await read(trx, id), { required: true })
        const secret = await change(trx, by, id, members)
        if (roles !== undefined || groups !== undefined) {
          await setClientAccess(trx, id, { roles: listOf(roles), groups: listOf(groups) }, by)
        }
        if (disabled === true) await disableClient(trx, id, acting(by))
        if (disabled === false) await enableClient(trx, id, acting(by))
        return secret
      })
      const told = tagged(ctx, await read(db, id))
      return secret === undefined
        ? told
        : { ...told, client_secret: secret, client_secret_expires_at: 0 }
    },

    async 'clients.delete'({ ctx, db, by, params: { id = '' } }) {
      await onClient(db, by, id, async (trx) => {
        demandMatch(ctx, await read(trx, id))
        await deleteClient(trx, id, acting(by))
      })
    },

    async 'clients.rotateSecret'({ db, by, params: { id = '' }, body }) {
      return onClient(db, by, id, async (trx) => {
        const { overlap: overlapSeconds = 0 } = body
        const done = await rotateSecret(trx, id, { overlapSeconds, ...acting(by) })
        if (!done) throw notFound('client_not_found')
        if (!done.ok) throw new AppError('client_without_secret', 422)
        return show(done.client, await listClientRoles(trx, id), done.secret)
      })
    },

    async 'clients.grantRole'({ db, by, params: { id = '', role = '' } }) {
      await onClient(db, by, id, (trx) => grantRole(trx, role, { kind: 'client', id }, by))
    },

    async 'clients.revokeRole'({ db, by, params: { id = '', role = '' } }) {
      await onClient(db, by, id, (trx) => revokeRole(trx, role, { kind: 'client', id }, by))
    },
  }
}

/**
 * Under the lock of the client, all or nothing. Throws `client_not_found` (404), `grants_more_than_held` (403) for one
 * that holds, or may ask for, more than the caller has.
 */
function onClient<T>(db: Db, by: By, id: string, act: (trx: Db) => Promise<T>): Promise<T> {
  return transact(db, async (trx) => {
    const client = await getClient(trx, id, { lock: true })
    // Who has its secret is it, also to apps that know it by the names of its roles.
    await assertMayManage(trx, by, { kind: 'client', id }, { names: true })
    await assertMayReach(trx, by, client)
    return act(trx)
  })
}

/** By a scope of our own API an app does what its people may, without being asked by them where it is ours. */
async function assertMayReach(trx: Db, by: By, client: Client): Promise<void> {
  if (splitScope(wholeScope(client)).some(isOwnScope)) await assertMayEverything(trx, by)
}

/** Null and an empty list let everybody in. */
function listOf(given: string[] | null | undefined): string[] | undefined {
  return given === null ? [] : given
}

async function read(db: Db, id: string) {
  return show(await getClient(db, id), await listClientRoles(db, id))
}

function show(client: Client, roles: string[], secret?: string) {
  // The tests hold the whole answer to its schema.
  return { ...clientJson(client, secret), roles } as z.input<typeof clientWithSecret>
}

function refused(refusal: Refused): AppError {
  if (refusal.reason === 'invalid') return refuseProblems(refusal.problems)
  const field = refusal.field === 'name' ? 'client_name' : 'client_id'
  return new AppError('client_taken', 409, { fields: [{ field, code: 'client_taken' }] })
}
