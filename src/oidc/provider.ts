/**
 * The engine, configured: what is on, what is off, how long things live, and which of our functions answer
 * its questions. Building one costs less than a millisecond, so new signing keys mean a new provider.
 */
import {
  type Account,
  type AdapterFactory,
  type Client,
  type Configuration,
  type KoaContextWithOIDC,
  Provider,
} from 'oidc-provider'
import { secretMatches } from '../clients/clients.ts'
import type { Config } from '../config.ts'
import type { Keyring } from '../crypto.ts'
import { type Queryable, read } from '../sessions/reads.ts'
import { createAdapterFactory } from './adapter.ts'
import { accountClaims, claimsByScope, standardScopes } from './claims.ts'
import type { ClientCache } from './client-cache.ts'
import { clientExtras, clientMetadata } from './client-metadata.ts'
import { loadGrant } from './consent.ts'
import { cookieNames, cookieOptions } from './cookies.ts'
import { keepOfflineAccess } from './offline-access.ts'
import { createPrompts } from './prompts.ts'
import type { ProtocolPages } from './protocol-pages.ts'
import { deriveSuccessors } from './refresh-retry.ts'
import { detectReplaysByInsert } from './replay-detection.ts'
import { resourceIndicators } from './resources.ts'
import type { SigningKey } from './signing-keys.ts'
import { unitOfWork } from './unit-of-work.ts'

export type ProviderOptions = {
  config: Pick<Config, 'issuer' | 'jwksMaxAgeSeconds'>
  pool: Queryable
  keyring: Keyring
  keys: SigningKey[]
  clients: ClientCache
  pages: ProtocolPages
  /** Wrong secrets are counted per client and address; `check` throws 429 when there were too many. */
  limitClientAuthentication: {
    check(clientId: string): Promise<void>
    count(clientId: string): Promise<void>
  }
}

const minute = 60
const day = 24 * 60 * minute

export const lifetimes = {
  accessToken: 60 * minute,
  authorizationCode: 1 * minute,
  idToken: 60 * minute,
  interaction: 60 * minute,
  /** A session ends after two weeks without use, and a month after the sign-in at the latest. */
  sessionIdle: 14 * day,
  sessionTotal: 30 * day,
  anonymousSession: 60 * minute,
  /** A refresh token ends after a month without use, its whole family after a year. */
  refreshTokenIdle: 30 * day,
  refreshTokenTotal: 365 * day,
  /** A grant never dies before its tokens. */
  grant: 400 * day,
}

/** Throws when a client or key does not fit the configuration. */
export function createProvider(options: ProviderOptions): Provider {
  const { config, pool, keyring, clients } = options
  const storage = {
    pool,
    keyring,
    findClient: async (id: string) => {
      const client = await clients.client(id)
      return client && clientMetadata(client)
    },
  }
  const adapter = createAdapterFactory(storage) as unknown as AdapterFactory
  const provider = new Provider(config.issuer, configuration(options, adapter))

  // Secrets are stored as hashes, several during a rotation.
  const client = provider.Client.prototype as unknown as {
    compareClientSecret(this: Client, presented: string): Promise<boolean>
  }
  client.compareClientSecret = async function compareClientSecret(presented) {
    await options.limitClientAuthentication.check(this.clientId)
    const stored = await clients.client(this.clientId)
    const right = stored !== undefined && secretMatches(stored, presented)
    if (!right) await options.limitClientAuthentication.count(this.clientId)
    return right
  }
  deriveSuccessors(provider, Provider, keyring)
  detectReplaysByInsert(provider, pool)
  return provider
}

