/**
 * The embedded PostgreSQL: any number of processes use one server on a private Unix socket. The first to come
 * starts it, the last to leave stops it, and while somebody is there it is brought back whenever it dies.
 * It survives the death of every process that uses it, and is simply joined by the next.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { StorageError } from '../errors.ts'
import { findPlace, isPostmaster, type Place, readPidFile, refusal } from './directory.ts'
import { databaseName, type Settings, startIfAlone, user } from './start.ts'

export type Embedded = {
  connection: { host: string; port: number; user: string; database: string; ssl: false }
  close(): Promise<'stopped' | 'left running'>
}

// Held by every user, shared: who gets it alone is the last.
const inUse = 7_230_001
const patienceMs = 60_000

/**
 * `settings` are PostgreSQL's own, over ours. Throws StorageError in words that name the directory and the fix.
 * `onError` hears when the server had to be brought back.
 */
export async function openEmbedded(options: {
  dataDir: string
  settings?: Settings
  onError?: (error: Error) => void
}): Promise<Embedded> {
  const { settings = {}, onError = () => {} } = options
  const place = findPlace(options.dataDir)
  const leaving = new AbortController()
  let keep = await enter(place, settings)
  let returning: Promise<void> | undefined
  watch()

  function watch(): void {
    keep.once('end', () => {
      if (!leaving.signal.aborted) returning = comeBack()
    })
  }

  async function comeBack(): Promise<void> {
    for (let delay = 100; !leaving.signal.aborted; delay = Math.min(delay * 2, 5_000)) {
      try {
        keep = await enter(place, settings)
        watch()
        return onError(new Error('The embedded database had gone away; it is running again.'))
      } catch (error) {
        onError(error as Error)
        await sleep(delay, undefined, { ref: false, signal: leaving.signal }).catch(() => {})
      }
    }
  }

  return {
    connection: { host: place.socketDir, port: 5432, user, database: databaseName, ssl: false },
    close: async () => {
      leaving.abort()
      await returning
      return leave(place, keep)
    },
  }
}

/** A connection that holds our share of the lock. */
async function enter(place: Place, settings: Settings): Promise<pg.Client> {
  let deadline = Date.now() + patienceMs
  for (;;) {
    const named = readPidFile(place)
    const joined = named ? await join(place, named) : 'absent'
    if (typeof joined === 'object') return joined
    // As long as it answers that it is starting, it is recovering, which takes as long as it takes.
    if (joined === 'starting') deadline = Date.now() + patienceMs
    else if (await startIfAlone(place, settings)) continue
    if (Date.now() > deadline) throw doesNotAnswer(place)
    await sleep(25)
  }
}

async function join(
  place: Place,
  { port, socketDir }: { port: number; socketDir: string },
): Promise<pg.Client | 'absent' | 'starting'> {
  const client = new pg.Client({
    host: socketDir,
    port,
    user,
    database: 'postgres',
    ssl: false,
    application_name: 'idp-keep',
    connectionTimeoutMillis: 3_000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select pg_advisory_lock_shared($1)', [inUse])
    return client
  } catch (error) {
    await client.end().catch(() => {})
    const { code } = error as { code?: string }
    if (code === '57P03') return 'starting'
    if (code === 'EACCES')
      throw refusal(`The database in ${place.cluster} was started by another user.`, error)
    if (/^(28|3D)/.test(code ?? ''))
      throw refusal(`The server in ${place.cluster} is not ours.`, error)
    return 'absent'
  }
}

async function leave(place: Place, keep: pg.Client): Promise<'stopped' | 'left running'> {
  try {
    await keep.query('select pg_advisory_unlock_shared($1)', [inUse])
    const { rows } = await keep.query<{ alone: boolean }>(
      'select pg_try_advisory_lock($1) as alone',
      [inUse],
    )
    const named = readPidFile(place)
    // In another container the number would mean another process.
    if (!rows[0]?.alone || !named || !isPostmaster(place, named.pid)) return 'left running'
    // Fast shutdown: others are told to go, everything is written.
    process.kill(named.pid, 'SIGINT')
    for (let waited = 0; isPostmaster(place, named.pid) && waited < 30_000; waited += 10)
      await sleep(10)
    return 'stopped'
  } catch (error) {
    if (isGone(error)) return 'stopped'
    throw error
  } finally {
    await keep.end().catch(() => {})
  }
}

/** The server went away while we were saying goodbye. */
function isGone(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  return (
    /^(57P0[123]|EPIPE|ECONNRESET|ESRCH)$/.test(code ?? '') ||
    /not queryable|Connection terminated/.test(message ?? '')
  )
}

function doesNotAnswer(place: Place): StorageError {
  const named = readPidFile(place)
  const who = named && isPostmaster(place, named.pid) ? ` Its process is ${named.pid}.` : ''
  return new StorageError(
    'start',
    `Somebody is using ${place.cluster}, but no database answers there.${who} ` +
      `"fuser ${place.lockFile}" lists the processes that hold it; end them and start again.`,
  )
}
