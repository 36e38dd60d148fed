/**
 * One engine with one key set. Building it costs less than a millisecond, so new signing keys mean a new
 * provider; what it leaves to us is put in place here.
 */
import { type AdapterFactory, type Client, errors, Provider } from 'oidc-provider'
import { type StoredClient, secretMatches } from '../clients/clients.ts'
import type { Row } from '../sessions/artefacts.ts'
import { createAdapterFactory } from './adapter.ts'
import { challengeGrant, fillRedirectUri } from './authorization-challenge.ts'
import { clientMetadata } from './client-metadata.ts'
import { configuration, type ProviderOptions } from './configuration.ts'
import { takeConfirmationsOfOurs } from './device-flow.ts'
import { letsIn } from './entry.ts'
import { takeOnlyIdTokens } from './id-token-hints.ts'
import { leaveLogoutToUs } from './logout.ts'
import { keepParsedClients } from './parsed-clients.ts'
import { deriveSuccessors } from './refresh-retry.ts'
import { detectReplaysByInsert } from './replay-detection.ts'
import { withoutForeignResources } from './resources.ts'
import { tellByNames } from './role-claims.ts'
import { nameUnauthorizedClients } from './unauthorized-client.ts'

/** Throws when a client or key does not fit the configuration. */
export function createProvider(options: ProviderOptions): Provider {
  const { config, pool, keyring, clients } = options
  const storage = {
    reads: options.reads,
    pool,
    keyring,
    letsIn: (clientId: unknown, account: Row | undefined) => letsIn(clients, clientId, account),
    findClient: async (id: string) => {
      const client = await clients.client(id)
      const reason = client ? undefined : await clients.whyNot(id)
      if (reason) throw new errors.InvalidClient(`the client_id metadata document ${reason}`)
      return client && clientMetadata(client, options.authorizationTypes)
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
    else leaveOutForeignResources(stored)
    return right
  }
  keepParsedClients(provider, clients)
  const grants = provider.Client.prototype as unknown as {
    grantTypeAllowed(this: Client, type: string): boolean
  }
  const { grantTypeAllowed } = grants
  grants.grantTypeAllowed = function allowed(type) {
    const { route, params } = Provider.ctx?.oidc ?? {}
    if (route === 'token') fillRedirectUri(this, params as Record<string, unknown> | undefined)
    return type === challengeGrant || grantTypeAllowed.call(this, type)
  }
  leaveLogoutToUs(provider)
  takeOnlyIdTokens(provider)
  takeConfirmationsOfOurs(provider)
  nameUnauthorizedClients(provider)
  deriveSuccessors(provider, Provider, keyring)
  detectReplaysByInsert(provider, pool)
  tellByNames(provider)
  return provider
}

/** The engine reads the body itself; this is the first moment after it at which the client is known. */
function leaveOutForeignResources(client: StoredClient): void {
  const params = Provider.ctx?.oidc.params as
    | { resource?: string | string[] | undefined }
    | undefined
  const own = withoutForeignResources(client, params?.resource)
  if (params && own) params.resource = own.length > 0 ? own : undefined
}
