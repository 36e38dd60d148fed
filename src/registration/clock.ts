/** One clock decides what has expired, the database's: servers may disagree about the time (security RL-21). */
import { sql } from 'kysely'

/** The beginning of the statement's transaction. */
export const now = sql<Date>`now()`
