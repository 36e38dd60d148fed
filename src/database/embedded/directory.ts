/**
 * DATA_DIR and the cluster in it: is it ours to use, where is its socket, who is alive in it, what did a crash
 * leave. Every refusal names the directory and the fix.
 */
import {
  accessSync,
  constants,
  existsSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { sha256 } from '../../crypto.ts'
import { StorageError } from '../errors.ts'

export type Place = {
  /** Absolute, without symbolic links. */
  dataDir: string
  /** The cluster. Its directory appears whole, by a rename. */
  cluster: string
  /** Where the socket lies: the same for every process and after every restart, since pools remember it. */
  socketDir: string
  lockFile: string
  logFile: string
}

/** A file in every cluster that we made, so that no other is ever touched. */
export const marker = 'idp.cluster'
/** Beginning of the name of a cluster that is still being made. */
export const unfinished = 'postgres.new-'
const longestSocketPath = 107

/** Makes DATA_DIR when it is missing. Throws StorageError when it cannot be ours. */
export function preparePlace(directory: string): Place {
  const dataDir = explain(directory, () => {
    mkdirSync(dirname(directory), { recursive: true })
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
    return realpathSync(directory)
  })
  if (existsSync(join(dataDir, 'PG_VERSION'))) {
    throw refusal(`DATA_DIR (${dataDir}) is itself a PostgreSQL cluster, and not one of ours.`)
  }
  const named = join(dataDir, 'postgres')
  // A link is how somebody puts the cluster on another disk.
  const cluster = explain(named, () => (existsSync(named) ? realpathSync(named) : named))
  const contents = explain(cluster, () => (existsSync(cluster) ? readdirSync(cluster) : [marker]))
  if (!contents.includes(marker)) {
    throw refusal(`${cluster} was not made by this program, so it is left alone.`)
  }
  return {
    dataDir,
    cluster,
    socketDir: prepareSocketDir(cluster),
    lockFile: join(dataDir, 'postgres.lock'),
    logFile: join(dataDir, 'postgres.log'),
  }
}

/** What the cluster's pid file says, whether or not that process still lives. */
export function readPidFile({ cluster }: Place): { pid: number; ready: boolean } | undefined {
  try {
    const lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')
    return { pid: Number(lines[0]), ready: lines[7]?.trim() === 'ready' }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The running postmaster's pid; never that of a stranger who got its number after a crash. */
export function findPostmaster(place: Place): number | undefined {
  const pid = readPidFile(place)?.pid
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === place.cluster ? pid : undefined
  } catch {
    return undefined
  }
}

/** Until the process has really ended, which is a moment after its pid file is gone. */
export function isRunning(pid: number): boolean {
  try {
    // `pid (name) S …`: a zombie has ended, whoever forgot to ask how.
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0]
    return state !== 'Z' && state !== 'X'
  } catch {
    return false
  }
}

/**
 * Removes what killed processes left: half-made clusters, and pid files, which would stop PostgreSQL when their
 * number meanwhile belongs to another process. Only for whoever holds the lock.
 */
export function clearLeftovers({ dataDir, cluster, socketDir }: Place): void {
  const names = readdirSync(dataDir).filter((name) => name.startsWith(unfinished))
  const leftovers = [
    ...names.map((name) => join(dataDir, name)),
    join(cluster, 'postmaster.pid'),
    join(socketDir, '.s.PGSQL.5432'),
    join(socketDir, '.s.PGSQL.5432.lock'),
  ]
  for (const path of leftovers) rmSync(path, { recursive: true, force: true })
}

/**
 * Opens a file of ours in DATA_DIR for appending, and makes it `owner`'s. Never through a link: as root we
 * would give away whatever the owner of the directory made it point to.
 */
export function openOwn(path: string, owner?: { uid: number; gid: number }): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants
  return explain(path, () => {
    const file = openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600)
    const { uid, nlink } = fstatSync(file)
    if (owner && uid !== owner.uid && nlink === 1) fchownSync(file, owner.uid, owner.gid)
    return file
  })
}

/** `message` names the directory; the ways out that are always there follow it. */
export function refusal(message: string, cause?: unknown): StorageError {
  return new StorageError(
    'directory',
    `${message} Or choose another DATA_DIR, or set DATABASE_URL.`,
    { cause },
  )
}

/** A cluster whose path is too long for a socket gets it in a private folder in /tmp. */
function prepareSocketDir(cluster: string): string {
  if (Buffer.byteLength(join(cluster, '.s.PGSQL.5432')) <= longestSocketPath) return cluster
  // Not os.tmpdir(): every process on this cluster must come to the same place.
  const folder = `/tmp/idp-${sha256(cluster).toString('hex').slice(0, 24)}`
  return explain(folder, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { uid, mode } = lstatSync(folder)
    // Whoever else owned it could put a server of their own there.
    const owners = [process.getuid?.(), existsSync(cluster) ? statSync(cluster).uid : undefined]
    if (owners.includes(uid) && (mode & 0o170_777) === 0o40_700) return folder
    throw refusal(
      `${folder}, where the socket of ${cluster} belongs, is not a private folder of ours: remove it.`,
    )
  })
}

/** Turns "permission denied" and the like into words that name the place. */
function explain<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof StorageError) throw error
    const reasons: Record<string, string> = {
      EACCES: 'is not ours to use: run as the user to whom it belongs.',
      EPERM: 'is not ours to use: run as the user to whom it belongs.',
      EEXIST: 'is a file: a directory is needed.',
      ENOTDIR: 'lies below a file: a directory is needed.',
      EROFS: 'is on a read-only file system: make it writable.',
      ENOSPC: 'is on a full disk: make room.',
      ELOOP: 'is a symbolic link: remove it.',
    }
    const { code = '', message } = error as NodeJS.ErrnoException
    throw refusal(`${path} ${reasons[code] ?? `cannot be used (${message}).`}`, error)
  }
}
