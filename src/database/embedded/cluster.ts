/** Brings up the cluster when nobody else is at it: made on first use, recovered after a crash. */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageError } from '../errors.ts'
import { chooseAccount, giveTo } from './account.ts'
import { type Account, type Binaries, getBinaries, incomplete, launch, run } from './binaries.ts'
import {
  clearLeftovers,
  findPostmaster,
  marker,
  openOwn,
  type Place,
  readPidFile,
  refusal,
  unfinished,
} from './directory.ts'
import { tryLock } from './lock.ts'
import { connection, type Settings, usual } from './settings.ts'

const longestLogBytes = 5 * 1024 * 1024

/**
 * True when the server was started here and is ready. False when another process is starting or stopping it,
 * or still dying: look again soon. Throws StorageError when it cannot start.
 */
export async function startIfAlone(place: Place, settings: Settings): Promise<boolean> {
  const lock = await tryLock(place.lockFile)
  if (!lock) return false
  try {
    // Started by hand, without the lock.
    if (findPostmaster(place) !== undefined) return false
    const binaries = await getBinaries()
    const { account, version } = await chooseAccount(place, binaries)
    clearLeftovers(place)
    if (!existsSync(place.cluster)) await makeCluster(place, binaries, account, settings, lock.fd)
    checkVersion(place, version)
    // The owner will come back without us.
    if (account.owner) closeSync(openOwn(place.lockFile, account.owner))
    await start(place, binaries, account, { ...usual, ...settings }, lock.fd)
    return true
  } finally {
    lock.release()
  }
}

/** In a directory beside, renamed when it is whole: a killed first start never leaves half a cluster. */
async function makeCluster(
  place: Place,
  binaries: Binaries,
  account: Account,
  settings: Settings,
  lock: number,
): Promise<void> {
  const fresh = join(place.dataDir, `${unfinished}${randomUUID()}`)
  mkdirSync(fresh, { mode: 0o700 })
  giveTo(account, fresh)
  const careless = settings.fsync === 'off'
  const setup = ['-U', connection.user, '--auth=trust', '--encoding=UTF8', '--locale=C']
  const locale = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const quick = careless ? ['--no-sync'] : []
  const options = ['-D', fresh, '--no-instructions', ...setup, ...locale, ...quick]
  const made = await run(account, binaries.initdb, options, { lock })
  if (made.code !== 0) throw cannotStart(place, made.output)

  // In single-user mode, so that the cluster is never seen without them. Every later database gets a copy of
  // what template1 has.
  const input = `create extension pg_stat_statements;\ncreate database ${connection.database};\n`
  const memory = ['-c', 'dynamic_shared_memory_type=mmap']
  const alone = ['--single', '-D', fresh, ...memory, ...(careless ? ['-F'] : []), 'template1']
  const filled = await run(account, binaries.postgres, alone, { input, lock })
  if (filled.code !== 0) throw cannotStart(place, filled.output)

  writeFileSync(join(fresh, marker), 'The database of the identity provider.\n', { mode: 0o600 })
  giveTo(account, fresh)
  renameSync(fresh, place.cluster)
}

function checkVersion({ cluster }: Place, ours: string): void {
  const found = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim()
  if (found === ours) return
  throw refusal(
    `${cluster} was made by PostgreSQL ${found}, but this release brings ${ours}: start the release that made it, ` +
      'or restore a backup into an empty directory.',
  )
}

async function start(
  place: Place,
  { postgres }: Binaries,
  account: Account,
  settings: Settings,
  lock: number,
): Promise<void> {
  const log = openOwn(place.logFile, account.owner)
  try {
    if (fstatSync(log).size > longestLogBytes) ftruncateSync(log)
    const logStart = fstatSync(log).size
    if (place.socketDir !== place.cluster) giveTo(account, place.socketDir)
    const given = { ...settings, unix_socket_directories: place.socketDir, port: connection.port }
    const options = Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const server = launch(account, postgres, ['-D', place.cluster, ...options], { log, lock })
    let ended = false
    server.ended.then(() => {
      ended = true
    })
    // Recovery after a crash takes as long as it takes.
    while (readPidFile(place)?.ready !== true) {
      if (ended) throw cannotStart(place, readFileSync(place.logFile).subarray(logStart).toString())
      await sleep(10)
    }
  } finally {
    closeSync(log)
  }
}

function cannotStart({ cluster, logFile }: Place, output: string): StorageError {
  const said = output.trim().split('\n').slice(-6).join('\n')
  if (/shared librar/.test(said)) return incomplete(said)
  return new StorageError(
    'start',
    `The embedded database in ${cluster} does not start:\n${said}\nIts log is ${logFile}.`,
  )
}
