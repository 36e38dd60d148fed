/**
 * One request, one unit of work: what was read is kept and not read again, what is to be written waits and
 * goes out as one statement before the response leaves. The store covers the engine's routes; our own
 * pages read and write for themselves (interactions.ts) with the same statements.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { sha256 } from '../crypto.ts'
import type { ArtefactName } from '../sessions/artefacts.ts'
import { type Found, type Queryable, read } from '../sessions/reads.ts'
import { type Flushed, flush, isGuard, type Write } from '../sessions/writes.ts'
import type { Payload } from './records.ts'

/** What had been spent already, when a guard did not hold. */
export type Lost = ArtefactName

export type UnitOfWork = {
  /** What the request presented, known before the engine asks; each a key of the joined read. */
  presented: { sessionId?: string; clientId?: string; interactionId?: string }
  /** The browser that asks; absent where none is known. */
  browser?: Browser
  /** `token` and so on: the last part of the path. */
  endpoint: string
  /** The rows of the one joined read, whichever came first. */
  found?: Promise<Found>
  /** Payloads by `Model:id`; undefined = looked for and absent. */
  known: Map<string, Promise<Payload | undefined>>
  /** By `Model:id`, so that a later save of the same thing replaces the earlier one. */
  writes: Map<string, Write>
  session?: LoadedSession
  /** What the token in hand was given for. */
  boundTo?: { clientId: string; grantId: string; accountId: string }
  /** The refresh in hand is a repetition: what followed it then follows it now. */
  successor?: string | undefined
}

/** A flow is bound to the browser that began it by more than its id, which stands in addresses (http/csrf.ts). */
export type Browser = {
  /** Sets the cookie where there is none, so it is asked when a flow begins and not before. */
  name(): string
  /** Every name that the browser has come with. */
  names(): string[]
}

/** The session as this request found it. */
export type LoadedSession = {
  uid: string
  /** As the cookie had it. */
  presentedId: string
  /** As the row has it: another one when the cookie held the id before a change. */
  currentId: string
  /** The id the engine gave it in this request. */
  nextId?: string
  authorizations: Record<string, Record<string, unknown>>
  /** As it was read, to tell whether a save changes anything. The engine has a copy of its own. */
  payload: Payload
}

const storage = new AsyncLocalStorage<UnitOfWork>()

/** Throws outside a request of ours: nothing may read or write the artefacts unseen. */
export function unitOfWork(): UnitOfWork {
  const unit = storage.getStore()
  if (!unit) throw new Error('the adapter was used outside a unit of work')
  return unit
}

export function createUnitOfWork(
  endpoint: string,
  presented: UnitOfWork['presented'] = {},
  browser?: Browser,
): UnitOfWork {
  return {
    presented,
    endpoint,
    ...(browser ? { browser } : {}),
    known: new Map(),
    writes: new Map(),
  }
}

export function runInUnitOfWork<T>(unit: UnitOfWork, work: () => Promise<T>): Promise<T> {
  return storage.run(unit, work)
}

/** Loads `key` at most once per request. */
export function once(
  unit: UnitOfWork,
  key: string,
  load: () => Promise<Payload | undefined>,
): Promise<Payload | undefined> {
  let payload = unit.known.get(key)
  if (!payload) {
    payload = load()
    unit.known.set(key, payload)
  }
  return payload
}

/** Session, interaction, account, consent and grant of this request, in one statement. */
export function joinedRead(db: Queryable, unit: UnitOfWork): Promise<Found> {
  const { sessionId, clientId, interactionId } = unit.presented
  unit.found ??= read(db, 'request', [
    sessionId ? sha256(sessionId) : null,
    clientId ?? null,
    interactionId ? sha256(interactionId) : null,
  ])
  return unit.found
}

/** PostgreSQL's serialization failure and deadlock: nothing was written, so the same statement may run again. */
const retryable = new Set(['40001', '40P01'])
const attempts = 3

/** Writes everything that waits. `lost` names what was spent before us; then nothing was written. */
export async function flushUnitOfWork(
  db: Queryable,
  unit: UnitOfWork,
): Promise<{ lost?: Lost; session?: Flushed['session'] }> {
  const writes = [...unit.writes.values()]
  unit.writes.clear()
  if (writes.length === 0) return {}
  const flushed = await withRetry(() => flush(db, writes))
  if (!flushed.ok) {
    const guard = writes.find(isGuard)
    if (!guard) return {}
    return { lost: guard.kind === 'spend' ? guard.from : guard.on }
  }
  return flushed.session ? { session: flushed.session } : {}
}

async function withRetry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === attempts || !retryable.has((error as { code?: string }).code ?? ''))
        throw error
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * attempt))
    }
  }
}
