/**
 * One connection for the look-ups that requests begin with: each is sent without waiting for the answer to the one
 * before (pipelining), which saves both sides most of their waking up. For plain reads alone: they never wait for a
 * lock, so that none holds up those behind it, and nothing is lost when the connection breaks.
 */
import type { Socket } from 'node:net'
import pg from 'pg'
import { connectionSettings, endsConnection } from './pool.ts'

/** What `pg.Pool` and `pg.Client` have in common. */
export type Queryable = Pick<pg.Pool, 'query'>

export type Reader = Queryable & {
  /** Waits for answers that are under way. */
  close(): Promise<void>
}

/** A connection says nothing when its server has become somebody's replica, so none is trusted for longer. */
const longestLifeMs = 60_000

/** Connects as `pool` does, at the first question, and anew after it broke. */
export function createReader(pool: pg.Pool, onError: (error: Error) => void): Reader {
  let current: { client: Promise<pg.Client>; until: number } | undefined

  function begin(): Promise<pg.Client> {
    const client = new pg.Client({ ...connectionSettings(pool), pipeline: true })
    const begun = {
      client: client.connect().then(() => client),
      until: Date.now() + longestLifeMs,
    }
    const forget = () => {
      if (current === begun) current = undefined
    }
    client.on('error', (error) => {
      forget()
      onError(error)
    })
    client.on('end', forget)
    // Told to whoever asked, while the client believes that it goes on.
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter }
    connection.on('errorMessage', ({ code }: { code?: string }) => {
      if (!endsConnection(code)) return
      forget()
      void client.end()
    })
    begun.client.catch(forget)
    current = begun
    return begun.client
  }

  function connected(): Promise<pg.Client> {
    if (!current) return begin()
    if (Date.now() < current.until) return current.client
    void leave(current.client)
    return begin()
  }

  return {
    query: (async (...args: Parameters<pg.Client['query']>) => {
      const client = await connected()
      together(client)
      return client.query(...args)
    }) as pg.Pool['query'],
    async close() {
      const last = current?.client
      current = undefined
      if (last) await leave(last)
    },
  }
}

/** What is asked in one turn of the event loop leaves in one system call, which wakes the server once. */
function together(client: pg.Client): void {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
  if (stream.writableCorked > 0) return
  stream.cork()
  setImmediate(() => stream.uncork())
}

/** What failed to connect needs no farewell. */
async function leave(client: Promise<pg.Client>): Promise<void> {
  await client.then(
    (connected) => connected.end(),
    () => {},
  )
}
