/**
 * Authorization and logout requests that come by POST (OpenID Connect Core §3.1.2.1). The cookies of a session
 * are not sent with a POST from another site, and they stay that way: the request is kept here, and the
 * browser is sent to the same address by GET, with a reference in place of the parameters.
 */
import { randomToken, sha256 } from '../crypto.ts'
import { AppError } from '../errors.ts'
import type { Queryable } from '../sessions/reads.ts'

/** The one parameter of the GET. */
export const postedParameter = 'posted'

const lifetimeSeconds = 600
/** Room for a signed request; whoever has more to say pushes it (RFC 9126). */
const mostCharacters = 20_000

/** Keeps the parameters and gives the reference for the redirect. Throws 413 `too_large`. */
export async function keepPosted(
  db: Queryable,
  endpoint: string,
  parameters: [string, string][],
): Promise<string> {
  const kept = JSON.stringify(parameters)
  if (kept.length > mostCharacters) throw new AppError('too_large', 413)
  const reference = randomToken()
  await db.query({
    name: 'keep_posted',
    text: `insert into posted_requests (id_hash, endpoint, parameters, expires_at)
      values ($1, $2, $3, now() + interval '${lifetimeSeconds} seconds')`,
    values: [sha256(reference), endpoint, kept],
  })
  return reference
}

/** The parameters, as often as the page is loaded again; undefined when unknown or expired. */
export async function findPosted(
  db: Queryable,
  endpoint: string,
  reference: string,
): Promise<[string, string][] | undefined> {
  const { rows } = await db.query<{ parameters: [string, string][] }>({
    name: 'find_posted',
    text: `select parameters from posted_requests
      where id_hash = $1 and endpoint = $2 and expires_at > now()`,
    values: [sha256(reference), endpoint],
  })
  return rows[0]?.parameters
}
