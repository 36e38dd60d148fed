/** How long everything lives, in seconds. A grant never dies before its tokens. */
import type { Configuration } from 'oidc-provider'

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
  grant: 400 * day,
  /** No setting lets a signed token live longer; a signing key stays published for as long after its last. */
  longestToken: 1 * day,
}

type ForApi = { resourceServer?: { accessTokenTTL?: number } }

export const timesToLive: Configuration['ttl'] = {
  AccessToken: (_ctx, token) =>
    (token as ForApi).resourceServer?.accessTokenTTL ?? lifetimes.accessToken,
  AuthorizationCode: lifetimes.authorizationCode,
  ClientCredentials: (_ctx, token) =>
    (token as ForApi).resourceServer?.accessTokenTTL ?? 10 * minute,
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
}
