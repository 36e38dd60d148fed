/**
 * What the engine is told: what is on, what is off, and which of our functions answer its questions. Its unsafe
 * defaults are closed here; an unknown key would be ignored silently, so the type is held to.
 */
import type { AdapterFactory, Client, Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { standardScopes } from '../clients/scopes.ts'
import type { Config } from '../config.ts'
import type { Keyring } from '../crypto.ts'
import { type Queryable, read } from '../sessions/reads.ts'
import { type DetailTypes, richAuthorizationRequests } from './authorization-details.ts'
import { ciba } from './ciba.ts'
import { accountClaims, claimsByScope } from './claims.ts'
import { judgeClaims } from './claims-parameter.ts'
import { assertClientAssertion } from './client-assertions.ts'
import type { ClientCache } from './client-cache.ts'
import { clientExtras } from './client-metadata.ts'
import { loadGrant } from './consent.ts'
import { cookieNames, cookieOptions } from './cookies.ts'
import { deviceFlow } from './device-flow.ts'
import { dpop, proofAlgorithms } from './dpop.ts'
import { isUnknownHere, type WithHeld } from './entry.ts'
import { timesToLive } from './lifetimes.ts'
import { type FindCertificate, mutualTls } from './mutual-tls.ts'
import { keepOfflineAccess } from './offline-access.ts'
import { isOriginOf } from './origins.ts'
import type { EngineFetch } from './outgoing-fetch.ts'
import { createPrompts } from './prompts.ts'
import type { ProtocolPages } from './protocol-pages.ts'
import type { PersonFinder, Questions } from './questions.ts'
import { rotateRefreshToken } from './refresh-policy.ts'
import { assertRequestObject } from './request-objects.ts'
import { resourceIndicators, servesApi } from './resources.ts'
import { groupsOf, noRoleTexts, type RoleTexts, rolesOf } from './role-claims.ts'
import type { SigningKey } from './signing-keys.ts'
import { demandSignIn, type StepUp, supportedLevels } from './step-up.ts'
import { pairwiseIdentifier, readsSector } from './subjects.ts'
import { extraTokenClaims } from './token-claims.ts'
import { unitOfWork } from './unit-of-work.ts'

export type ProviderOptions = {
  config: Pick<Config, 'issuer' | 'jwksMaxAgeSeconds'>
  pool: Queryable
  reads: Queryable
  keyring: Keyring
  keys: SigningKey[]
  clients: ClientCache
  /** What may be asked for in detail; nothing when absent. */
  authorizationTypes?: DetailTypes
  pages: ProtocolPages
  /** What roles allow; nothing when absent. */
  roleTexts?: RoleTexts
  /** Whom apps mean that ask by the backchannel. */
  findPerson: PersonFinder
  questions: Questions
  /** What is asked of people beside what their app asks; nothing when absent. */
  stepUp?: StepUp
  fetch: EngineFetch
  findCertificate: FindCertificate
  /** What pairwise subjects are derived from; the same for ever. */
  pairwiseSecret: Buffer
  /** Whether every client's `sector_identifier_uri` is read, as it is when one is made. */
  readsSectors?: boolean
  /** Wrong secrets are counted per client and address; `check` throws 429 when there were too many. */
  limitClientAuthentication: {
    check(clientId: string): Promise<void>
    count(clientId: string): Promise<void>
  }
}

/** What comes from an app's own addresses is never more than this, whoever asks for it. */
const fetchedBytes = 64 * 1024

export function configuration(options: ProviderOptions, adapter: AdapterFactory): Configuration {
  const { config, keys, pages, clients } = options
  const types = options.authorizationTypes ?? new Map()
  return {
    adapter,
    jwks: { keys: structuredClone(keys) },
    scopes: standardScopes,
    claims: claimsByScope,
    acrValues: supportedLevels,
    // Apps that read only the ID token find everything of the scope there.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    subjectTypes: ['public', 'pairwise'],
    pairwiseIdentifier: pairwiseIdentifier(options.pairwiseSecret),
    sectorIdentifierUriValidate: readsSector(options.readsSectors === true),
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
      'none',
    ],
    assertJwtClientAuthClaimsAndHeader: assertClientAssertion,
    clientDefaults: { id_token_signed_response_alg: 'RS256', response_types: ['code'] },
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
      userinfoSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      requestObjectSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      introspectionSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
      authorizationSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
      dPoPSigningAlgValues: [...proofAlgorithms],
    },
    allowOmittingSingleRegisteredRedirectUri: false,
    acceptQueryParamAccessTokens: false,
    cookies: { names: cookieNames(config.issuer), ...cookieOptions(config.issuer) },
    // FAPI 2.0 §5.3.2.1 asks for ten.
    clockTolerance: 10,
    discovery: {
      claim_types_supported: ['normal'],
      frontchannel_logout_supported: true,
      frontchannel_logout_session_supported: true,
      ui_locales_supported: ['en', 'zh-CN'],
    },
    extraClientMetadata: clientExtras,
    extraParams: { scope: keepOfflineAccess, claims: judgeClaims },
    extraTokenClaims,
    clientBasedCORS: (_ctx, origin, client) => isOriginOf(client, origin),
    expiresWithSession: (_ctx, token) => !token.scopes.has('offline_access'),
    fetch: options.fetch,
    fetchResponseBodyLimits: {
      'client_id metadata document': fetchedBytes,
      jwks_uri: fetchedBytes,
      sector_identifier_uri: fetchedBytes,
    },
    findAccount: accountFinder(options.reads, options.roleTexts ?? noRoleTexts),
    loadExistingGrant: async (ctx) => loadGrant(ctx, (await unitOfWork().found) ?? {}),
    issueRefreshToken: (_ctx, client, token) =>
      client.grantTypeAllowed('refresh_token') && token.scopes.has('offline_access'),
    rotateRefreshToken,
    interactions: {
      policy: createPrompts(options.stepUp),
      url: (_ctx, interaction) => pages.interactionPath(interaction),
    },
    pkce: { required: (_ctx, client) => client.pkce_required !== false || Boolean(client.profile) },
    renderError: pages.renderError,
    revokeGrantPolicy: revokesGrant,
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      ciba: ciba(options.findPerson, options.questions),
      claimsParameter: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: deviceFlow(pages),
      dPoP: dpop(options.keyring),
      fapi: { enabled: true, profile: (_ctx, client) => (client?.profile ? '2.0' : undefined) },
      introspection: { enabled: true, allowedPolicy: mayIntrospect },
      jwtIntrospection: { enabled: true },
      jwtResponseModes: { enabled: true },
      jwtUserinfo: { enabled: true },
      mTLS: mutualTls(options.findCertificate),
      pushedAuthorizationRequests: { enabled: true },
      requestObjects: { enabled: true, assertJwtClaimsAndHeader: assertRequestObject },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      resourceIndicators: resourceIndicators(clients, types),
      richAuthorizationRequests: richAuthorizationRequests(types),
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
    ttl: timesToLive,
  }
}

