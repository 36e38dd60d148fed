/**
 * Who signs people in for us, by a program of an admin. What such a provider says decides who somebody is, so whoever
 * changes one may everything.
 */
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import { AppError } from '../../errors.ts'
import { presets } from '../../federation/presets.ts'
import { parseRule, providerJson } from '../../federation/provider-json.ts'
import {
  createProvider,
  deleteProvider,
  listProviders,
  type Provider,
  type ProviderChange,
  type RoleRule,
  type Stored,
  updateProvider,
} from '../../federation/providers.ts'
import { assertMayEverything } from '../../roles/may-grant.ts'
import { demandMatch, tagged } from '../etags.ts'
import type { AdminCall, AdminDeps, AdminHandlers } from './context.ts'
import type { outsideOperations } from './outside-operations.ts'
import { cutPage, listPage } from './pages.ts'
import { notFound, refuseProblems } from './refusals.ts'

type Operations = typeof outsideOperations
type Ours = Pick<AdminHandlers<Operations>, Extract<keyof Operations, `providers.${string}`>>

const keysOf = ({ createdAt, id }: Provider) => [createdAt.toISOString(), id]

export function providersHandlers({
  config: { issuer: ourIssuer },
  keyring,
}: Pick<AdminDeps, 'config' | 'keyring'>): Ours {
  const show = (provider: Provider) => providerJson(provider, ourIssuer)

  return {
    'providers.list'(call) {
      return listPage(call, {
        fetch: async (page) => cutPage(await listProviders(call.db), page, keysOf),
        keysOf,
        toJson: show,
      })
    },

    async 'providers.create'({ ctx, db, by, body }) {
      const { id, preset, allow_admin_role: allowAdminRole } = body
      const { label, issuer: known, scope } = presets[preset]
      const { clientId = '', name = label, issuer = known, ...change } = changeOf(body)
      if (issuer === undefined) throw missing('issuer')
      const provider = await transact(db, async (trx) => {
        await assertMayEverything(trx, by)
        const input = {
          ...{ appleTeamId: null, appleKeyId: null, scope, trustEmail: false, tenants: [] },
          ...{ roleMap: [], enabled: true, secret: undefined },
          ...change,
          ...{ id, preset, name, issuer, clientId },
        }
        const deps = { db: trx, keyring, ourIssuer }
        return stored(await createProvider(deps, input, { actor: by.actor, allowAdminRole }))
      })
      ctx.set('Location', `${ourIssuer}/api/admin/providers/${provider.id}`)
      return tagged(ctx, show(provider))
    },

    async 'providers.get'({ ctx, db, params: { id = '' } }) {
      return tagged(ctx, show(await getProvider(db, id)))
    },

    async 'providers.update'({ ctx, db, by, params: { id = '' }, body }) {
      const { allow_admin_role: allowAdminRole } = body
      const provider = await transact(db, async (trx) => {
        await assertMayEverything(trx, by)
        demandMatch(ctx, show(await getProvider(trx, id, { lock: true })), { required: true })
        const deps = { db: trx, keyring, ourIssuer }
        const acting = { actor: by.actor, allowAdminRole }
        return stored(await updateProvider(deps, id, changeOf(body), acting))
      })
      return tagged(ctx, show(provider))
    },

    async 'providers.delete'({ ctx, db, by, params: { id = '' } }) {
      await transact(db, async (trx) => {
        await assertMayEverything(trx, by)
        demandMatch(ctx, show(await getProvider(trx, id, { lock: true })))
        await deleteProvider(trx, id, by.actor)
      })
    },
  }
}

/** Throws `provider_not_found` (404). */
async function getProvider(db: Db, id: string, { lock = false } = {}): Promise<Provider> {
  if (lock) await db.selectFrom('providers').select('id').where('id', '=', id).forUpdate().execute()
  const provider = (await listProviders(db)).find((one) => one.id === id)
  if (!provider) throw notFound('provider_not_found')
  return provider
}

function stored(result: Stored): Provider {
  if (result.ok) return result.provider
  if (result.reason === 'invalid') throw refuseProblems(result.problems)
  if (result.reason === 'gone') throw notFound('provider_not_found')
  const fields = [{ field: 'id', code: 'provider_taken' }]
  throw new AppError('provider_taken', 409, { fields })
}

function changeOf(
  given: AdminCall<Operations, 'providers.update'>['body'],
): ProviderChange & { secret?: string } {
  const named = {
    name: given.name,
    issuer: given.issuer,
    clientId: given.client_id,
    appleTeamId: given.team_id,
    appleKeyId: given.key_id,
    scope: given.scope,
    trustEmail: given.trust_email,
    tenants: given.allowed_tenants,
    roleMap: given.role_map?.map(ruleOf),
    enabled: given.enabled,
    secret: given.client_secret?.trim(),
  }
  const said = Object.entries(named).filter(([, value]) => value !== undefined)
  return Object.fromEntries(said)
}

function ruleOf(text: string): RoleRule {
  const rule = parseRule(text)
  if (!rule) throw missing('role_map')
  return rule
}

function missing(field: string): AppError {
  return new AppError('invalid_request', 400, { fields: [{ field, code: 'invalid' }] })
}
