/**
 * The keys that sign what we issue: the same in every process, private parts sealed at rest. Which of them signs is
 * the order of the set, since the engine takes the first that fits; how that changes is key-rotation.ts.
 */
import { createPublicKey, generateKeyPair, type JsonWebKey } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, type JSONWebKeySet } from 'jose'
import { sql } from 'kysely'
import { type Actor, record } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { Tables } from '../database/tables.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'

export type SigningAlgorithm = Tables['signingKeys']['alg']
export type KeyState = Tables['signingKeys']['state']

/** RS256 is what OpenID Connect Core §15.1 has every app understand; ES256 signs our own access tokens. */
export const signingAlgorithms: readonly SigningAlgorithm[] = ['RS256', 'ES256', 'EdDSA']

export type PublicKey = JsonWebKey & { kid: string; alg: string; use: 'sig' }
/** With its private members. */
export type SigningKey = PublicKey

export type SigningKeySet = {
  /** For the engine: of each algorithm the first signs, the others verify. */
  keys: SigningKey[]
  /** For everybody: whatever may have signed a token that is alive, or will sign soon. */
  published: JSONWebKeySet & { keys: PublicKey[] }
  /** Since when the current keys sign, by algorithm. */
  signingSince: Partial<Record<SigningAlgorithm, Date>>
}

/** Its message is for whoever set SECRET_KEY. */
export class SecretKeyError extends Error {
  constructor(cause: unknown) {
    super(
      'SECRET_KEY does not open the signing keys of this database: set the key they were made with ' +
        '(several may be given, newest first)',
      { cause },
    )
    this.name = 'SecretKeyError'
  }
}

/** Current ones first: an app that takes the first it finds has a chance to be right. */
export const stateRank = sql`array_position(array['current', 'next', 'previous', 'retired'], state)`
export const algorithmRank = sql`array_position(${sql.val(signingAlgorithms)}::text[], alg)`

/**
 * Throws SecretKeyError when SECRET_KEY does not open one of them: making new ones silently would break every
 * token and app.
 */
export async function loadSigningKeys(db: Db, keyring: Keyring): Promise<SigningKeySet> {
  const rows = await db
    .selectFrom('signingKeys')
    .select(['kid', 'alg', 'state', 'privateJwkSealed', 'createdAt', 'activatedAt'])
    .orderBy(stateRank)
    .orderBy(algorithmRank)
    .orderBy('createdAt', 'desc')
    .orderBy('kid')
    .execute()
  const opened = rows.map((row) => ({ ...row, key: open(keyring, row.kid, row.privateJwkSealed) }))
  return {
    keys: opened.map(({ key }) => key),
    published: {
      keys: opened.filter(({ state }) => state !== 'retired').map(({ key }) => publicPart(key)),
    },
    signingSince: Object.fromEntries(
      rows
        .filter(({ state }) => state === 'current')
        .map(({ alg, activatedAt, createdAt }) => [alg, activatedAt ?? createdAt]),
    ),
  }
}

/**
 * Makes whatever is missing: of each algorithm a key that signs, and one that stands by. Many processes may do so at
 * once, and all end up with the same. Throws SecretKeyError.
 */
export async function ensureSigningKeys(db: Db, keyring: Keyring): Promise<void> {
  const missing = await listMissing(db)
  if (missing.length === 0) return
  const made = await Promise.all(
    missing.map(async (place) => ({ ...place, key: await createKey(place.alg) })),
  )
  await changeSigningKeys(db, keyring, async (trx) => {
    const still = await listMissing(trx)
    for (const { key, alg, state } of made) {
      if (still.some((place) => place.alg === alg && place.state === state))
        await insertKey(trx, keyring, key, state)
    }
  })
}

/**
 * One change at a time, over all processes; nobody waits to read. Throws SecretKeyError and changes nothing when
 * SECRET_KEY does not open what is there: what it sealed, no other process could open.
 */
export function changeSigningKeys<T>(
  db: Db,
  keyring: Keyring,
  work: (trx: Db) => Promise<T>,
): Promise<T> {
  return transact(db, async (trx) => {
    await sql`lock table signing_keys in share row exclusive mode`.execute(trx)
    await loadSigningKeys(trx, keyring)
    return work(trx)
  })
}

/** Inside changeSigningKeys. A key is published from now on; only the first of its algorithm signs at once. */
export async function insertKey(
  trx: Db,
  keyring: Keyring,
  key: SigningKey,
  state: 'current' | 'next',
  actor?: Actor,
): Promise<void> {
  await trx
    .insertInto('signingKeys')
    .values({
      kid: key.kid,
      alg: key.alg as SigningAlgorithm,
      state,
      publicJwk: JSON.stringify(publicPart(key)),
      privateJwkSealed: keyring.seal('signing-key', key.kid, JSON.stringify(key)),
      activatedAt: state === 'current' ? sql<Date>`now()` : null,
    })
    .execute()
  await announce(trx, 'signing_key.published', key, actor)
}

/** Every process loads the keys anew, and the audit trail says why. */
export async function announce(
  trx: Db,
  type: `signing_key.${'published' | 'promoted' | 'retired' | 'discarded'}`,
  { kid, alg }: { kid: string; alg: string },
  actor: Actor = { kind: 'system' },
): Promise<void> {
  await bumpVersion(trx, 'keys')
  await record(trx, { type, actor, detail: { kid, alg } })
}

export async function createKey(alg: SigningAlgorithm): Promise<SigningKey> {
  for (;;) {
    const { privateKey } = await generate[alg]()
    const jwk = privateKey.export({ format: 'jwk' })
    const kid = await calculateJwkThumbprint(jwk as Parameters<typeof calculateJwkThumbprint>[0])
    // It is typed after a command, where a hyphen in front would read as an option.
    if (!kid.startsWith('-')) return { ...jwk, kid, alg, use: 'sig' }
  }
}

/** Never a private member: the public key is derived anew and not by leaving fields out. */
export function publicPart(key: SigningKey): PublicKey {
  const jwk = createPublicKey({ key, format: 'jwk' }).export({ format: 'jwk' })
  return { ...jwk, kid: key.kid, alg: key.alg, use: 'sig' }
}

const makePair = promisify(generateKeyPair)
const generate = {
  RS256: () => makePair('rsa', { modulusLength: 2048 }),
  ES256: () => makePair('ec', { namedCurve: 'P-256' }),
  EdDSA: () => makePair('ed25519'),
}

async function listMissing(db: Db) {
  const rows = await db
    .selectFrom('signingKeys')
    .select(['alg', 'state'])
    .where('state', 'in', ['current', 'next'])
    .execute()
  return signingAlgorithms
    .flatMap((alg) => [
      { alg, state: 'current' as const },
      { alg, state: 'next' as const },
    ])
    .filter(({ alg, state }) => !rows.some((row) => row.alg === alg && row.state === state))
}

function open(keyring: Keyring, kid: string, sealed: Buffer): SigningKey {
  try {
    return JSON.parse(keyring.open('signing-key', kid, sealed).toString()) as SigningKey
  } catch (cause) {
    throw new SecretKeyError(cause)
  }
}
