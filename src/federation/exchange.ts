/**
 * Asking an upstream who somebody is, and judging the answer. openid-client checks state, nonce, PKCE, the issuer of the
 * answer (RFC 9207), of the token, its audience, times and signature; here stands what it leaves to us.
 */
import { createHash } from 'node:crypto'
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  fetchUserInfo,
  getJwksCache,
} from 'openid-client'
import { type Claims, type ProvenIdentity, toIdentity } from './claims.ts'
import { hasManyTenants, presets } from './presets.ts'
import type { Provider } from './providers.ts'
import type { UpstreamRequest } from './requests.ts'
import { UpstreamError, upstreamErrorOf } from './upstream-error.ts'
import type { Upstreams } from './upstreams.ts'

export function callbackPath(providerId: string): string {
  return `/sign-in/callback/${providerId}`
}

/** Where the browser goes. Throws `UpstreamError`. */
export async function authorizationUrl(
  upstreams: Upstreams,
  provider: Provider,
  request: Pick<UpstreamRequest, 'state' | 'nonce' | 'verifier' | 'fresh'>,
  { issuer, locale }: { issuer: string; locale?: string },
): Promise<string> {
  const preset = presets[provider.preset]
  const config = await upstreams.connect(provider)
  const parameters = {
    redirect_uri: issuer + callbackPath(provider.id),
    scope: provider.scope,
    state: request.state,
    nonce: request.nonce,
    code_challenge: await calculatePKCECodeChallenge(request.verifier),
    code_challenge_method: 'S256',
    ...(preset.responseMode === 'query' ? {} : { response_mode: preset.responseMode }),
    ...(request.fresh ? preset.fresh : {}),
    ...(locale && preset.locale ? { ui_locales: locale } : {}),
  }
  return buildAuthorizationUrl(config, parameters).href
}

/** Throws `UpstreamError`. `answer` is what came to the callback. */
export async function redeem(
  upstreams: Upstreams,
  provider: Provider,
  request: UpstreamRequest,
  { answer, issuer }: { answer: URLSearchParams; issuer: string },
): Promise<ProvenIdentity> {
  const config = await upstreams.connect(provider)
  try {
    const url = new URL(issuer + callbackPath(provider.id))
    url.search = String(answer)
    const tokens = await authorizationCodeGrant(config, url, {
      expectedState: request.state,
      expectedNonce: request.nonce,
      pkceCodeVerifier: request.verifier,
      idTokenExpected: true,
    })
    const { id_token: idToken, access_token: accessToken } = tokens
    const claims = tokens.claims() as Claims | undefined
    if (!idToken || !claims) throw new UpstreamError('upstream_invalid', 'no ID token')
    judge(provider, config, { claims, idToken, accessToken })
    judgeTime(provider, request, claims)
    const all = { ...(await moreClaims(provider, config, claims, accessToken)), ...claims }
    const keepsToken = config.serverMetadata().end_session_endpoint !== undefined
    return toIdentity(provider, all, {
      idToken: keepsToken ? idToken : undefined,
      user: answer.get('user'),
    })
  } catch (error) {
    throw upstreamErrorOf(error, [
      answer.get('code') ?? '',
      request.verifier,
      request.state,
      request.nonce,
    ])
  }
}

type Tokens = { claims: Claims; idToken: string; accessToken: string }

function judge(
  provider: Provider,
  config: Configuration,
  { claims, idToken, accessToken }: Tokens,
): void {
  const fail = (detail: string): never => {
    throw new UpstreamError('upstream_invalid', detail)
  }
  const { sub, azp, at_hash: atHash } = claims
  if (sub === '' || sub.length > 255 || !/^[\x20-\x7e]+$/.test(sub)) fail('sub is not usable')
  // OpenID Connect Core §3.1.3.7 (5), also where the audience is ours alone.
  if (azp !== undefined && azp !== provider.clientId) fail('azp is another client')
  const header = JSON.parse(Buffer.from(idToken.split('.')[0] ?? '', 'base64url').toString())
  if (atHash !== undefined && atHash !== hashOf(accessToken, header.alg)) {
    fail('at_hash is of another access token')
  }
  if (hasManyTenants(provider)) judgeTenant(provider, config, claims, header.kid, fail)
}

/** The left half of the hash that the signature uses (OpenID Connect Core §3.1.3.6). */
function hashOf(accessToken: string, alg: string): string {
  const bits = /(256|384|512)$/.exec(alg)?.[1] ?? '512'
  const hash = createHash(`sha${bits}`).update(accessToken, 'ascii').digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}

/**
 * An issuer for many tenants: the token's own issuer was compared with its `tid` put in place. Beyond that the tenant must
 * be one that is let in, and the key must be one that may speak for it.
 */
function judgeTenant(
  { tenants }: Provider,
  config: Configuration,
  { iss, tid }: Claims,
  kid: unknown,
  fail: (detail: string) => never,
): void {
  const tenant = String(tid)
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(tenant)) fail('tid is no tenant')
  if (tenants.length > 0 && !tenants.includes(tenant)) fail('its tenant is not let in')
  const keys = getJwksCache(config)?.jwks.keys ?? []
  const key = keys.find((known) => known.kid === kid) as { issuer?: unknown } | undefined
  const { issuer } = key ?? {}
  if (typeof issuer === 'string' && issuer.replace('{tenantid}', tenant) !== iss) {
    fail('its key is of another issuer')
  }
}

const skewMs = 60_000

/** A sign-in from memory is no proof that somebody is here now. */
function judgeTime(
  { preset }: Provider,
  { fresh, startedAt }: UpstreamRequest,
  { auth_time: at }: Claims,
): void {
  if (!fresh) return
  const unknown = at === undefined
  if (unknown && !presets[preset].tellsTime) return
  if (unknown || Number(at) * 1000 < startedAt - skewMs) {
    throw new UpstreamError('upstream_not_fresh', `auth_time is ${String(at)}`)
  }
}

/** Some put an address and a name at the userinfo endpoint alone. Its `sub` must be the token's (security AC-22). */
async function moreClaims(
  { scope }: Provider,
  config: Configuration,
  claims: Claims,
  accessToken: string,
): Promise<Record<string, unknown>> {
  const wanted = scope.split(' ').some((name) => name === 'email' || name === 'profile')
  const there = config.serverMetadata().userinfo_endpoint
  if (!there || !wanted || (claims.email !== undefined && claims.name !== undefined)) return {}
  return { ...(await fetchUserInfo(config, accessToken, claims.sub)) }
}
