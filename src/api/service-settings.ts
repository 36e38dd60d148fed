/** `/api/service-settings/{sub}`: an app and its own people, by the names under which it knows them. */
import type { Context, Middleware } from 'koa'
import { findAccount } from '../accounts/accounts.ts'
import {
  findServiceSettings,
  type ServiceSettings,
  writeServiceSettings,
} from '../accounts/service-settings.ts'
import type { Actor } from '../audit/audit.ts'
import { sectorOf } from '../clients/rules/subjects.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'
import { pairwiseSubject } from '../oidc/subjects.ts'
import type { Bearer, Caller } from './bearer.ts'
import { demandMatch, tagged } from './etags.ts'
import { type Handlers, routesOf } from './operations.ts'
import { serviceSettingsOperations } from './service-settings-operations.ts'

type Deps = { db: Db; bearer: Bearer; pairwiseSecret: Buffer }

export function serviceSettingsRoutes({ db, bearer, pairwiseSecret }: Deps): Middleware[] {
  /** Throws 404 `account_not_found` for whoever is not the app's; with a person's token for anybody else. */
  async function placeOf({ client, clientId, accountId: own }: Caller, sub = '') {
    const accountId = await accountOf(client, sub)
    const account = accountId === undefined ? undefined : await findAccount(db, accountId)
    const reachable = account?.status === 'active' && (own === undefined || own === account.id)
    if (!reachable) throw new AppError('account_not_found', 404)
    return { accountId: account.id, clientId }
  }

  async function accountOf(client: Caller['client'], sub: string): Promise<string | undefined> {
    if (client.metadata.subject_type !== 'pairwise')
      return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(sub) ? sub : undefined
    // Nobody can tell from a pairwise subject whose it is; so it is one of those whom the app has met.
    const sector = String(sectorOf(client.metadata))
    const met = await db
      .selectFrom('consents')
      .select('accountId')
      .where('clientId', '=', client.id)
      .union(db.selectFrom('grants').select('accountId').where('clientId', '=', client.id))
      .execute()
    return met.find(({ accountId }) => pairwiseSubject(pairwiseSecret, sector, accountId) === sub)
      ?.accountId
  }

  const byOf = (ctx: Context, { clientId, accountId }: Caller) => ({
    actor: (accountId === undefined
      ? { kind: 'client', id: clientId }
      : { kind: 'person', id: accountId }) satisfies Actor,
    origin: ctx.state.origin,
  })

  const handlers: Handlers<typeof serviceSettingsOperations> = {
    async readServiceSettings({ ctx, caller, params }) {
      return tagged(ctx, (await findServiceSettings(db, await placeOf(caller, params.sub))) ?? {})
    },

    async writeServiceSettings({ ctx, caller, params, body }) {
      const place = await placeOf(caller, params.sub)
      const judge = (before: ServiceSettings | undefined) => demandMatch(ctx, before ?? {})
      await writeServiceSettings(db, place, body, byOf(ctx, caller), judge)
      return tagged(ctx, body)
    },

    async removeServiceSettings({ ctx, caller, params }) {
      const place = await placeOf(caller, params.sub)
      const judge = (before: ServiceSettings | undefined) => demandMatch(ctx, before ?? {})
      await writeServiceSettings(db, place, null, byOf(ctx, caller), judge)
    },
  }
  return routesOf(serviceSettingsOperations, handlers, { bearer })
}
