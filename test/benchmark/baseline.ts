/**
 * What everything is set against: the bare engine in a process of its own, configured as the provider configures it,
 * with its state in unbounded Maps. It logs nothing, limits nothing, stores nothing for longer than it runs, knows its
 * apps from the start and signs people in without a password.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Adapter, type AdapterFactory, Provider } from 'oidc-provider'
import { accountClaims } from '../../src/oidc/claims.ts'
import { configuration, type ProviderOptions } from '../../src/oidc/configuration.ts'
import { loadGrant } from '../../src/oidc/consent.ts'
import { noRoleTexts } from '../../src/oidc/role-claims.ts'
import type { BaselineOrder, Cast } from './cast.ts'

type Payload = Record<string, unknown>

const stores = new Map<string, Map<string, Payload>>()
const storeOf = (model: string): Map<string, Payload> => {
  const store = stores.get(model) ?? new Map<string, Payload>()
  stores.set(model, store)
  return store
}
/** Keys of what hangs on a grant. */
const members = new Map<string, Set<[model: string, id: string]>>()

function createAdapter(model: string): Adapter {
  const store = storeOf(model)
  const byUid = new Map<string, string>()
  return {
    async upsert(id, payload) {
      store.set(id, payload as Payload)
      if (payload.uid !== undefined) byUid.set(payload.uid, id)
      if (payload.grantId === undefined || model === 'Interaction') return
      const known = members.get(payload.grantId) ?? new Set()
      members.set(payload.grantId, known.add([model, id]))
    },
    find: async (id) => store.get(id),
    findByUid: async (uid) => store.get(byUid.get(uid) ?? ''),
    findByUserCode: async () => undefined,
    async consume(id) {
      const payload = store.get(id)
      if (payload) payload.consumed = Math.floor(Date.now() / 1000)
    },
    async destroy(id) {
      store.delete(id)
    },
    async revokeByGrantId(grantId) {
      for (const [name, id] of members.get(grantId) ?? []) storeOf(name).delete(id)
      members.delete(grantId)
    },
  }
}

function createProvider(issuer: string, cast: Cast): Provider {
  return new Provider(issuer, {
    ...configuration(optionsOf(issuer, cast), createAdapter as AdapterFactory),
    clients: clientsOf(cast),
    findAccount: createFindAccount(cast),
    loadExistingGrant: (ctx) => loadGrant(ctx, {}),
  })
}

/** The provider's own settings, with nobody behind them who would ask a database. */
function optionsOf(issuer: string, { keys, api }: Cast): ProviderOptions {
  const none = () => {
    throw new Error('not part of the baseline')
  }
  return {
    config: { issuer, jwksMaxAgeSeconds: 3600 },
    keys,
    pool: { query: none },
    reads: { query: none },
    keyring: { mac: () => Buffer.alloc(32), macs: none, seal: none, open: none },
    findCertificate: none,
    pairwiseSecret: Buffer.alloc(32),
    clients: {
      client: none,
      forget: none,
      offers: none,
      whyNot: none,
      api: async () => ({
        ...api,
        name: api.identifier,
        scopes: [api.scope],
        tokenFormat: 'jwt',
        tokenAlg: 'ES256',
        authorizationTypes: [],
        builtIn: false,
        createdAt: new Date(),
      }),
    },
    fetch: none,
    pages: {
      interactionPath: ({ uid }) => `/sign-in/${uid}`,
      async renderError(ctx, out) {
        ctx.body = out
      },
      logoutSource: none,
      postLogoutSuccessSource: none,
      renderAlreadyDone: none,
      device: none,
      deviceRefused: none,
      deviceConnected: none,
      sessionEnded: none,
    },
    limitClientAuthentication: { check: none, count: none },
    findPerson: none,
    questions: { limitClient: none, limitPerson: none, asked: none },
  }
}

function clientsOf({ app, services, api }: Cast) {
  const { identifier, scope, tokenLifetimeSeconds } = api
  return [
    {
      client_id: app.clientId,
      client_secret: app.secret,
      redirect_uris: [app.redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      first_party: true,
    },
    ...services.map(({ clientId, secret }) => ({
      client_id: clientId,
      client_secret: secret,
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      apis: [{ identifier, scopes: [scope], tokenLifetimeSeconds }],
    })),
  ]
}

function createFindAccount({ people }: Cast) {
  const verifiedAt = new Date()
  const rows = new Map(
    people.map(({ name, email, ...person }) => [
      person.id,
      {
        ...person,
        name,
        email_canonical: email,
        given_name: name,
        family_name: name,
        locale: 'en',
        roles: [],
        updated_at: verifiedAt,
        email_verified_at: verifiedAt,
      },
    ]),
  )
  return async (_ctx: unknown, sub: string) => {
    const row = rows.get(sub)
    const at = { clientId: undefined, texts: noRoleTexts, wants: () => false }
    return (
      row && { accountId: sub, claims: async () => ({ sub, ...(await accountClaims(row, at)) }) }
    )
  }
}

function start(port: number, cast: Cast): void {
  const provider = createProvider(`http://localhost:${port}`, cast)
  const callback = provider.callback()
  const idOf = new Map(cast.people.map(({ username, id }) => [username, id]))

  /** Whoever the app hinted at is signed in. */
  async function signIn(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { params } = await provider.interactionDetails(req, res)
    const accountId = idOf.get(String(params.login_hint))
    if (accountId === undefined) throw new Error('nobody is hinted at')
    const login = { accountId, acr: '1fa', amr: ['pwd'] }
    await provider.interactionFinished(req, res, { login })
  }

  const server = createServer((req, res) => {
    if (!req.url?.startsWith('/sign-in/')) return void callback(req, res)
    signIn(req, res).catch((error: Error) => {
      res.statusCode = 500
      res.end(error.message)
    })
  })
  server.keepAliveTimeout = 65_000
  server.listen(port, '127.0.0.1', () => process.send?.('ready'))
}

process.on('message', (message: BaselineOrder) => {
  const tokens = storeOf('AccessToken')
  if (message.order === 'start') return start(message.port, message.cast)
  if (message.order === 'copy') {
    for (const [token, copy] of message.pairs) {
      tokens.set(copy, { ...tokens.get(token), jti: copy })
    }
  } else {
    for (const token of message.tokens) {
      const payload = tokens.get(token)
      if (payload) payload.exp = Math.floor(Date.now() / 1000) - 60
    }
  }
  process.send?.('done')
})
process.once('disconnect', () => process.exit(0))
// Ctrl-C reaches every process of the terminal; main.ts says when it is over.
process.on('SIGINT', () => {})
