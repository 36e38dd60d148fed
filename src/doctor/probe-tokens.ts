/** One-time tokens of the probe (http/probe.ts): made in the database by the command, spent by the server, good for a minute. */
import { sql } from 'kysely'
import { randomToken, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { Queryable } from '../database/reader.ts'

const aliveSeconds = 60

/** The token goes out once, in a header; only its hash is stored. */
export async function issueProbe(db: Db): Promise<string> {
  const token = randomToken()
  const expiresAt = sql<Date>`now() + make_interval(secs => ${aliveSeconds})`
  await db
    .insertInto('doctorProbes')
    .values({ tokenHash: sha256(token), expiresAt })
    .execute()
  return token
}

/** True once: the row goes with its use. */
export async function takeProbe(pool: Queryable, token: string): Promise<boolean> {
  const { rowCount } = await pool.query({
    text: 'delete from doctor_probes where token_hash = $1 and expires_at > now()',
    values: [sha256(token)],
  })
  return rowCount === 1
}

/** A probe that came to nothing leaves no row behind. */
export async function forgetProbe(db: Db, token: string): Promise<void> {
  await db.deleteFrom('doctorProbes').where('tokenHash', '=', sha256(token)).execute()
}
