/**
 * A lock on a file that the kernel frees when the last process that holds it has gone. The postmaster and its
 * children inherit it, so whoever gets it knows that nobody of this cluster is alive, whatever pid files say;
 * even in another container on the same volume.
 */
import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { StorageError } from '../errors.ts'
import { openOwn } from './directory.ts'

export type Lock = { fd: number; release(): void }

/** Undefined when somebody else has it. Throws StorageError where files cannot be locked. */
export async function tryLock(file: string): Promise<Lock | undefined> {
  const fd = openOwn(file)
  // Node cannot lock files. flock(1) locks the open file that it shares with us, and leaves.
  const { promise, resolve } = Promise.withResolvers<number | Error | null>()
  const child = spawn('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
  child.on('error', resolve)
  child.on('exit', resolve)
  const outcome = await promise
  if (outcome === 0) return { fd, release: () => closeSync(fd) }
  closeSync(fd)
  if (outcome === 1) return undefined
  throw outcome instanceof Error
    ? new StorageError(
        'binaries',
        'The embedded database needs the program "flock" (package util-linux): install it, or set DATABASE_URL.',
        { cause: outcome },
      )
    : new StorageError(
        'directory',
        `${file} cannot be locked on this file system: choose another DATA_DIR, or set DATABASE_URL.`,
      )
}
