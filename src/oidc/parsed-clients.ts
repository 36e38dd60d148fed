/**
 * An app as the engine understands it, kept as long as our memory keeps the app (client-cache.ts). By itself the
 * engine writes an app out as JSON and hashes it for each request, to look it up among the last hundred.
 */
import type { Client, Provider } from 'oidc-provider'
import type { StoredClient } from '../clients/clients.ts'
import type { ClientCache } from './client-cache.ts'

type Finder = { find(id: unknown): Promise<Client | undefined> }

export function keepParsedClients(provider: Provider, clients: ClientCache): void {
  const model = provider.Client as unknown as Finder
  const parse = model.find
  const parsed = new WeakMap<StoredClient, Promise<Client | undefined>>()

  model.find = async function find(id) {
    const stored = typeof id === 'string' ? await clients.client(id) : undefined
    if (!stored) return parse.call(this, id)
    const known = parsed.get(stored)
    if (known) return known
    const parsing = parse.call(this, id)
    parsed.set(stored, parsing)
    // What went wrong once, for want of a database, is tried again.
    parsing.catch(() => parsed.delete(stored))
    return parsing
  }
}
