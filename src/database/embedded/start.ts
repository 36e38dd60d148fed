/** Brings up the cluster when nobody else is at it: made on first use, recovered after a crash. */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fchownSync,
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
import { type Account, type Binaries, findBinaries, launch, run } from './binaries.ts'
import {
  chooseAccount,
  clearLeftovers,
  giveAway,
  isPostmaster,
  marker,
  type Place,
  readPidFile,
  refusal,
} from './directory.ts'
import { tryLock } from './lock.ts'

export type Settings = Record<string, string | number>

export const user = 'idp'
export const databaseName = 'idp'
const longestLogBytes = 5 * 1024 * 1024

// One house with a handful of connections: small, and silent about what people type.
const usual: Settings = {
  listen_addresses: '',
  port: 5432,
  unix_socket_permissions: '0700',
  max_connections: 100,
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  shared_preload_libraries: 'pg_stat_statements',
  // Workers would cost memory that a database of this size does not pay back.
  io_method: 'sync',
  max_parallel_workers_per_gather: 0,
  jit: 'off',
  // Shared memory of its own survives systemd's clean-up at logout and containers with a tiny /dev/shm.
  dynamic_shared_memory_type: 'mmap',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  // A violated constraint is an answer to us, and its row may name a person.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
}

/**
 * True when the server was started here. False when another process is starting or stopping it, or still
 * dying: look again soon. Throws StorageError when it cannot start.
 */
export async function startIfAlone(place: Place, settings: Settings): Promise<boolean> {
  const lock = await tryLock(place.lockFile)
  if (!lock) return false
  try {
    // Started by hand, or without flock(1) on this machine.
    const named = readPidFile(place)
    if (named && isPostmaster(place, named.pid)) return false
    const binaries = await findBinaries()
    const account = await chooseAccount(place, binaries)
    clearLeftovers(place)
    if (!existsSync(place.cluster)) await makeCluster(place, binaries, account, settings)
    await checkVersion(place, binaries, account)
    await start(place, binaries, account, { ...usual, ...settings }, lock.fd)
    return true
  } finally {
    lock.release()
  }
}

/** In a directory beside, and renamed when whole: a killed first start never leaves half a cluster. */
async function makeCluster(
  place: Place,
  { initdb, postgres }: Binaries,
  account: Account,
  settings: Settings,
): Promise<void> {
  const fresh = join(place.dataDir, `postgres.new-${randomUUID()}`)
  mkdirSync(fresh, { mode: 0o700 })
  if (typeof account === 'object') giveAway(fresh, account)
  const locale = [
    '-E',
    'UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ]
  const sync = settings.fsync === 'off' ? ['--no-sync'] : []
  const made = await run(account, initdb, [
    '-D',
    fresh,
    '-U',
    user,
    '--auth=trust',
    '--no-instructions',
    ...locale,
    ...sync,
  ])
  if (made.code !== 0) throw cannotStart(place, made.output)
  const contents = `create extension pg_stat_statements;\ncreate database ${databaseName};\n`
  const options = ['-c', 'dynamic_shared_memory_type=mmap', ...(sync.length > 0 ? ['-F'] : [])]
  const filled = await run(
    account,
    postgres,
    ['--single', '-D', fresh, ...options, 'template1'],
    contents,
  )
  if (filled.code !== 0) throw cannotStart(place, filled.output)
  writeFileSync(join(fresh, marker), 'The identity provider keeps its database here.\n', {
    mode: 0o600,
  })
  if (typeof account === 'object') giveAway(fresh, account)
  renameSync(fresh, place.cluster)
}

async function checkVersion(
  { cluster }: Place,
  { postgres }: Binaries,
  account: Account,
): Promise<void> {
  const found = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim()
  const { output } = await run(account, postgres, ['--version'])
  const ours = /\d+/.exec(output)?.[0]
  if (ours === undefined || ours === found) return
  throw refusal(
    `${cluster} was made by PostgreSQL ${found}, this release brings ${ours}. ` +
      'Start the release that made it, or restore a backup into an empty directory.',
  )
}

/** Returns once the server has written its pid file whole, which is before recovery ends. */
async function start(
  place: Place,
  { postgres }: Binaries,
  account: Account,
  settings: Settings,
  lock: number,
): Promise<void> {
  const tooLong = existsSync(place.logFile) && statSync(place.logFile).size > longestLogBytes
  const log = openSync(place.logFile, tooLong ? 'w' : 'a', 0o600)
  const logStart = statSync(place.logFile).size
  try {
    if (typeof account === 'object')
      for (const fd of [log, lock]) fchownSync(fd, account.uid, account.gid)
    const given = { ...settings, unix_socket_directories: place.socketDir }
    const args = Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const server = launch(account, postgres, ['-D', place.cluster, ...args], { log, lock })
    let ended = false
    server.ended.then(() => {
      ended = true
    })
    const deadline = Date.now() + 30_000
    while (readPidFile(place) === undefined) {
      if (ended || Date.now() > deadline) {
        throw cannotStart(place, readFileSync(place.logFile).subarray(logStart).toString())
      }
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
      `The embedded PostgreSQL is incomplete because its install script did not run: "npm ci" without --ignore-scripts.\n${said}`,
    )
  }
  return new StorageError(
    'start',
    `The embedded database in ${cluster} does not start:\n${said}\nIts log is ${logFile}.`,
  )
}
