/**
 * The keys that sign what we issue: one current key per algorithm, the same in every process, private parts
 * sealed at rest. Which key signs is the order of the set: the engine takes the first that fits.
 */
import { createPublicKey, generateKeyPair, type JsonWebKey } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint } from 'jose'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'

export type SigningAlgorithm = 'RS256' | 'ES256'

/** RS256 is what OpenID Connect Core §15.1 has every app understand; ES256 signs our own access tokens. */
export const signingAlgorithms: readonly SigningAlgorithm[] = ['RS256', 'ES256']

export type SigningKey = JsonWebKey & { kid: string; alg: string; use: 'sig' }

const generate = promisify(generateKeyPair)

/** Makes whatever current key is missing. Many processes may do so at once: one key per algorithm stands. */
export async function ensureSigningKeys(db: Db, keyring: Keyring): Promise<void> {
  const present = await db
    .selectFrom('signingKeys')
    .select('alg')
    .where('state', '=', 'current')
    .execute()
  const missing = signingAlgorithms.filter((alg) => !present.some((key) => key.alg === alg))
  for (const alg of missing) {
    const key = await createKey(alg)
    await transact(db, async (trx) => {
      const made = await trx
        .insertInto('signingKeys')
        .values({
          kid: key.kid,
          alg,
          state: 'current',
          publicJwk: JSON.stringify(publicPart(key)),
          privateJwkSealed: keyring.seal('signing-key', key.kid, JSON.stringify(key)),
          activatedAt: new Date(),
          retiredAt: null,
        })
        .onConflict((conflict) => conflict.doNothing())
        .returning('kid')
        .executeTakeFirst()
      if (made) await bumpVersion(trx, 'keys')
    })
  }
}

/**
 * Every published key with its private part, the current ones first. Throws in words when SECRET_KEY does
 * not open them: making new ones silently would break every token and app.
 */
export async function loadSigningKeys(db: Db, keyring: Keyring): Promise<SigningKey[]> {
  const rows = await db
    .selectFrom('signingKeys')
    .select(['kid', 'alg', 'state', 'privateJwkSealed'])
    .orderBy('createdAt', 'desc')
    .execute()
  const rank = { current: 0, next: 1, previous: 2 }
  rows.sort(
    (a, b) =>
      rank[a.state] - rank[b.state] ||
      signingAlgorithms.indexOf(a.alg as SigningAlgorithm) -
        signingAlgorithms.indexOf(b.alg as SigningAlgorithm),
  )
  return rows.map((row) => {
    try {
      const opened = keyring.open('signing-key', row.kid, row.privateJwkSealed)
      return JSON.parse(opened.toString()) as SigningKey
    } catch (cause) {
      throw new Error(
        'SECRET_KEY does not open the signing keys of this database: set the key they were made with ' +
          '(several may be given, newest first)',
        { cause },
      )
    }
  })
}

async function createKey(alg: SigningAlgorithm): Promise<SigningKey> {
  const { privateKey } =
    alg === 'RS256'
      ? await generate('rsa', { modulusLength: 2048 })
      : await generate('ec', { namedCurve: 'P-256' })
  const jwk = privateKey.export({ format: 'jwk' })
  const kid = await calculateJwkThumbprint(jwk as Parameters<typeof calculateJwkThumbprint>[0])
  return { ...jwk, kid, alg, use: 'sig' }
}

/** Never a private member: the public key is derived anew and not by leaving fields out. */
export function publicPart(key: SigningKey): JsonWebKey & { kid: string; alg: string; use: 'sig' } {
  const jwk = createPublicKey({ key, format: 'jwk' }).export({ format: 'jwk' })
  return { ...jwk, kid: key.kid, alg: key.alg, use: 'sig' }
}
