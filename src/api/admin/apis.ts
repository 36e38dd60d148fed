/** APIs by a program of an admin. */
import { apiJson } from '../../clients/api-json.ts'
import { type Api, createApi, findApi, listApis } from '../../clients/apis.ts'
import { deleteApi, updateApi } from '../../clients/change-api.ts'
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import { AppError } from '../../errors.ts'
import { assertMayEverything, type By } from '../../roles/may-grant.ts'
import { demandMatch, tagged } from '../etags.ts'
import type { apisOperations } from './apis-operations.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'
import { cutPage, listPage } from './pages.ts'
import { notFound, refuseProblems } from './refusals.ts'

const acting = ({ actor, origin = {} }: By) => ({ actor, origin })
const keysOf = ({ identifier }: Api) => [identifier]

export function apisHandlers({
  config: { issuer },
}: Pick<AdminDeps, 'config'>): AdminHandlers<typeof apisOperations> {
  return {
    'apis.list'(call) {
      return listPage(call, {
        fetch: async (page) => cutPage(await listApis(call.db), page, keysOf),
        keysOf,
        toJson: apiJson,
      })
    },

    async 'apis.create'({ ctx, db, by, body }) {
      const { identifier, scopes = [] } = body
      const { authorizationType, ...rest } = readChange(body)
      const input = { identifier, ...rest, scopes, authorizationType }
      const made = await createApi(db, input, { ...acting(by), issuer })
      if (!made.ok && made.reason === 'invalid') throw refuseProblems(made.problems)
      if (!made.ok) {
        const fields = [{ field: 'identifier', code: 'api_taken' }]
        throw new AppError('api_taken', 409, { fields })
      }
      ctx.set('Location', `${issuer}/api/admin/apis/${encodeURIComponent(identifier)}`)
      return tagged(ctx, apiJson(made.api))
    },

    async 'apis.get'({ ctx, db, params: { identifier = '' } }) {
      return tagged(ctx, apiJson(await getApi(db, identifier)))
    },

    async 'apis.update'({ ctx, db, by, params: { identifier = '' }, body }) {
      const api = await transact(db, async (trx) => {
        const before = await getApi(trx, identifier, { lock: true })
        demandMatch(ctx, apiJson(before), { required: true })
        // How long a stolen token of ours opens everything is nobody's with less.
        if (before.builtIn) await assertMayEverything(trx, by)
        const done = await updateApi(trx, identifier, readChange(body), acting(by))
        if (!done) throw notFound('api_not_found')
        if (!done.ok) throw refuseProblems(done.problems)
        return done.api
      })
      return tagged(ctx, apiJson(api))
    },

    async 'apis.delete'({ ctx, db, by, params: { identifier = '' } }) {
      await transact(db, async (trx) => {
        const api = await getApi(trx, identifier, { lock: true })
        demandMatch(ctx, apiJson(api))
        if (api.builtIn) throw new AppError('api_built_in', 422)
        await deleteApi(trx, identifier, acting(by))
      })
    },
  }
}

/** Throws `api_not_found` (404). */
async function getApi(db: Db, identifier: string, { lock = false } = {}): Promise<Api> {
  const api = await findApi(db, identifier, { lock })
  if (!api) throw notFound('api_not_found')
  return api
}

type Given = {
  name?: string | undefined
  scopes?: string[] | undefined
  token_format?: Api['tokenFormat'] | undefined
  token_alg?: Api['tokenAlg'] | undefined
  access_token_lifetime?: number | undefined
  authorization_types?: Record<string, Record<string, unknown> | null> | undefined
}

function readChange(given: Given) {
  const types = Object.entries(given.authorization_types ?? {})
  const stored = types.flatMap(([name, schema]) => (schema ? [{ name, schema }] : []))
  if (stored.length > 1) {
    const fields = [{ field: 'authorization_types', code: 'one_at_a_time' }]
    throw new AppError('invalid_request', 400, { fields })
  }
  return {
    name: given.name?.normalize('NFC'),
    scopes: given.scopes,
    tokenFormat: given.token_format,
    tokenAlg: given.token_alg,
    tokenLifetimeSeconds: given.access_token_lifetime,
    authorizationType: stored[0],
    removeTypes: types.flatMap(([name, schema]) => (schema ? [] : [name])),
  }
}
