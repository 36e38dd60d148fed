/** Keys on a table of their own for each test: any state, as old as a test needs them. */
import { sql } from 'kysely'
import { createKeyring, type Keyring } from '../../src/crypto.ts'
import type { Db } from '../../src/database/connection.ts'
import type { Keys } from '../../src/oidc/key-acts.ts'
import { maintainKeys, rotateKeys } from '../../src/oidc/key-rotation.ts'
import { keyTimes } from '../../src/oidc/key-times.ts'
import { ensureSigningKeys, type KeyState } from '../../src/oidc/signing-keys.ts'

export const maxAge = 3600
export const alg = 'ES256' as const

export function keysOf(db: Db, keyring: Keyring = createKeyring(['a secret for tests'])): Keys {
  return { db, keyring, jwksMaxAgeSeconds: maxAge }
}

/** Moves whatever happened to these keys into the past. */
export async function age(db: Db, seconds: number, kid?: string): Promise<void> {
  const by = sql`make_interval(secs => ${seconds})`
  await sql`update signing_keys set created_at = created_at - ${by}, activated_at = activated_at - ${by},
    stopped_at = stopped_at - ${by} where ${kid === undefined ? sql`true` : sql`kid = ${kid}`}`.execute(
    db,
  )
}

/** The states as they are, by kid, of one algorithm. */
export async function statesOf(db: Db, of: string = alg): Promise<Record<string, KeyState>> {
  const rows = await db
    .selectFrom('signingKeys')
    .select(['kid', 'state'])
    .where('alg', '=', of as typeof alg)
    .execute()
  return Object.fromEntries(rows.map(({ kid, state }) => [kid, state]))
}

/** From nothing to one ES256 key in every state; everything else is as at the first start. */
export async function oneOfEach(keys: Keys): Promise<Record<KeyState, string>> {
  const { db, keyring } = keys
  await db.deleteFrom('signingKeys').execute()
  await ensureSigningKeys(db, keyring)
  const first = await rotated(keys)
  await age(db, keyTimes.published + 1, first.replaced)
  await maintainKeys(keys)
  const second = await rotated(keys)
  const next = Object.entries(await statesOf(db)).find(([, state]) => state === 'next')
  return {
    retired: first.replaced,
    previous: second.replaced,
    current: second.kid,
    next: next?.[0] ?? '',
  }
}

/** Rotates ES256 once its next key is old enough. */
export async function rotated(keys: Keys): Promise<{ kid: string; replaced: string }> {
  await age(keys.db, maxAge + keyTimes.spread)
  const rotation = await rotateKeys(keys, [alg])
  if (!rotation.ok || !rotation.rotated[0]) throw new Error('the key did not rotate')
  return rotation.rotated[0]
}
