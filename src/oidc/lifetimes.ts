/** How long everything lives, in seconds. A grant never dies before its tokens. */
import type { Client, Configuration, KoaContextWithOIDC } from 'oidc-provider'

const minute = 60
const day = 24 * 60 * minute

export const lifetimes = {
  accessToken: 60 * minute,
  authorizationCode: 1 * minute,
  deviceCode: 10 * minute,
  /** How long a person has for an app's question, and how long an app may give them. */
  question: 10 * minute,
  longestQuestion: 30 * minute,
  idToken: 60 * minute,
  interaction: 60 * minute,
  /** A session ends after two weeks without use, and a month after the sign-in at the latest. */
  sessionIdle: 14 * day,
  sessionTotal: 30 * day,
  anonymousSession: 60 * minute,
  /** A refresh token ends after a month without use, its whole family after a year. */
  refreshTokenIdle: 30 * day,
  refreshTokenTotal: 365 * day,
  grant: 400 * day,
  /** No setting lets a signed token live longer; a signing key stays published for as long after its last. */
  longestToken: 1 * day,
}

type ForApi = { resourceServer?: { accessTokenTTL?: number } }

/** Of what holds for the client and what holds for the API the shorter; neither said, what holds for all. */
function accessTokenSeconds(token: unknown, client: Client | undefined, usual: number): number {
  const forApi = (token as ForApi).resourceServer?.accessTokenTTL
  const forClient = secondsOf(client?.access_token_seconds)
  return Math.min(forApi ?? forClient ?? usual, forClient ?? Number.POSITIVE_INFINITY)
}

/** A refresh token's: no longer than it may lie unused, and never beyond the end of its family. */
export function refreshSeconds(
  client: Client | undefined,
  family: { totalLifetime(): number },
): number {
  const idle = secondsOf(client?.refresh_idle_seconds) ?? lifetimes.refreshTokenIdle
  const total = secondsOf(client?.refresh_total_seconds) ?? lifetimes.refreshTokenTotal
  return Math.max(1, Math.min(idle, total - family.totalLifetime()))
}

function secondsOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

export const timesToLive: Configuration['ttl'] = {
  AccessToken: (_ctx, token, client) => accessTokenSeconds(token, client, lifetimes.accessToken),
  AuthorizationCode: lifetimes.authorizationCode,
  BackchannelAuthenticationRequest: questionLifetime,
  DeviceCode: lifetimes.deviceCode,
  ClientCredentials: (_ctx, token, client) => accessTokenSeconds(token, client, 10 * minute),
  Grant: lifetimes.grant,
  IdToken: lifetimes.idToken,
  Interaction: lifetimes.interaction,
  RefreshToken: (_ctx, token, client) => refreshSeconds(client, token),
  Session: (_ctx, session) => {
    if (!session.accountId) return lifetimes.anonymousSession
    const age = Math.floor(Date.now() / 1000) - (session.loginTs ?? 0)
    return Math.max(1, Math.min(lifetimes.sessionIdle, lifetimes.sessionTotal - age))
  },
}

/** As the app asks, within reason (CIBA Core §7.1, `requested_expiry`). */
function questionLifetime(ctx: KoaContextWithOIDC): number {
  const asked = Number(ctx.oidc.params?.requested_expiry ?? lifetimes.question)
  return Math.min(asked, lifetimes.longestQuestion)
}
