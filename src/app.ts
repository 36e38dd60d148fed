/** Puts the house together: the only file that knows every room. Nothing here listens or connects. */
import { isDeepStrictEqual } from 'node:util'
import Koa from 'koa'
import { Provider } from 'oidc-provider'
import { createEvaluator } from './api/access/evaluate.ts'
import { accessRoutes } from './api/access/routes.ts'
import { accountApiRoutes } from './api/account/routes.ts'
import { adminApiRoutes } from './api/admin/routes.ts'
import { createBearer } from './api/bearer.ts'
import { openApiRoutes } from './api/openapi.ts'
import { passwordResetRoutes } from './api/password-resets.ts'
import { registrationRoutes } from './api/registrations.ts'
import { serviceSettingsRoutes } from './api/service-settings.ts'
import { createHandlers } from './app/jobs.ts'
import { followBranding, readBranding } from './branding.ts'
import { listAuthorizationTypes } from './clients/authorization-types.ts'
import type { Config } from './config.ts'
import { createBreachedPasswords } from './credentials/breached-passwords.ts'
import { createPasswordJudge } from './credentials/new-password.ts'
import { createPasswordHasher } from './credentials/password-hasher.ts'
import { findRemembered } from './credentials/remembered-devices.ts'
import { createKeyring } from './crypto.ts'
import type { Database } from './database/connection.ts'
import type { VersionName } from './database/versions.ts'
import { takeProbe } from './doctor/probe-tokens.ts'
import { createProviderCache } from './federation/provider-cache.ts'
import { createUpstreams } from './federation/upstreams.ts'
import { createBlockedAddresses } from './http/blocked-addresses.ts'
import { limitKeyAddress } from './http/client-address.ts'
import { createCertificateReader } from './http/client-certificate.ts'
import { createCsrf } from './http/csrf.ts'
import { readForm } from './http/form-body.ts'
import { frontDoor } from './http/front-door.ts'
import { createHealth, type Health } from './http/health.ts'
import { readJson } from './http/json-body.ts'
import { createKnownDevices } from './http/known-device.ts'
import { createLimits } from './http/limits.ts'
import { createMetrics, type Metrics } from './http/metrics.ts'
import { createRememberedCookie } from './http/remembered-cookie.ts'
import { createSignInLimits } from './http/sign-in-limits.ts'
import type { Handlers } from './jobs/worker.ts'
import type { Logger } from './logger.ts'
import type { Mailer } from './mail/transport.ts'
import { accountClient } from './oidc/account-client.ts'
import { compileTypes, type StoredTypes } from './oidc/authorization-details.ts'
import { createClientCache } from './oidc/client-cache.ts'
import { keySetDocument } from './oidc/documents.ts'
import { auditEndedGrant, listenToEngine } from './oidc/events.ts'
import { addExtensionGrants } from './oidc/extension-grants.ts'
import { createMetadataDocuments } from './oidc/metadata-documents.ts'
import { certificateEndpoints } from './oidc/mutual-tls.ts'
import { createEngineFetch } from './oidc/outgoing-fetch.ts'
import { createTokenReader } from './oidc/own-tokens.ts'
import { protectedResources } from './oidc/protected-resources.ts'
import { createProtocol, type Engine } from './oidc/protocol.ts'
import { createProvider } from './oidc/provider.ts'
import { createPersonFinder, createQuestions } from './oidc/questions.ts'
import { isWorthKeeping, keepRefusal } from './oidc/refusals.ts'
import { createRegistration } from './oidc/registration.ts'
import { createRoleTexts } from './oidc/role-claims.ts'
import { createSignInPolicies } from './oidc/sign-in-policies.ts'
import { loadSigningKeys, type SigningKeySet } from './oidc/signing-keys.ts'
import { createStructuredIntrospection } from './oidc/structured-tokens.ts'
import { createClientCheck } from './oidc/validate-client.ts'
import { createOutgoing } from './outgoing/outgoing.ts'
import type { PagesDeps } from './pages/context.ts'
import { createPasswordCheck } from './pages/password-check.ts'
import { protocolPages } from './pages/protocol.ts'
import { pageRoutes } from './pages/routes.ts'
import type { RegistrationDeps } from './registration/deps.ts'
import { createViews } from './views.ts'

/** By POST each of them keeps a row, without asking who it is. */
const keepingPaths = new Set(['/oauth2/authorize', '/oauth2/logout'])

export type App = {
  koa: Koa
  handlers: Handlers
  metrics: Metrics
  health: Health
  /** What another process changed is forgotten or loaded anew. */
  refresh(changed: VersionName): Promise<void>
}

export type AppOptions = {
  config: Config
  database: Database
  logger: Logger
  mailer: Mailer
  keys: SigningKeySet
  /** What pairwise subjects are derived from. */
  pairwiseSecret: Buffer
  /** What may be asked for in detail. */
  authorizationTypes: StoredTypes
  /** From then on `/readyz` says no. */
  isClosing(): boolean
}

