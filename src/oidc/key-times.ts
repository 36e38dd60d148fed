/** How long a signing key stays in each state, and what that means for those that are there. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { lifetimes } from './lifetimes.ts'
import { algorithmRank, type KeyState, type SigningAlgorithm, stateRank } from './signing-keys.ts'

const day = 24 * 60 * 60
/** Every process publishes a new key by then: a version is seen within two seconds, an answer is on its way for one. */
const spread = 3
/** What verifiers forgive a clock; the most generous default that we know. */
const leeway = 5 * 60

/** In seconds. */
export const keyTimes = {
  spread,
  /** A current key, before the schedule replaces it. */
  signs: 90 * day,
  /** A previous key, from when it stopped; a process that hears of it late signs on for a moment. */
  published: lifetimes.longestToken + leeway + spread,
  /** From when it stopped: a sign-out may bring the ID token of its sign-in, as long as a session can last. */
  known: lifetimes.sessionTotal,
}

export type KeyView = {
  kid: string
  alg: SigningAlgorithm
  /** The public part, as in the key set. */
  publicJwk: Record<string, unknown>
  state: KeyState
  publishedAt: Date
  activatedAt: Date | null
  stoppedAt: Date | null
  /** When it came into its state. */
  since: Date
  /** The earliest end of its state: it may sign, its successor does, it leaves the key set, it is forgotten. */
  until: Date
  /** Until then, by the database's clock; negative afterwards. */
  secondsLeft: number
}

/** Those that are published first, as they are in the key set. */
export async function listKeys(db: Db, jwksMaxAgeSeconds: number): Promise<KeyView[]> {
  const until = sql<Date>`case state
    when 'next' then created_at + make_interval(secs => ${jwksMaxAgeSeconds})
    when 'current' then coalesce(activated_at, created_at) + make_interval(secs => ${keyTimes.signs})
    when 'previous' then stopped_at + make_interval(secs => ${keyTimes.published})
    else stopped_at + make_interval(secs => ${keyTimes.known}) end`
  return db
    .selectFrom('signingKeys')
    .select([
      'kid',
      'alg',
      'publicJwk',
      'state',
      'createdAt as publishedAt',
      'activatedAt',
      'stoppedAt',
    ])
    .select([
      sql<Date>`coalesce(retired_at, stopped_at, activated_at, created_at)`.as('since'),
      until.as('until'),
      sql<number>`extract(epoch from ${until} - now())::float8`.as('secondsLeft'),
    ])
    .orderBy(stateRank)
    .orderBy(algorithmRank)
    .orderBy('createdAt', 'desc')
    .orderBy('kid')
    .execute()
}
