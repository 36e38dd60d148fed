/**
 * DATA_DIR and the cluster in it: is it ours to use, as whom, where is its socket, what did a crash leave.
 * Every refusal names the directory and the fix.
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../../crypto.ts'
import { StorageError } from '../errors.ts'
import { type Account, type Binaries, namespacesWork, run } from './binaries.ts'

export type Place = {
  dataDir: string
  /** The cluster. Its directory appears whole, by a rename. */
  cluster: string
  /** Where the socket lies; stays the same over restarts, since pools remember it. */
  socketDir: string
  lockFile: string
  logFile: string
}

/** Written into every cluster that we make. */
export const marker = 'idp.cluster'
const nobody = { uid: 65_534, gid: 65_534 }
const longestSocketPath = 107

/** Makes DATA_DIR when it is missing. Throws StorageError when it cannot be ours. */
export function findPlace(dataDir: string): Place {
  const root = explain(dataDir, () => {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    return realpathSync(dataDir)
  })
  if (existsSync(join(root, 'PG_VERSION'))) {
    throw refusal(`DATA_DIR (${root}) is itself a PostgreSQL cluster of somebody else.`)
  }
  const cluster = join(root, 'postgres')
  explain(cluster, () => {
    if (!existsSync(cluster)) return
    if (readdirSync(cluster).includes(marker)) return
    throw refusal(`${cluster} was not made by this program, so it is left alone.`)
  })
  return {
    dataDir: root,
    cluster,
    socketDir: findSocketDir(cluster),
    lockFile: join(root, 'postgres.lock'),
    logFile: join(root, 'postgres.log'),
  }
}

/** As whom the cluster runs: never as root, and an existing one as the user to whom it belongs. */
export async function chooseAccount(
  { dataDir, cluster }: Place,
  { postgres }: Binaries,
): Promise<Account> {
  if (process.getuid?.() !== 0) return 'ours'
  const { uid, gid } = statSync(existsSync(cluster) ? cluster : dataDir)
  if (uid !== 0) return { uid, gid }
  if (await namespacesWork()) return 'namespace'
  // Others may pass through DATA_DIR, not look into it.
  chmodSync(dataDir, statSync(dataDir).mode | 0o001)
  const passage = 'cd "$0" && exec "$1" --version'
  const { code, output } = await run(nobody, '/bin/sh', ['-c', passage, dataDir, postgres])
  if (code !== 0) {
    throw refusal(
      `PostgreSQL does not run as root, user namespaces are not allowed here, and the user "nobody" cannot ` +
        `reach ${dataDir} and ${postgres} (${output.trim()}). Start the provider as an ordinary user.`,
    )
  }
  if (existsSync(cluster)) giveAway(cluster, nobody)
  return nobody
}

/** The server that the cluster's pid file names, alive or not. */
export function readPidFile({
  cluster,
}: Place): { pid: number; port: number; socketDir: string } | undefined {
  const file = join(cluster, 'postmaster.pid')
  const lines = explain(cluster, () =>
    existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [],
  )
  const [pid, , , port, socketDir] = lines
  if (!pid || !port || !socketDir) return undefined
  return { pid: Number(pid), port: Number(port), socketDir }
}

/** Whether that process is the postmaster of this very cluster, and not a stranger who got its number. */
export function isPostmaster({ cluster }: Place, pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === cluster
  } catch {
    return false
  }
}

/**
 * Removes what killed processes left: half-made clusters, and pid files that would stop PostgreSQL when their
 * number meanwhile belongs to another process. Only for whoever holds the lock.
 */
export function clearLeftovers({ dataDir, cluster, socketDir }: Place): void {
  for (const name of readdirSync(dataDir)) {
    if (name.startsWith('postgres.new-'))
      rmSync(join(dataDir, name), { recursive: true, force: true })
  }
  rmSync(join(cluster, 'postmaster.pid'), { force: true })
  for (const name of readdirSync(
    socketDir === cluster && !existsSync(cluster) ? dataDir : socketDir,
  )) {
    if (/^\.s\.PGSQL\.\d+(\.lock)?$/.test(name)) rmSync(join(socketDir, name), { force: true })
  }
}

export function giveAway(directory: string, { uid, gid }: { uid: number; gid: number }): void {
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    chownSync(join(directory, name), uid, gid)
  }
  chownSync(directory, uid, gid)
}

export function refusal(message: string, cause?: unknown): StorageError {
  return new StorageError('directory', `${message} Choose another DATA_DIR or set DATABASE_URL.`, {
    cause,
  })
}

/** A socket path ends at 107 bytes, so a cluster far down gets its socket in a private folder in /tmp. */
function findSocketDir(cluster: string): string {
  if (Buffer.byteLength(join(cluster, '.s.PGSQL.5432')) <= longestSocketPath) return cluster
  // Not os.tmpdir(): every process on this cluster must come to the same place.
  const folder = `/tmp/idp-${sha256(cluster).toString('hex').slice(0, 24)}`
  return explain(folder, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const found = lstatSync(folder)
    if (found.isDirectory() && (found.mode & 0o077) === 0) return folder
    throw refusal(`${folder}, where the socket would lie, is open to others. Remove it.`)
  })
}

/** Turns "permission denied" and the like into words that name the place. */
function explain<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof StorageError) throw error
    const { code } = error as NodeJS.ErrnoException
    const reasons: Record<string, string> = {
      EACCES:
        'is not ours to read or write; run as the user to whom it belongs, or give it to this one.',
      EPERM: 'is not ours to change; run as the user to whom it belongs.',
      EEXIST: 'is a file, not a directory.',
      ENOTDIR: 'lies below a file.',
      EROFS: 'is on a read-only file system.',
      ENOSPC: 'is on a full disk.',
    }
    throw refusal(
      `${path} ${reasons[code ?? ''] ?? `cannot be used (${(error as Error).message}).`}`,
      error,
    )
  }
}
