/** For a key that leaked: nothing waits for anything, and what it signed is believed no more. */
import { sql } from 'kysely'
import type { Actor } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { type Keys, move } from './key-acts.ts'
import { listKeys } from './key-times.ts'
import {
  announce,
  changeSigningKeys,
  createKey,
  ensureSigningKeys,
  insertKey,
  type KeyState,
  type SigningAlgorithm,
  type SigningKey,
} from './signing-keys.ts'

export type Discarded = { kid: string; alg: SigningAlgorithm; state: KeyState; successor?: string }

/**
 * These keys leaked: they are gone at once, and what they signed is believed no more. The key that stands by takes
 * the place of a current one without waiting. Unknown ones are passed over. Throws SecretKeyError.
 */
export async function discardKeys(
  { db, keyring }: Keys,
  kids: string[],
  actor?: Actor,
): Promise<Discarded[]> {
  await ensureSigningKeys(db, keyring)
  const standbys = await makeStandbys(db, kids)
  const discarded = await changeSigningKeys(db, keyring, async (trx) => {
    const gone = await trx
      .deleteFrom('signingKeys')
      .where('kid', 'in', kids)
      .returning(['kid', 'alg', 'state'])
      .execute()
    for (const key of gone) {
      await announce(trx, 'signing_key.discarded', key, actor)
      if (key.state === 'current') await move(trx, 'promote', sql`alg = ${key.alg}`, actor)
    }
    // With both gone the new key signs at once, although nobody knows it yet: there is no better one.
    for (const standby of standbys) await fillPlace(trx, keyring, standby, actor)
    return Promise.all(gone.map((key) => withSuccessor(trx, key)))
  })
  await ensureSigningKeys(db, keyring)
  return discarded
}

/** For every algorithm that would lack a key that signs or stands by. */
async function makeStandbys(db: Db, kids: string[]): Promise<SigningKey[]> {
  const concerned = await db
    .selectFrom('signingKeys')
    .select('alg')
    .distinct()
    .where('kid', 'in', kids)
    .where('state', 'in', ['next', 'current'])
    .execute()
  return Promise.all(concerned.map(({ alg }) => createKey(alg)))
}

async function withSuccessor(trx: Db, key: Discarded): Promise<Discarded> {
  if (key.state !== 'current') return key
  const { kid } = await trx
    .selectFrom('signingKeys')
    .select('kid')
    .where('alg', '=', key.alg)
    .where('state', '=', 'current')
    .executeTakeFirstOrThrow()
  return { ...key, successor: kid }
}

async function fillPlace(
  trx: Db,
  keyring: Keyring,
  key: SigningKey,
  actor: Actor | undefined,
): Promise<void> {
  const held = await trx
    .selectFrom('signingKeys')
    .select('state')
    .where('alg', '=', key.alg as SigningAlgorithm)
    .execute()
  const vacant = (['current', 'next'] as const).find(
    (state) => !held.some((other) => other.state === state),
  )
  if (vacant) await insertKey(trx, keyring, key, vacant, actor)
}

/** The current keys of these algorithms leaked: each is discarded, and the key that stood by signs. */
export async function replaceLeaked(
  keys: Keys,
  algs: readonly SigningAlgorithm[],
  actor?: Actor,
): Promise<{ alg: SigningAlgorithm; kid: string; replaced: string }[]> {
  const current = (await listKeys(keys.db, keys.jwksMaxAgeSeconds)).filter(
    ({ state, alg }) => state === 'current' && algs.includes(alg),
  )
  const kids = current.map(({ kid }) => kid)
  const discarded = await discardKeys(keys, kids, actor)
  return discarded.map(({ alg, kid, successor = '' }) => ({ alg, kid: successor, replaced: kid }))
}
