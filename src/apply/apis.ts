/** APIs in a file. Our own is not among them: nobody makes or changes it. */
import { createApi, defaultTokenLifetimeSeconds, findApi, listApis } from '../clients/apis.ts'
import { deleteApi, type Loss, updateApi } from '../clients/change-api.ts'
import type { ApiEntry } from './document.ts'
import { fromSeconds, toSeconds } from './durations.ts'
import { type Kind, Refused, type State, same, without } from './kind.ts'

const defaults: State = {
  scopes: [],
  token_lifetime: fromSeconds(defaultTokenLifetimeSeconds),
  token_format: 'jwt',
  token_alg: 'ES256',
  authorization_types: {},
}

export const apiKind: Kind<ApiEntry> = {
  name: 'api',
  label: ({ identifier }) => identifier,

  async find({ db }, { identifier }) {
    return (await findApi(db, identifier))?.identifier
  },

  async read({ db }, id) {
    const api = await findApi(db, id)
    if (!api) return undefined
    return {
      name: api.name,
      scopes: api.scopes,
      token_lifetime: fromSeconds(api.tokenLifetimeSeconds),
      token_format: api.tokenFormat,
      token_alg: api.tokenAlg,
      authorization_types: Object.fromEntries(
        api.authorizationTypes.map(({ name, schema }) => [name, schema]),
      ),
    }
  },

  async write({ db, actor }, entry, id) {
    const { identifier, name = identifier, scopes = [], token_format, token_alg } = entry
    const wanted = {
      name,
      scopes,
      tokenLifetimeSeconds: toSeconds(entry.token_lifetime ?? defaultTokenLifetimeSeconds),
      tokenFormat: token_format ?? ('jwt' as const),
      tokenAlg: token_alg ?? ('ES256' as const),
    }
    if (id === undefined) {
      const made = await createApi(db, { identifier, ...wanted }, { actor })
      if (!made.ok) throw new Refused(made.reason === 'invalid' ? made.problems : [])
    }
    const types = Object.entries(entry.authorization_types ?? {})
    const before = (await findApi(db, identifier))?.authorizationTypes ?? []
    const gone = before.filter((type) => !types.some(([known]) => known === type.name))
    const notes: string[] = []
    const changes = [
      { ...wanted, removeTypes: gone.map((type) => type.name) },
      ...types
        .filter(([type, schema]) => !before.some((one) => same(one, { name: type, schema })))
        .map(([type, schema]) => ({ authorizationType: { name: type, schema } })),
    ]
    for (const change of changes) {
      const changed = await updateApi(db, identifier, change, { actor })
      if (!changed) continue
      if (!changed.ok) throw new Refused(changed.problems)
      notes.push(...changed.losses.map(wordsOfLoss))
    }
    return { id: identifier, notes }
  },

  async remove({ db, actor }, id) {
    await deleteApi(db, id, { actor })
  },

  async list({ db }) {
    const apis = await listApis(db)
    return apis.filter(({ builtIn }) => !builtIn).map(({ identifier }) => identifier)
  },

  async toEntry(deps, id) {
    const state = (await apiKind.read(deps, id)) ?? {}
    return { identifier: id, ...without(state, { ...defaults, name: id }) }
  },
}

function wordsOfLoss({ client, scopes, whole }: Loss): string {
  return whole ? `${client} may not call it any more` : `${client} loses ${scopes.join(' ')}`
}