function configuration(options: ProviderOptions, adapter: AdapterFactory): Configuration {
  const { config, keys, pages, pool, clients } = options
  return {
    adapter,
    jwks: { keys: structuredClone(keys) },
    scopes: standardScopes,
    claims: claimsByScope,
    // Apps that read only the ID token find everything of the scope there.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    subjectTypes: ['public'],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    clientDefaults: { id_token_signed_response_alg: 'RS256', response_types: ['code'] },
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'ES256'],
      userinfoSigningAlgValues: ['RS256', 'ES256'],
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      requestObjectSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      introspectionSigningAlgValues: ['RS256', 'ES256'],
      authorizationSigningAlgValues: ['RS256', 'ES256'],
      dPoPSigningAlgValues: ['ES256', 'EdDSA', 'RS256', 'PS256'],
    },
    allowOmittingSingleRegisteredRedirectUri: false,
    acceptQueryParamAccessTokens: false,
    // Ids are 256 random bits already: a signature would add nothing but its cost.
    cookies: { names: cookieNames(config.issuer), ...cookieOptions(config.issuer) },
    clockTolerance: 5,
    discovery: {
      claim_types_supported: ['normal'],
      ui_locales_supported: ['en', 'zh-CN'],
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      revocation_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'none',
      ],
    },
    extraClientMetadata: clientExtras,
    extraParams: { scope: keepOfflineAccess },
    extraTokenClaims: (_ctx, token) =>
      token.kind === 'AccessToken' && token.aud ? { gid: token.grantId } : undefined,
    clientBasedCORS: (_ctx, origin, client) =>
      (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin),
    expiresWithSession: (_ctx, token) => !token.scopes.has('offline_access'),
    findAccount,
    loadExistingGrant: async (ctx) => loadGrant(ctx, (await unitOfWork().found) ?? {}),
    issueRefreshToken: (_ctx, client, token) =>
      client.grantTypeAllowed('refresh_token') && token.scopes.has('offline_access'),
    rotateRefreshToken: true,
    interactions: {
      policy: createPrompts(),
      url: (_ctx, interaction) => pages.interactionPath(interaction),
    },
    pkce: { required: (_ctx, client) => client.pkce_required !== false },
    renderError: pages.renderError,
    revokeGrantPolicy: (ctx) => ctx.oidc.route !== 'revocation' || !ctx.oidc.entities.AccessToken,
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      introspection: { enabled: true, allowedPolicy: mayIntrospect },
      pushedAuthorizationRequests: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      resourceIndicators: resourceIndicators(clients),
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: pages.logoutSource,
        postLogoutSuccessSource: pages.postLogoutSuccessSource,
      },
      userinfo: { enabled: true },
    },
    routes: {
      authorization: '/oauth2/authorize',
      backchannel_authentication: '/oauth2/bc-authorize',
      code_verification: '/device',
      device_authorization: '/oauth2/device',
      end_session: '/oauth2/logout',
      introspection: '/oauth2/introspect',
      jwks: '/oauth2/jwks',
      pushed_authorization_request: '/oauth2/par',
      registration: '/oauth2/register',
      revocation: '/oauth2/revoke',
      token: '/oauth2/token',
      userinfo: '/oauth2/userinfo',
    },
    ttl: {
      AccessToken: (_ctx, token) =>
        (token as { resourceServer?: { accessTokenTTL?: number } }).resourceServer
          ?.accessTokenTTL ?? lifetimes.accessToken,
      AuthorizationCode: lifetimes.authorizationCode,
      ClientCredentials: (_ctx, token) =>
        (token as { resourceServer?: { accessTokenTTL?: number } }).resourceServer
          ?.accessTokenTTL ?? 10 * minute,
      Grant: lifetimes.grant,
      IdToken: lifetimes.idToken,
      Interaction: lifetimes.interaction,
      RefreshToken: (_ctx, token) => {
        const left = lifetimes.refreshTokenTotal - token.totalLifetime()
        return Math.max(1, Math.min(lifetimes.refreshTokenIdle, left))
      },
      Session: (_ctx, session) => {
        if (!session.accountId) return lifetimes.anonymousSession
        const age = Math.floor(Date.now() / 1000) - (session.loginTs ?? 0)
        return Math.max(1, Math.min(lifetimes.sessionIdle, lifetimes.sessionTotal - age))
      },
    },
  }

  /** The person behind `sub`, while they may be here: suspended people fail on every use of a token. */
  async function findAccount(_ctx: KoaContextWithOIDC, sub: string): Promise<Account | undefined> {
    const joined = (await unitOfWork().found)?.account
    const account = joined?.id === sub ? joined : (await read(pool, 'account', [sub])).account
    if (!account) return undefined
    return {
      accountId: sub,
      claims: async () => ({ sub, ...accountClaims(account) }),
    }
  }
}

/** A token is shown to the client it was given to, and to nobody else here; see structured-tokens.ts for APIs. */
function mayIntrospect(
  _ctx: KoaContextWithOIDC,
  client: Client,
  token: { clientId?: string | undefined },
): boolean {
  return token.clientId === client.clientId
}
