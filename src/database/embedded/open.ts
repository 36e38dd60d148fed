/**
 * The embedded PostgreSQL: any number of processes share one server on a private Unix socket. The first to come
 * starts it, the last to leave stops it, and while somebody is there it is brought back whenever it dies. It
 * outlives the sudden death of those who use it; the next to come joins it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { StorageError } from '../errors.ts'
import { startIfAlone } from './cluster.ts'
import { findPostmaster, isRunning, type Place, preparePlace, refusal } from './directory.ts'
import { connection, type Settings } from './settings.ts'

export type Embedded = {
  connection: { host: string; port: number; user: string; database: string; ssl: false }
  close(): Promise<'stopped' | 'left running'>
}

// Every user holds it, shared: whoever then gets it alone is the last.
const inUse = 7_230_001
const patienceMs = 60_000

/**
 * `settings` are PostgreSQL's own and count when this process starts the server. `onError` hears when the
 * server had to be brought back. Throws StorageError in words that name the directory and the fix.
 */
export async function openEmbedded(options: {
  dataDir: string
  settings?: Settings
  onError?: (error: Error) => void
}): Promise<Embedded> {
  const { settings = {}, onError = () => {} } = options
  const place = preparePlace(options.dataDir)
  const leaving = new AbortController()
  let returning: Promise<void> | undefined
  let keep = await enter(place, settings, leaving.signal)
  watch()

  function watch(): void {
    keep.once('end', () => {
      if (!leaving.signal.aborted) returning = comeBack()
    })
  }

  async function comeBack(): Promise<void> {
    for (let delay = 100; !leaving.signal.aborted; delay = Math.min(delay * 2, 5_000)) {
      try {
        keep = await enter(place, settings, leaving.signal)
        watch()
        return onError(new Error('The embedded database had gone away; it is running again.'))
      } catch (error) {
        if (leaving.signal.aborted) return
        onError(error as Error)
        await sleep(delay, undefined, { ref: false, signal: leaving.signal }).catch(() => {})
      }
    }
  }

  return {
    connection: { ...connection, host: place.socketDir },
    close: async () => {
      leaving.abort()
      await returning
      return leave(place, keep)
    },
  }
}

/** A connection that holds our share of the lock. */
async function enter(place: Place, settings: Settings, leaving: AbortSignal): Promise<pg.Client> {
  let deadline = Date.now() + patienceMs
  for (let round = 1; !leaving.aborted; round++) {
    const joined = await join(place)
    if (!(joined instanceof Error)) return joined
    // A server that says it is starting is recovering, which takes as long as it takes.
    if (joined.code === '57P03') deadline = Date.now() + patienceMs
    else if (await startIfAlone(place, settings)) continue
    if (Date.now() > deadline) throw doesNotAnswer(place, joined)
    await sleep(Math.min(25 * round, 250))
  }
  throw new Error('left while waiting for the embedded database')
}

/** Returns why not, when that may pass. */
async function join(place: Place): Promise<pg.Client | (Error & { code?: string })> {
  const client = new pg.Client({
    ...connection,
    host: place.socketDir,
    database: 'postgres',
    application_name: 'idp-keep',
    connectionTimeoutMillis: 3_000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select pg_advisory_lock_shared($1)', [inUse])
    return client
  } catch (thrown) {
    await client.end().catch(() => {})
    const error = thrown as Error & { code?: string }
    if (error.code === 'EACCES') {
      throw refusal(`${place.cluster} is in use by another user: run as that user.`, error)
    }
    if (/^(28|3D)/.test(error.code ?? '')) {
      throw refusal(`The server in ${place.cluster} is not ours (${error.message}).`, error)
    }
    return error
  }
}

async function leave(place: Place, keep: pg.Client): Promise<'stopped' | 'left running'> {
  try {
    await keep.query('select pg_advisory_unlock_shared($1)', [inUse])
    const attempt = 'select pg_try_advisory_lock($1) as alone'
    const { rows } = await keep.query<{ alone: boolean }>(attempt, [inUse])
    const postmaster = findPostmaster(place)
    // Not found although it answers: it runs in another container.
    if (!rows[0]?.alone || postmaster === undefined) return 'left running'
    // A fast shutdown: whoever is connected is told to go, everything is written.
    process.kill(postmaster, 'SIGINT')
    const deadline = Date.now() + 30_000
    while (isRunning(postmaster) && Date.now() < deadline) await sleep(10)
    return 'stopped'
  } catch (error) {
    if (!isGone(error)) throw error
  } finally {
    await keep.end().catch(() => {})
  }
  return leaveAgain(place)
}

/** Our connection is lost. Mostly because the server was stopped; if it lives, we may still be the last. */
async function leaveAgain(place: Place): Promise<'stopped' | 'left running'> {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    const joined = await join(place)
    if (!(joined instanceof Error)) return leave(place, joined)
    // On a busy machine a living server may be too slow to answer: only its end is its end.
    if (joined.code !== '57P03' && findPostmaster(place) === undefined) return 'stopped'
    await sleep(25)
  }
  return 'left running'
}

/** It went away while we were saying goodbye. */
function isGone(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return (
    /^(57P0[123]|EPIPE|ECONNRESET|ESRCH)$/.test(code) ||
    /not queryable|Connection terminated/.test(message)
  )
}

function doesNotAnswer(place: Place, cause: Error): StorageError {
  return new StorageError(
    'start',
    `${place.cluster} is in use, but no database answers there (${cause.message}): ` +
      `"fuser ${place.lockFile}" lists the processes that hold it; end them and start again.`,
    { cause },
  )
}
