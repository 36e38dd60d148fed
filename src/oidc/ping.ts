/** Tells an app that a person has decided (CIBA Core §10.2). What was decided it asks for itself. */
import type { Keyring } from '../crypto.ts'
import type { Logger } from '../logger.ts'
import { OutgoingError } from '../outgoing/errors.ts'
import type { OutgoingFetch } from '../outgoing/outgoing.ts'
import type { Queryable } from '../sessions/reads.ts'
import type { ClientCache } from './client-cache.ts'
import { openNotification } from './waiting-codes.ts'

type Options = {
  pool: Queryable
  keyring: Keyring
  clients: Pick<ClientCache, 'client'>
  fetch: OutgoingFetch
  logger: Pick<Logger, 'warn'>
}

/** The job. Throws when the app did not take it, so that it is tried again until the answer is worth nothing. */
export function createPingSender(
  options: Options,
): (payload: { question: string }) => Promise<void> {
  const { pool, keyring, clients, fetch, logger } = options
  return async function ping({ question }) {
    const idHash = Buffer.from(question, 'hex')
    const { rows } = await pool.query<{ client_id: string; id_sealed: Buffer | null }>({
      name: 'find_ping',
      text: `select client_id, id_sealed from backchannel_authentication_requests
        where id_hash = $1 and consumed_at is null and expires_at > now()`,
      values: [idHash],
    })
    const [row] = rows
    if (!row?.id_sealed) return
    const { id, token } = openNotification(keyring, idHash, row.id_sealed)
    const client = await clients.client(row.client_id)
    const endpoint = client?.metadata.backchannel_client_notification_endpoint
    if (!endpoint || token === undefined) return
    const { clientId } = { clientId: row.client_id }
    try {
      const { status } = await fetch(endpoint, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ auth_req_id: id }),
        statusOnly: true,
      })
      // A redirect is not followed, and is no answer (§10.2).
      if (status !== 200 && status !== 204) throw new Error(`an app answered a ping by ${status}`)
    } catch (error) {
      const reason = error instanceof OutgoingError ? error.reason : String(error)
      logger.warn({ clientId, reason }, 'an app was not told that somebody has decided')
      if (error instanceof OutgoingError && error.refused) return
      throw error
    }
  }
}
