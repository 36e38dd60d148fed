/**
 * Rotation: the key that stands by begins to sign, the one that signed only verifies, and leaves the key set when
 * what it signed has expired. By the schedule or by hand, from any number of processes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Actor } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { bumpVersion } from '../database/versions.ts'
import { ago, type Keys, move } from './key-acts.ts'
import { type KeyView, keyTimes, listKeys } from './key-times.ts'
import {
  changeSigningKeys,
  createKey,
  ensureSigningKeys,
  insertKey,
  type SigningAlgorithm,
  signingAlgorithms,
} from './signing-keys.ts'

export type Rotated = { alg: SigningAlgorithm; kid: string; replaced: string }
export type Rotation = { ok: true; rotated: Rotated[] } | { ok: false; waiting: KeyView[] }
export type Retirement =
  | { ok: true; already: boolean; key: KeyView }
  | { ok: false; reason: 'unknown' }
  | { ok: false; reason: 'stands-by' | 'signs' | 'alive'; key: KeyView }

/**
 * The key that stands by begins to sign, in all of these algorithms or in none. Refused while an app may hold a key
 * set without it, with the keys that wait and until when. Throws SecretKeyError.
 */
export async function rotateKeys(
  keys: Keys,
  algs: readonly SigningAlgorithm[],
  actor?: Actor,
): Promise<Rotation> {
  for (;;) {
    await ensureSigningKeys(keys.db, keys.keyring)
    const next = (await listKeys(keys.db, keys.jwksMaxAgeSeconds)).filter(
      ({ state, alg }) => state === 'next' && algs.includes(alg),
    )
    const waiting = next.filter(({ secondsLeft }) => secondsLeft > 0)
    if (waiting.length > 0) return { ok: false, waiting }
    // The first process has published it for long enough, the last perhaps not yet.
    await sleep(1000 * Math.max(0, ...next.map((key) => key.secondsLeft + keyTimes.spread)))
    const rotated = await replaceCurrent(keys, algs, undefined, actor)
    if (rotated.length > 0) return { ok: true, rotated }
  }
}

/** Does what is due and nothing else; any number of processes may ask at once. Throws SecretKeyError. */
export async function maintainKeys(keys: Keys): Promise<{ rotated: Rotated[]; retired: string[] }> {
  const { db, keyring } = keys
  await ensureSigningKeys(db, keyring)
  const due = await listReady(keys, db, signingAlgorithms, keyTimes.signs)
  const rotated = due.length > 0 ? await replaceCurrent(keys, due, keyTimes.signs) : []
  const retired = await changeSigningKeys(db, keyring, async (trx) => {
    const forgotten = await trx
      .deleteFrom('signingKeys')
      .where('state', '=', 'retired')
      .where('stoppedAt', '<=', ago(keyTimes.known))
      .returning('kid')
      .execute()
    if (forgotten.length > 0) await bumpVersion(trx, 'keys')
    return move(trx, 'retire', sql<boolean>`stopped_at <= ${ago(keyTimes.published)}`)
  })
  return { rotated, retired: retired.map(({ kid }) => kid) }
}

/** Takes a previous key out of the key set, unless something that it signed may be alive. */
export function retireKey(keys: Keys, kid: string, actor?: Actor): Promise<Retirement> {
  return changeSigningKeys(keys.db, keys.keyring, async (trx): Promise<Retirement> => {
    const key = (await listKeys(trx, keys.jwksMaxAgeSeconds)).find((known) => known.kid === kid)
    if (!key) return { ok: false, reason: 'unknown' }
    if (key.state === 'next') return { ok: false, reason: 'stands-by', key }
    if (key.state === 'current') return { ok: false, reason: 'signs', key }
    if (key.state === 'retired') return { ok: true, already: true, key }
    if (key.secondsLeft > 0) return { ok: false, reason: 'alive', key }
    await move(trx, 'retire', sql<boolean>`kid = ${kid}`, actor)
    return { ok: true, already: false, key }
  })
}

/** All of these algorithms or none; where it is given, only when the current keys have signed for so many seconds. */
async function replaceCurrent(
  keys: Keys,
  algs: readonly SigningAlgorithm[],
  signedFor: number | undefined,
  actor?: Actor,
): Promise<Rotated[]> {
  const standbys = await Promise.all(algs.map(createKey))
  return changeSigningKeys(keys.db, keys.keyring, async (trx) => {
    const ready = await listReady(keys, trx, algs, signedFor)
    if (ready.length < algs.length) return []
    const rotated: Rotated[] = []
    for (const standby of standbys) {
      const ofAlg = sql<boolean>`alg = ${standby.alg}`
      const [stopped] = await move(trx, 'stop', ofAlg)
      const [promoted] = await move(trx, 'promote', ofAlg, actor)
      if (!stopped || !promoted) throw new Error(`the ${standby.alg} keys changed under the lock`)
      await insertKey(trx, keys.keyring, standby, 'next', actor)
      rotated.push({ alg: promoted.alg, kid: promoted.kid, replaced: stopped.kid })
    }
    return rotated
  })
}

/** Of these algorithms, those whose next key every app knows and whose current one has signed that long. */
async function listReady(
  { jwksMaxAgeSeconds }: Keys,
  db: Db,
  algs: readonly SigningAlgorithm[],
  signedFor: number | undefined,
): Promise<SigningAlgorithm[]> {
  const ready = db
    .selectFrom('signingKeys as next')
    .innerJoin('signingKeys as current', 'current.alg', 'next.alg')
    .select('next.alg')
    .where('next.alg', 'in', algs)
    .where('next.state', '=', 'next')
    .where('next.createdAt', '<=', ago(jwksMaxAgeSeconds + keyTimes.spread))
    .where('current.state', '=', 'current')
  const rows = await ready
    .$if(signedFor !== undefined, (rows) =>
      rows.where('current.activatedAt', '<=', ago(signedFor ?? 0)),
    )
    .execute()
  return rows.map(({ alg }) => alg)
}