/** An access token that is revoked ends alone; what ends with its session is ended with it (end-sessions.ts). */
function revokesGrant({ oidc: { route, entities, params } }: KoaContextWithOIDC): boolean {
  if (route === 'end_session_confirm') return params?.logout === undefined
  return route !== 'revocation' || !entities.AccessToken
}

/** The person behind `sub`, while they may be here: suspended people fail on every use of a token. */
function accountFinder(reads: Queryable, texts: RoleTexts) {
  return async (ctx: KoaContextWithOIDC, sub: string): Promise<WithHeld | undefined> => {
    demandSignIn(ctx)
    // The `sub` of an ID token that serves as a hint may be a pairwise one, which is no account's id.
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(sub)) return undefined
    const joined = (await unitOfWork().found)?.account
    const clientId = ctx.oidc.client?.clientId
    const account =
      joined?.id === sub ? joined : (await read(reads, 'account', [sub, clientId ?? null])).account
    if (!account) return undefined
    const held = { roles: rolesOf(account), groups: groupsOf(account) }
    if (isUnknownHere(ctx, held)) return undefined
    return {
      accountId: sub,
      held,
      claims: async (_use, scope, claims = {}) => {
        const words = scope.split(' ')
        const wants = (claim: string) => words.includes(claim) || Object.hasOwn(claims, claim)
        return { sub, ...(await accountClaims(account, { clientId, texts, wants })) }
      },
    }
  }
}

/** A token is shown to the client it was given to or is for, and to services of its API; for JWTs see structured-tokens.ts. */
function mayIntrospect(
  ctx: KoaContextWithOIDC,
  client: Client,
  token: { clientId?: string | undefined; aud?: unknown },
): boolean {
  const own = token.clientId === client.clientId || token.aud === client.clientId
  return own || servesApi(client, token.aud, ctx.oidc.issuer)
}