export function createApp(options: AppOptions): App {
  const { config, database, logger, mailer } = options
  const call = followBranding(config)
  const { db, pool, reads } = database
  const keyring = createKeyring(config.secretKeys)
  let { keys, authorizationTypes } = options
  let detailTypes = compileTypes(authorizationTypes)
  const hasher = createPasswordHasher()
  const views = createViews(config)
  const limits = createLimits({ pool, keyring, factor: config.limitFactor })
  const outgoing = createOutgoing(config)
  const engineCheck = createClientCheck(config.issuer, config.allowPrivateTargets)
  const clients = createClientCache(db, {
    builtIn: [accountClient(config.issuer, config)],
    documents: createMetadataDocuments({
      db,
      fetch: outgoing.fetch,
      engineCheck,
      limit: limitDocuments,
    }),
  })
  const health = createHealth({ database, isClosing: options.isClosing })
  const metrics = createMetrics({
    hashQueue: hasher.stats,
    pool,
    countLiveSessions: async () => {
      const { rows } = await pool.query<{ count: number }>(
        'select count(*)::int as count from sessions where account_id is not null and expires_at > now()',
      )
      return rows[0]?.count ?? 0
    },
    signingSince: () => keys.signingSince,
  })
  const breached = createBreachedPasswords({
    db,
    fetch: outgoing.fetch,
    logger,
    onResult: metrics.breachLookUp,
  })
  const registration: RegistrationDeps = {
    db,
    keyring,
    hasher,
    breached,
    config,
    observer: {
      ...metrics.registration,
      finished(status, seconds) {
        metrics.registration.finished(status, seconds)
        if (status === 'verified') metrics.accountCreated('registration')
      },
      fault(error, step) {
        metrics.registration.fault(error, step)
        logger.error({ err: error, step }, 'registration step failed')
      },
    },
  }
  const blocked = createBlockedAddresses({
    db,
    config,
    onRefused: metrics.blockedRequest,
    onBlocked: metrics.addressBlocked,
  })
  const roleTexts = createRoleTexts(db)
  const evaluator = createEvaluator(db)
  const policies = createSignInPolicies({ db, pool, clients })
  const rememberedCookie = createRememberedCookie(config)
  const csrf = createCsrf({ config, keyring })
  const providers = createProviderCache(db)
  const pagesDeps: PagesDeps = {
    config,
    database,
    keyring,
    hasher,
    judgePassword: createPasswordJudge({ config, breached }),
    views,
    csrf,
    limits,
    signInLimits: createSignInLimits(limits, blocked),
    blocked,
    knownDevices: createKnownDevices({ config, keyring }),
    clients,
    policies,
    roleTexts,
    rememberedCookie,
    detailTypes: () => detailTypes,
    registration,
    providers,
    upstreams: createUpstreams({ fetch: outgoing.fetch, keyring }),
    onUpstreamProblem(providerId, error) {
      const { code, message: detail } = error
      logger.warn({ providerId, problem: code, detail }, 'upstream sign-in failed')
    },
    onSignIn: metrics.signIn,
  }
  const checkPassword = createPasswordCheck(pagesDeps)
  const pages = protocolPages(pagesDeps)
  const fetch = createEngineFetch(outgoing)
  const certificateOf = createCertificateReader(config)
  let engine = createEngine()

  function createEngine(): Engine {
    const provider = createProvider({
      config,
      pool,
      reads,
      keyring,
      keys: keys.keys,
      clients,
      authorizationTypes: detailTypes,
      roleTexts,
      pages,
      fetch,
      findCertificate: (ctx) => certificateOf(ctx.req),
      pairwiseSecret: options.pairwiseSecret,
      limitClientAuthentication: clientAuthenticationLimit(),
      findPerson: createPersonFinder(db, limits),
      questions: createQuestions(db, limits),
      stepUp: {
        policies,
        isRemembered: async (ctx, accountId) =>
          (await findRemembered(
            db,
            accountId,
            rememberedCookie.read(ctx as unknown as Koa.Context),
          )) !== undefined,
      },
    })
    listenToEngine(provider, { db, pages, observer: metrics })
    addExtensionGrants(provider, {
      issuer: config.issuer,
      db,
      pool,
      clients,
      keys: keys.published,
      fetch,
      findCertificate: (ctx) => certificateOf(ctx.req),
      checkPassword,
      policies,
      onSignIn: metrics.signIn,
    })
    return {
      provider,
      keySet: keySetDocument(keys.published, config.jwksMaxAgeSeconds),
      tokens: createTokenReader({
        issuer: config.issuer,
        pool: reads,
        clients,
        keys: keys.published,
      }),
      introspectStructured: createStructuredIntrospection({
        issuer: config.issuer,
        reads,
        clients,
        keys: keys.published,
        pairwiseSecret: options.pairwiseSecret,
      }),
    }
  }

  /** The engine knows the types by heart, so new ones mean a new engine. */
  async function renewTypes(): Promise<void> {
    const stored = await listAuthorizationTypes(db)
    if (isDeepStrictEqual(stored, authorizationTypes)) return
    authorizationTypes = stored
    detailTypes = compileTypes(stored)
    engine = createEngine()
  }

  /** By asker first: one stranger must not use up what a host's clients need. */
  async function limitDocuments(host: string): Promise<void> {
    const { address } = Provider.ctx?.state ?? {}
    if (address) await limits.consume('metadata-document-address', limitKeyAddress(address))
    await limits.consume('metadata-document-host', host)
  }

  function clientAuthenticationLimit() {
    const key = (clientId: string): [string, string] => [
      clientId,
      limitKeyAddress(Provider.ctx?.state.address ?? ''),
    ]
    return {
      check: (clientId: string) => limits.check('client-authentication', ...key(clientId)),
      count: (clientId: string) => limits.consume('client-authentication', ...key(clientId)),
    }
  }

  const protocol = createProtocol({
    config,
    pool,
    clients,
    engine: () => engine,
    pages,
    readForm: async (ctx) => Object.entries(await readForm(ctx)),
    browserOf: (ctx) => ({ name: () => csrf.browser(ctx), names: () => csrf.browsers(ctx) }),
    async keepRefusal(ctx, out) {
      if (!isWorthKeeping(out.error)) return undefined
      const kept = await limits.allows('refusal-address', limitKeyAddress(ctx.state.address))
      return kept ? keepRefusal({ db, clients }, ctx, out) : undefined
    },
    limitPublicPush: (ctx) => limits.consume('public-push', limitKeyAddress(ctx.state.address)),
    onLostRace: (ctx, grantId) => auditEndedGrant(db, ctx, grantId),
  })

  const koa = new Koa({ proxy: true })
  const door = { ...config, certificatePaths: [...Object.values(certificateEndpoints), '/api/'] }
  const probe = {
    take: (token: string) => takeProbe(pool, token),
    limit: (address: string) => limits.consume('probe-address', limitKeyAddress(address)),
  }
  for (const middleware of frontDoor({ config: door, views, logger, health, metrics, probe }))
    koa.use(middleware)
  koa.use(blocked.middleware)
  koa.use(async (ctx, next) => {
    if (keepingPaths.has(ctx.path)) {
      await limits.consume('authorize-address', limitKeyAddress(ctx.state.address))
    }
    if (ctx.path === '/oauth2/device') {
      await limits.consume('device-address', limitKeyAddress(ctx.state.address))
    }
    if (ctx.path === '/oauth2/authorize-challenge') {
      await limits.consume('challenge-address', limitKeyAddress(ctx.state.address))
    }
    await next()
  })
  koa.use(
    createRegistration({
      issuer: config.issuer,
      db,
      engineCheck,
      readJson,
      forget: clients.forget,
      limit: (ctx, name) => limits.consume(`client-${name}`, limitKeyAddress(ctx.state.address)),
    }),
  )
  koa.use(protectedResources({ config, clients }))
  koa.use(protocol)
  koa.use(pageRoutes(pagesDeps).routes())
  for (const middleware of registrationRoutes({ registration, views, limits, blocked }))
    koa.use(middleware)
  const bearer = createBearer({
    issuer: config.issuer,
    clients,
    limits,
    engine: () => engine,
    findCertificate: (ctx) => certificateOf(ctx.req),
  })
  for (const middleware of accountApiRoutes({ ...pagesDeps, bearer, checkPassword }))
    koa.use(middleware)
  for (const middleware of passwordResetRoutes({ ...pagesDeps, bearer, checkPassword }))
    koa.use(middleware)
  for (const middleware of adminApiRoutes({ ...pagesDeps, bearer, engineCheck }))
    koa.use(middleware)
  for (const middleware of serviceSettingsRoutes({ ...options, db, bearer })) koa.use(middleware)
  for (const middleware of accessRoutes({ issuer: config.issuer, bearer, evaluator }))
    koa.use(middleware)
  for (const middleware of openApiRoutes(config)) koa.use(middleware)
  // Faults have been answered already; what comes here is a connection that broke.
  koa.on('error', (error) => logger.warn({ err: error }, 'answer was not delivered'))

  return {
    koa,
    metrics,
    health,
    handlers: createHandlers({
      config,
      database,
      logger,
      mailer,
      keyring,
      views,
      limits,
      clients,
      fetch: outgoing.fetch,
      provider: () => engine.provider,
    }),
    async refresh(changed) {
      if (changed === 'blocks') {
        await blocked.reload()
      } else if (changed === 'keys') {
        keys = await loadSigningKeys(db, keyring)
        engine = createEngine()
      } else if (changed === 'roles') {
        roleTexts.forget()
        evaluator.forget()
      } else {
        clients.forget()
        policies.forget()
        breached.forget()
        providers.forget()
        if (changed === 'settings') call(await readBranding(db))
        await renewTypes()
      }
    },
  }
}
