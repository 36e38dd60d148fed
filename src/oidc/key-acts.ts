/**
 * How a signing key lives: next (published, signs nothing), current (signs), previous (what it signed is alive),
 * retired (out of the key set; still known at sign-out), gone. One stands by at all times: every app knows the key
 * that signs next, also on the day when one leaks. Times are the database's, so processes need not agree on any.
 */
import { type RawBuilder, sql } from 'kysely'
import type { Actor } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { announce, type KeyState, type SigningAlgorithm } from './signing-keys.ts'

export type Keys = { db: Db; keyring: Keyring; jwksMaxAgeSeconds: number }

/** Each act moves a key and stamps when. Whoever comes second finds none to move. */
export const acts = {
  promote: { from: 'next', to: 'current', stamp: 'activatedAt' },
  stop: { from: 'current', to: 'previous', stamp: 'stoppedAt' },
  retire: { from: 'previous', to: 'retired', stamp: 'retiredAt' },
} as const satisfies Record<string, { from: KeyState; to: KeyState; stamp: string }>

const events = { promote: 'signing_key.promoted', retire: 'signing_key.retired' } as const

/** Inside changeSigningKeys. */
export async function move(
  trx: Db,
  act: keyof typeof acts,
  which: RawBuilder<boolean>,
  actor?: Actor,
): Promise<{ kid: string; alg: SigningAlgorithm }[]> {
  const { from, to, stamp } = acts[act]
  const moved = await trx
    .updateTable('signingKeys')
    .set({ state: to, [stamp]: sql`now()` })
    .where('state', '=', from)
    .where(which)
    .returning(['kid', 'alg'])
    .execute()
  if (act !== 'stop') for (const key of moved) await announce(trx, events[act], key, actor)
  return moved
}

/** In the database's words: so many seconds before now. */
export function ago(seconds: number): RawBuilder<Date> {
  return sql<Date>`now() - make_interval(secs => ${seconds})`
}
