/**
 * Signing out at both sides. There: the upstream's end_session_endpoint with its ID token as the hint. Here: sessions that
 * came from the session which the upstream says has ended (OpenID Connect Back-Channel Logout 1.0).
 */
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose'
import { sql } from 'kysely'
import { buildEndSessionUrl } from 'openid-client'
import { type Origin, record } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import type { OutgoingFetch } from '../outgoing/outgoing.ts'
import { endSessions } from '../sessions/end-sessions.ts'
import { hasManyTenants } from './presets.ts'
import type { ProviderCache } from './provider-cache.ts'
import type { Provider } from './providers.ts'
import { UpstreamError } from './upstream-error.ts'
import { findUpstreamOf, spendIdToken } from './upstream-sessions.ts'
import type { Upstreams } from './upstreams.ts'

/** Where a session that has ended can be ended upstream too; undefined where it cannot. */
export async function upstreamToLeave(
  { db, providers }: { db: Db; providers: ProviderCache },
  sessionUid: string,
): Promise<Provider | undefined> {
  // Without providers nobody came from one, and the database need not be asked.
  if ((await providers.enabled()).length === 0) return undefined
  const found = await findUpstreamOf(db, sessionUid)
  return found && providers.find(found.providerId)
}

/** The address that ends it, once. Undefined when there is none, or when the upstream does not answer. */
export async function logoutUrl(
  deps: { db: Db; keyring: Keyring; providers: ProviderCache; upstreams: Upstreams },
  sessionUid: string,
): Promise<string | undefined> {
  const found = await findUpstreamOf(deps.db, sessionUid)
  const provider = found && (await deps.providers.find(found.providerId))
  if (!provider) return undefined
  const config = await deps.upstreams.connect(provider).catch(() => undefined)
  if (!config?.serverMetadata().end_session_endpoint) return undefined
  const idToken = await spendIdToken(deps, found.id)
  if (!idToken) return undefined
  return buildEndSessionUrl(config, { id_token_hint: idToken }).href
}

const event = 'http://schemas.openid.net/event/backchannel-logout'
const oldestSeconds = 5 * 60
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'EdDSA',
  'Ed25519',
]

/**
 * Ends the sessions that came from that one. A token that is sent again ends nothing that began after it, so that none has
 * to be remembered. Returns how many; throws `UpstreamError` for what is no logout token of theirs.
 */
export async function endByUpstream(
  { db, upstreams }: { db: Db; upstreams: Upstreams },
  provider: Provider,
  token: string,
  origin: Origin,
): Promise<number> {
  const fail = (detail: string): never => {
    throw new UpstreamError('upstream_invalid', detail)
  }
  if (token.length > 10_000) fail('the logout token is too long')
  if (hasManyTenants(provider)) fail('its issuer stands for many')
  const config = await upstreams.connect(provider)
  const keys = keysOf(upstreams, provider, config.serverMetadata().jwks_uri ?? '')
  const { payload } = await jwtVerify(token, keys, {
    issuer: provider.issuer,
    audience: provider.clientId,
    algorithms,
    requiredClaims: ['iat', 'jti'],
    maxTokenAge: oldestSeconds,
    clockTolerance: 30,
  }).catch((error: unknown) => {
    if (error instanceof errors.JOSEError) return fail(error.message)
    throw error
  })
  const { sub, sid, events, nonce, iat = 0 } = payload
  if (nonce !== undefined) fail('it is no logout token: it has a nonce')
  if (typeof events !== 'object' || events === null || !(event in events)) fail('no logout event')
  const subject = typeof sub === 'string' ? sub : null
  const session = typeof sid === 'string' ? sid : null
  if (subject === null && session === null) fail('it names nobody')
  return transact(db, async (trx) => {
    const { rows } = await sql<{ sessionUid: string | null; accountId: string }>`
      delete from upstream_sessions
      where provider_id = ${provider.id} and issuer = ${provider.issuer}
        and (${subject}::text is null or subject = ${subject})
        and (${session}::text is null or sid = ${session})
        and created_at <= to_timestamp(${iat + 1})
      returning session_uid, account_id`.execute(trx)
    let ended = 0
    for (const { sessionUid, accountId } of rows) {
      if (sessionUid === null) continue
      const { sessions, told } = await endSessions(trx, { uid: sessionUid }, { offline: 'stays' })
      if (sessions === 0) continue
      ended += sessions
      await record(trx, {
        type: 'session.ended',
        actor: { kind: 'system' },
        accountId,
        origin,
        detail: { providerId: provider.id, told },
      })
    }
    return ended
  })
}

type KeySet = ReturnType<typeof createRemoteJWKSet>
/** By the connection to a provider, which another setting replaces. */
const keySets = new WeakMap<OutgoingFetch, { uri: string; keys: KeySet }>()

/** Anybody may post here: whatever key a token names, the upstream is asked once in half a minute (security DS-11). */
function keysOf(upstreams: Upstreams, provider: Provider, uri: string): KeySet {
  const fetch = upstreams.fetchFor(provider)
  const known = keySets.get(fetch)
  if (known?.uri === uri) return known.keys
  const keys = createRemoteJWKSet(new URL(uri), {
    cooldownDuration: 30_000,
    [customFetch]: (url, { method, headers, signal }) => fetch(url, { method, headers, signal }),
  })
  keySets.set(fetch, { uri, keys })
  return keys
}
