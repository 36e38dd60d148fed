/**
 * Fetches and keeps the documents of clients whose id is an address (draft-ietf-oauth-client-id-metadata-document).
 * Only from allowed hosts, through the guard, small, without redirects, once for all who ask at the same time; kept as
 * long as they say, within bounds, and asked for only so often, whoever asks.
 */

import type { ScopePolicy } from '../clients/access.ts'
import type { StoredClient } from '../clients/clients.ts'
import { clientOfDocument, parseDocumentUrl } from '../clients/document-client.ts'
import type { EngineCheck } from '../clients/metadata.ts'
import type { Db } from '../database/connection.ts'
import { OutgoingError } from '../outgoing/errors.ts'
import type { OutgoingFetch } from '../outgoing/outgoing.ts'
import type { Offers } from './offers.ts'

export type DocumentAnswer = { client: StoredClient } | { reason: string }

export type MetadataDocuments = {
  /** Undefined when this id is no address, or its host is not allowed: then nothing was fetched. */
  find(clientId: string, offers: Offers): Promise<DocumentAnswer | undefined>
}

type Options = {
  db: Db
  fetch: OutgoingFetch
  engineCheck: EngineCheck
  /** Counts a fetch from this host; throws 429 when there were too many. */
  limit(host: string): Promise<void>
}

type Fetched = { document: unknown } | { reason: string }
type Entry = {
  until: number
  fetched: Promise<Fetched>
  /** What came of it, for these offers: other scopes of the host make another client. */
  judged?: { offers: Offers; answer: Promise<DocumentAnswer> }
}

export const documentSeconds = { min: 60, max: 24 * 3600, refused: 30 }
const mostBytes = 10 * 1024
const mostEntries = 500

export function createMetadataDocuments({
  db,
  fetch,
  engineCheck,
  limit,
}: Options): MetadataDocuments {
  const entries = new Map<string, Entry>()

  return {
    async find(clientId, offers) {
      const url = parseDocumentUrl(clientId)
      const allowed = url && offers.metadataHosts.get(url.host)
      if (!url || !allowed) return undefined
      const entry = await entryOf(clientId, url.host)
      if (entry.judged?.offers !== offers) {
        const answer = judge(clientId, await entry.fetched, allowed)
        entry.judged = { offers, answer }
        // A database that was away for a moment is no judgement.
        answer.catch(() => delete entry.judged)
      }
      return entry.judged.answer
    },
  }

  async function entryOf(clientId: string, host: string): Promise<Entry> {
    const known = entries.get(clientId)
    if (known && known.until > Date.now()) return known
    const entry: Entry = { until: Number.POSITIVE_INFINITY, fetched: pending }
    entry.fetched = limit(host).then(() => load(clientId, entry, known))
    entries.delete(clientId)
    if (entries.size >= mostEntries) entries.delete(entries.keys().next().value as string)
    entries.set(clientId, entry)
    try {
      await entry.fetched
      return entry
    } catch (error) {
      // Too many are being fetched: what was known goes on, and whoever is new has to wait.
      if (entries.get(clientId) === entry) entries.delete(clientId)
      if (!known || 'reason' in (await known.fetched)) throw error
      entries.set(clientId, known)
      return known
    }
  }

  async function load(clientId: string, entry: Entry, before?: Entry): Promise<Fetched> {
    const { fetched, seconds, silent } = await ask(clientId)
    entry.until = Date.now() + seconds * 1000
    const old = silent ? await before?.fetched : undefined
    // A host that does not answer takes nothing back.
    return old && 'document' in old ? old : fetched
  }

  async function ask(
    clientId: string,
  ): Promise<{ fetched: Fetched; seconds: number; silent?: true }> {
    const refused = (reason: string) => ({ fetched: { reason }, seconds: documentSeconds.refused })
    try {
      const headers = { accept: 'application/json' }
      const response = await fetch(clientId, { headers, maxBytes: mostBytes })
      if (response.status >= 500) return { ...refused(`answers ${response.status}`), silent: true }
      if (response.status !== 200) return refused(`answers ${response.status} and not 200`)
      if (!isJson(response.headers)) return refused('is not served as JSON')
      const document: unknown = JSON.parse(await response.text())
      return { fetched: { document }, seconds: secondsOf(response.headers) }
    } catch (error) {
      if (error instanceof SyntaxError) return refused('is not JSON')
      if (!(error instanceof OutgoingError)) throw error
      const answer = refused(`cannot be fetched (${error.reason})`)
      return error.refused || error.reason === 'too-large' ? answer : { ...answer, silent: true }
    }
  }

  async function judge(
    id: string,
    fetched: Fetched,
    allowed: ScopePolicy,
  ): Promise<DocumentAnswer> {
    if ('reason' in fetched) return fetched
    const { document } = fetched
    const done = await clientOfDocument(db, { id, document, allowed }, engineCheck)
    return done.ok ? { client: done.client } : { reason: done.reason }
  }
}

/** Never awaited: it is replaced before anybody sees it. */
const pending = new Promise<Fetched>(() => {})

function isJson(headers: Headers): boolean {
  return /^application\/([a-z0-9.-]+\+)?json *(;|$)/i.test(headers.get('content-type') ?? '')
}

/** What the document says of itself (RFC 9111 §5.2), within our bounds. */
function secondsOf(headers: Headers): number {
  const control = headers.get('cache-control') ?? ''
  const { min, max } = documentSeconds
  if (/\bno-(store|cache)\b/i.test(control)) return min
  const said = /(?:^|[,\s])max-age\s*=\s*"?(\d{1,10})/i.exec(control)?.[1]
  return Math.min(max, Math.max(min, Number(said ?? 0)))
}
