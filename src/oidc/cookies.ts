/** Cookies of the protocol: `__Host-` for the session, `__Secure-` where a path is bound, plain on http loopback. */
import type { Configuration } from 'oidc-provider'

export function cookieNames(issuer: string) {
  const secure = issuer.startsWith('https:')
  return {
    session: secure ? '__Host-session' : 'session',
    interaction: secure ? '__Secure-flow' : 'flow',
    resume: secure ? '__Secure-resume' : 'resume',
  }
}

export function cookieOptions(
  issuer: string,
): Pick<NonNullable<Configuration['cookies']>, 'long' | 'short'> {
  const shared = {
    httpOnly: true,
    overwrite: true,
    // Lax: a redirect from an app must bring the cookie, a POST from elsewhere must not.
    sameSite: 'lax' as const,
    secure: issuer.startsWith('https:'),
    // The session's id is 256 random bits. A flow's stands in addresses: what binds it is the browser (adapter.ts).
    signed: false,
  }
  return { long: { ...shared, path: '/' }, short: shared }
}
