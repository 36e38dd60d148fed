/**
 * A lock on a file that the kernel frees when the last process that holds it has gone. The postmaster and its
 * children inherit it, so whoever gets it knows that nobody of this cluster is alive, whatever pid files say;
 * even in another container on the same volume.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

export type Lock = { fd: number; release(): void }

/** Undefined when somebody else has it. */
export async function tryLock(file: string): Promise<Lock | undefined> {
  const fd = openSync(file, 'a', 0o600)
  // Node cannot lock files. flock(1) locks the open file that it shares with us, and leaves.
  const { promise, resolve } = Promise.withResolvers<number | null>()
  const child = spawn('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
  // A machine without flock(1) is left to PostgreSQL's own pid file.
  child.on('error', () => resolve(0))
  child.on('exit', resolve)
  const locked = (await promise) === 0
  if (!locked) closeSync(fd)
  return locked ? { fd, release: () => closeSync(fd) } : undefined
}
