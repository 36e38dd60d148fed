/**
 * The connection to each provider: what its discovery says, kept for an hour, and its keys (openid-client keeps those for
 * five minutes). Everything goes out through the guard, in a few seconds or not at all.
 */
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
} from 'openid-client'
import type { Keyring } from '../crypto.ts'
import type { OutgoingFetch } from '../outgoing/outgoing.ts'
import { createAppleSecret } from './apple-secret.ts'
import { createBreaker } from './breaker.ts'
import { hasManyTenants, presets } from './presets.ts'
import { openSecret, type Provider } from './providers.ts'
import { UpstreamError, upstreamErrorOf } from './upstream-error.ts'

const keptMs = 60 * 60_000
/** For how long what was read once serves when it cannot be read anew. */
const staleMs = 24 * 60 * 60_000
const timeoutSeconds = 5
const mostBytes = 256 * 1024

export type Upstreams = {
  /** Ready for requests. Throws `UpstreamError`. */
  connect(provider: Provider): Promise<Configuration>
  /** The guarded way out to this provider, for what openid-client does not do. */
  fetchFor(provider: Provider): OutgoingFetch
}

type Connection = {
  /** Settings that change make another connection. */
  version: number
  fetch: OutgoingFetch
  config?: Promise<Configuration>
  readAt: number
  /** The last that worked. */
  last?: { config: Configuration; at: number }
}

export function createUpstreams(deps: { fetch: OutgoingFetch; keyring: Keyring }): Upstreams {
  const connections = new Map<string, Connection>()
  return { connect, fetchFor: (provider) => connectionOf(provider).fetch }

  function connectionOf(provider: Provider): Connection {
    const version = provider.updatedAt.getTime()
    const known = connections.get(provider.id)
    if (known?.version === version) return known
    const breaker = createBreaker(deps.fetch)
    const fetch: OutgoingFetch = (url, request) =>
      breaker(url, { timeoutMs: timeoutSeconds * 1000, maxBytes: mostBytes, ...request })
    const connection = { version, fetch, readAt: 0 }
    connections.set(provider.id, connection)
    return connection
  }

  async function connect(provider: Provider): Promise<Configuration> {
    const connection = connectionOf(provider)
    if (!connection.config || Date.now() - connection.readAt > keptMs) {
      connection.readAt = Date.now()
      const reading = discover(provider, connection.fetch)
      connection.config = reading
      reading.then(
        (config) => {
          connection.last = { config, at: Date.now() }
        },
        () => {
          if (connection.config === reading) delete connection.config
        },
      )
    }
    try {
      return await connection.config
    } catch (error) {
      const { last } = connection
      if (last && Date.now() - last.at < staleMs) return last.config
      throw upstreamErrorOf(error)
    }
  }

  async function discover(provider: Provider, fetch: OutgoingFetch): Promise<Configuration> {
    const { issuer, clientId } = provider
    const config = await discovery(
      new URL(issuer),
      clientId,
      undefined,
      // Which way it takes its clients' secrets is known afterwards.
      (as, client, body, headers) => authenticate(provider, as)(as, client, body, headers),
      {
        // The guard judges: plain http reaches what ALLOW_PRIVATE_TARGETS names, and nothing else.
        execute: [allowInsecureRequests, enableNonRepudiationChecks],
        timeout: timeoutSeconds,
        [customFetch]: (url, { method, headers, body }) =>
          fetch(url, { method, headers, body: body == null ? undefined : String(body) }),
      },
    )
    assertUsable(provider, config)
    return config
  }

  function authenticate(
    provider: Provider,
    as: { token_endpoint_auth_methods_supported?: string[] },
  ): ClientAuth {
    const secret = openSecret(deps.keyring, provider) ?? ''
    if (presets[provider.preset].secret === 'apple-key') return appleAuth(provider, secret)
    const methods = as.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    return methods.includes('client_secret_basic') || !methods.includes('client_secret_post')
      ? ClientSecretBasic(secret)
      : ClientSecretPost(secret)
  }
}

function appleAuth(provider: Provider, privateKey: string): ClientAuth {
  return async (as, client, body) => {
    body.set('client_id', client.client_id)
    body.set(
      'client_secret',
      await createAppleSecret({
        teamId: provider.appleTeamId ?? '',
        keyId: provider.appleKeyId ?? '',
        clientId: provider.clientId,
        issuer: as.issuer,
        privateKey,
      }),
    )
  }
}

/** What openid-client leaves open: where browsers are sent, and the issuer letter by letter. */
function assertUsable(provider: Provider, config: Configuration): void {
  const metadata = config.serverMetadata()
  const { issuer } = metadata
  if (!hasManyTenants(provider) && issuer !== provider.issuer) {
    throw new UpstreamError('upstream_invalid', `its discovery calls it ${issuer}`)
  }
  const ways = [metadata.authorization_endpoint ?? '', metadata.end_session_endpoint]
  for (const address of ways) {
    if (address === undefined) continue
    const protocol = URL.parse(address)?.protocol
    const asInsecure = protocol === 'http:' && provider.issuer.startsWith('http:')
    if (protocol !== 'https:' && !asInsecure) {
      throw new UpstreamError('upstream_invalid', 'it sends browsers to what is no https address')
    }
  }
  for (const name of ['token_endpoint', 'jwks_uri'] as const) {
    if (!metadata[name]) throw new UpstreamError('upstream_invalid', `its discovery has no ${name}`)
  }
}
