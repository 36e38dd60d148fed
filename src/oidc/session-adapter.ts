/**
 * Sessions for the engine: one row per browser, keyed by `uid`, whose id changes at each sign-in. Two tabs
 * at once both succeed: what a request changed is merged, the id before a change stays usable for a minute,
 * and a tab that comes second is given the id of the first.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { Provider } from 'oidc-provider'
import type { Origin } from '../audit/audit.ts'
import { sha256 } from '../crypto.ts'
import type { Row } from '../sessions/artefacts.ts'
import { type Queryable, read } from '../sessions/reads.ts'
import type { Flushed } from '../sessions/writes.ts'
import { type Payload, toPayload, toRow } from './records.ts'
import { joinedRead, type LoadedSession, type UnitOfWork, unitOfWork } from './unit-of-work.ts'

/** An unchanged session is written again only when its end moves by this much. */
const slideSeconds = 3600

export function sessionAdapter(reads: Queryable) {
  return {
    async find(id: string): Promise<Payload | undefined> {
      const unit = unitOfWork()
      const { session } = await joinedRead(reads, unit)
      const currentId = session && currentIdOf(session, id)
      if (!session || !currentId) return undefined
      const payload = toPayload('Session', session, currentId)
      unit.session = remember(payload, id, currentId)
      return structuredClone(payload)
    },

    /**
     * What the engine asks of a token that ends with its session. It compares the session's newest grant for
     * the client with the token's; two tabs may have made two, and a token lives as long as its own.
     */
    async findByUid(uid: string): Promise<Payload | undefined> {
      const unit = unitOfWork()
      const joined = (await unit.found)?.session
      const row = joined?.uid === uid ? joined : (await read(reads, 'session', [uid])).session
      if (!row) return undefined
      const payload = toPayload('Session', row)
      const authorizations = { ...(payload.authorizations as Authorizations | undefined) }
      if (unit.boundTo) {
        const { clientId, grantId } = unit.boundTo
        authorizations[clientId] = { ...authorizations[clientId], grantId }
      }
      return { ...payload, authorizations }
    },

    async upsert(_id: string, payload: Payload): Promise<void> {
      saveSession(unitOfWork(), payload)
    },

    async destroy(id: string): Promise<void> {
      const unit = unitOfWork()
      // A new id is announced by destroying the old one; our row stays and changes its id when it is saved.
      const session = Provider.ctx?.oidc.session as { oldId?: string } | undefined
      if (session?.oldId === id) return
      // A session ends with all that hangs on it, once the engine says that it did (events.ts).
      unit.writes.delete('Session')
    },
  }
}

type Authorizations = Record<string, Record<string, unknown>>

function remember(payload: Payload, presentedId: string, currentId: string): LoadedSession {
  return {
    uid: payload.uid as string,
    presentedId,
    currentId,
    authorizations: (payload.authorizations ?? {}) as Authorizations,
    payload,
  }
}

function saveSession(unit: UnitOfWork, payload: Payload): void {
  const loaded = unit.session
  if (!loaded || loaded.uid !== payload.uid) {
    const row = toRow('Session', payload.uid as string, payload)
    const idHash = sha256(payload.jti as string)
    unit.writes.set('Session', {
      kind: 'insert',
      into: 'sessions',
      row: { ...row, ...seen(), id_hash: idHash },
    })
    return
  }
  loaded.nextId = payload.jti as string
  const rotated = loaded.nextId !== loaded.currentId
  if (!rotated && isUnchanged(loaded.payload, payload)) {
    unit.writes.delete('Session')
    return
  }
  const row = toRow('Session', loaded.uid, payload)
  const { authorizations, created_at: _, uid, ...columns } = row
  const next = (authorizations ?? {}) as Authorizations
  unit.writes.set('Session', {
    kind: 'saveSession',
    save: {
      uid: uid as string,
      row: { ...columns, ...seen() },
      ...difference(loaded.authorizations, next),
      // Whoever came with the id before a change is not the one to change it again.
      ...(rotated && loaded.presentedId === loaded.currentId ? { rotation: rotation(loaded) } : {}),
    },
  })
}

/** What the person is shown of this browser. */
function seen(): Row {
  const { address, userAgent } = (Provider.ctx?.state.origin ?? {}) as Origin
  return {
    address: address && isIP(address) ? address : null,
    user_agent: userAgent?.slice(0, 256) ?? null,
    seen_at: new Date(),
  }
}

function rotation(loaded: LoadedSession) {
  const to = loaded.nextId as string
  return { from: sha256(loaded.currentId), to: sha256(to), sealed: sealId(loaded.currentId, to) }
}

/**
 * The id that the browser must hold after this request, where it is another one than the engine set:
 * null when it must hold none, because the session is gone.
 */
export function settledId(
  unit: UnitOfWork,
  flushed: Flushed['session'],
): { set: string; settled: string | null } | undefined {
  const loaded = unit.session
  const set = loaded?.nextId
  if (!loaded || !set) return undefined
  if (loaded.presentedId !== loaded.currentId) return { set, settled: loaded.currentId }
  if (set === loaded.currentId) return undefined
  if (!flushed) return { set, settled: null }
  if (flushed.idHash.equals(sha256(set))) return undefined
  const settled = flushed.idSealed && openId(loaded.currentId, flushed.idSealed)
  return { set, settled: settled ?? null }
}

/** What was added or changed, and what was taken away. */
function difference(before: Authorizations, after: Authorizations) {
  const changed = Object.fromEntries(
    Object.entries(after).filter(([id, value]) => !isDeepStrictEqual(value, before[id])),
  )
  return { changed, removed: Object.keys(before).filter((id) => !Object.hasOwn(after, id)) }
}

/** But for its end, which moves with each use and is written once an hour. */
function isUnchanged(before: Payload, after: Payload): boolean {
  const moved = (after.exp as number) - (before.exp as number)
  return Math.abs(moved) < slideSeconds && isDeepStrictEqual(essence(after), essence(before))
}

/** All but its times and id, without what is undefined: jsonb has no word for it. */
function essence(payload: Payload): Payload {
  const { exp: _exp, iat: _iat, jti: _jti, kind: _kind, ...rest } = payload
  return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
}

function currentIdOf(row: Row, presented: string): string | undefined {
  if (sha256(presented).equals(row.id_hash as Buffer)) return presented
  return row.id_sealed ? openId(presented, row.id_sealed as Buffer) : undefined
}

const keyOf = (id: string) => Buffer.from(hkdfSync('sha256', id, '', 'idp session id', 32))

/** Only who holds the old id can read the new one from the row. */
function sealId(oldId: string, newId: string): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', keyOf(oldId), nonce)
  const body = Buffer.concat([cipher.update(newId), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body])
}

function openId(oldId: string, sealed: Buffer): string | undefined {
  const nonce = sealed.subarray(0, 12)
  const decipher = createDecipheriv('aes-256-gcm', keyOf(oldId), nonce, { authTagLength: 16 })
  decipher.setAuthTag(sealed.subarray(12, 28))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]).toString()
  } catch {
    return undefined
  }
}
