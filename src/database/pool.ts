/**
 * One pool of connections that heals itself. A connection on which the server said that it is going away,
 * is read-only or does not understand us is never handed out again (security.md RL-09…RL-11): after a
 * failover `select 1` would be happy on it for days while every write fails.
 */
import pg from 'pg'

const statementTimeoutMs = 30_000
const date = 1082

/** A day is text: as a Date it would move with the time zone of the process. */
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === date
      ? String
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
}

/** `onError` hears of connections that broke while nobody was using them. */
export function createPool(settings: pg.PoolConfig, onError: (error: Error) => void): pg.Pool {
  const pool = new pg.Pool({
    connectionTimeoutMillis: 5_000,
    statement_timeout: statementTimeoutMs,
    // The server cannot speak up when the network is cut, so the client counts as well.
    query_timeout: statementTimeoutMs + 5_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types,
    ...settings,
  })
  const dead = new WeakSet<object>()
  const refused = new WeakSet<object>()
  pool.on('error', onError)
  pool.on('connect', (client) => {
    // Without a listener an error on a connection in use would end the process; its query fails anyway.
    client.on('error', () => dead.add(client))
    // Kysely releases without naming the error, so it is overheard where it arrives.
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter }
    connection.on('errorMessage', ({ code }: { code?: string }) => {
      refused.add(client)
      if (endsConnection(code)) dead.add(client)
    })
    connection.on('readyForQuery', () => refused.delete(client))
  })
  pool.on('release', (_error, client) => {
    // Neither ready nor just refused: a query that timed out here is still running there.
    const { readyForQuery } = client as unknown as { readyForQuery?: boolean }
    const busy = readyForQuery === false && !refused.has(client)
    // An ended client is not queryable, which makes the pool drop it in this same call.
    if (busy || dead.has(client)) void (client as unknown as pg.Client).end()
  })
  return pool
}

/** Another pool on the same database, for work that must not wait for the first or obey its time-outs. */
export function siblingPool(pool: pg.Pool, settings: pg.PoolConfig): pg.Pool {
  return createPool({ ...connectionSettings(pool), ...settings }, () => {})
}

/** How a pool connects, for who connects beside it. */
export function connectionSettings(pool: pg.Pool): pg.PoolConfig {
  // The password is not enumerable, so a spread loses it.
  const { password } = pool.options
  return { ...pool.options, ...(password === undefined ? {} : { password }) }
}

/** Read-only after a switchover, shutting down, crashed, starting up, or a broken connection. */
export function endsConnection(code: string | undefined): boolean {
  return /^(25006|57P0[123]|08...)$/.test(code ?? '')
}
