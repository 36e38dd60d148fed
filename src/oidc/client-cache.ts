/**
 * Registered apps and APIs in memory, so that no request pays for them. Whoever changes one raises the
 * version that every process looks at once a second; then everything here is forgotten and read anew.
 */

import { type Api, findApi } from '../clients/apis.ts'
import { findStoredClient, type StoredClient } from '../clients/clients.ts'
import type { Db } from '../database/connection.ts'
import type { MetadataDocuments } from './metadata-documents.ts'
import { type Offers, readOffers } from './offers.ts'

export type ClientCache = {
  /** Enabled clients only. */
  client(id: string): Promise<StoredClient | undefined>
  api(identifier: string): Promise<Api | undefined>
  /** Why the document at this address makes no client; undefined when there is another reason, or it does. */
  whyNot(id: string): Promise<string | undefined>
  /** What admins have opened. */
  offers(): Promise<Offers>
  forget(): void
}

/** Unknown ids are remembered too, apart: a flood of them costs one statement each and drives no app out. */
const mostEntries = 5000

/** `builtIn` are clients of ours that no row holds; `documents` gives those whose id is an address. */
export function createClientCache(
  db: Db,
  { builtIn = [], documents }: { builtIn?: StoredClient[]; documents?: MetadataDocuments } = {},
): ClientCache {
  const own = new Map(builtIn.map((client) => [client.id, client]))
  const clients = new Map<string, Promise<StoredClient | undefined>>()
  const apis = new Map<string, Promise<Api | undefined>>()
  const opened = new Map<string, Promise<Offers | undefined>>()
  let absent = new Set<string>()

  function remember<T>(
    entries: Map<string, Promise<T | undefined>>,
    key: string,
    load: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const known = entries.get(key)
    if (known) return known
    if (entries.size >= mostEntries) entries.delete(entries.keys().next().value as string)
    const loading = load()
    entries.set(key, loading)
    // A database that was away for a moment is not an unknown client.
    loading.catch(() => entries.delete(key))
    return loading
  }

  async function findEnabled(id: string): Promise<StoredClient | undefined> {
    const client = await findStoredClient(db, id)
    return client?.disabledAt ? undefined : client
  }

  const offers = () => remember(opened, '', () => readOffers(db)) as Promise<Offers>

  async function fromDocument(id: string) {
    return id.startsWith('https://') ? documents?.find(id, await offers()) : undefined
  }

  return {
    async client(id) {
      const known = own.get(id)
      const described = await fromDocument(id)
      if (described) return 'client' in described ? described.client : undefined
      // What cannot be an id is not remembered: a flood of long ones would fill the memory.
      if (known || !/^[A-Za-z0-9_-]{1,128}$/.test(id)) return known
      if (absent.has(id)) return undefined
      // What is forgotten meanwhile may be there by then.
      const unknown = absent
      const client = await remember(clients, id, () => findEnabled(id))
      if (client) return client
      clients.delete(id)
      if (unknown.size >= mostEntries) unknown.delete(unknown.values().next().value as string)
      unknown.add(id)
      return undefined
    },
    api: (identifier) => remember(apis, identifier, () => findApi(db, identifier)),
    offers,
    async whyNot(id) {
      const described = await fromDocument(id)
      return described && 'reason' in described ? described.reason : undefined
    },
    forget() {
      opened.clear()
      clients.clear()
      absent = new Set()
      apis.clear()
    },
  }
}
