/** Brings up the cluster when nobody else is at it: made on first use, recovered after a crash. */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageError } from '../errors.ts'
import { chooseAccount, giveTo } from './account.ts'
import { type Account, type Binaries, findBinaries, launch, run } from './binaries.ts'
import {
  clearLeftovers,
  findPostmaster,
  marker,
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
    const binaries = await findBinaries()
    const { account, version } = await chooseAccount(place, binaries)
    clearLeftovers(place)
    if (!existsSync(place.cluster)) await makeCluster(place, binaries, account, settings, lock.fd)
    checkVersion(place, version)
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
  const locale = [
    '-E',
    'UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ]
  const options = ['-U', connection.user, '--auth=trust', '--no-instructions', ...locale]
  const sync = careless ? ['--no-sync'] : []
  const made = await run(account, binaries.initdb, ['-D', fresh, ...options, ...sync], { lock })
  if (made.code !== 0) throw cannotStart(place, made.output)

  // In single-user mode, so that the cluster is never seen without them. An extension of template1 is in every database.
  const contents = `create extension pg_stat_statements;\ncreate database ${connection.database};\n`
  const single = [
    '--single',
    '-D',
    fresh,
    '-c',
    'dynamic_shared_memory_type=mmap',
    ...(careless ? ['-F'] : []),
  ]
  const singleUser = [...single, 'template1']
  const filled = await run(account, binaries.postgres, singleUser, { input: contents, lock })
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
  const grown = existsSync(place.logFile) && statSync(place.logFile).size > longestLogBytes
  const log = openSync(place.logFile, grown ? 'w' : 'a', 0o600)
  try {
    const { owner } = account
    if (owner) for (const file of [log, lock]) fchownSync(file, owner.uid, owner.gid)
    if (place.socketDir !== place.cluster) giveTo(account, place.socketDir)
    const logStart = fstatSync(log).size
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
  if (/shared librar/.test(said)) {
    return new StorageError(
      'binaries',
      `The embedded PostgreSQL is incomplete, because its install script did not run: "npm ci" without --ignore-scripts.\n${said}`,
    )
  }
  return new StorageError(
    'start',
    `The embedded database in ${cluster} does not start:\n${said}\nIts log is ${logFile}.`,
  )
}
