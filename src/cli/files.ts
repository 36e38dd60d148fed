/** Files that commands write and read as streams; `-` is standard output or input. */

import { once } from 'node:events'
import { constants, createReadStream } from 'node:fs'
import { access, open, rm, stat } from 'node:fs/promises'
import { CliError, exitCodes } from './errors.ts'
import type { Io } from './io.ts'

/**
 * Runs `work` with a way to write that waits while the reader is slow. A file is new, for its owner alone (0600), and gone
 * again when the work fails. Throws a conflict when it is there already.
 */
export async function writeTo<T>(
  io: Io,
  path: string,
  work: (write: (chunk: string | Uint8Array) => Promise<void>) => Promise<T>,
): Promise<T> {
  if (path === '-') {
    return work(async (chunk) => {
      if (!io.stdout.write(chunk)) await once(io.stdout, 'drain')
    })
  }
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST')
      throw new CliError(exitCodes.conflict, `${path} is there already.`, ['Name a new file.'])
    throw new CliError(exitCodes.usage, `${path} cannot be written: ${error.message}`)
  })
  try {
    let pending: Uint8Array[] = []
    let size = 0
    const flush = async () => {
      for (const bytes of pending) await file.write(bytes)
      pending = []
      size = 0
    }
    const result = await work(async (chunk) => {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      pending.push(bytes)
      size += bytes.length
      if (size > 65_536) await flush()
    })
    await flush()
    await file.sync()
    return result
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

/** `size` in bytes, where it is known. */
export async function readFrom(
  io: Io,
  path: string,
): Promise<{ chunks: AsyncIterable<Buffer | string>; size: number | undefined }> {
  if (path === '-') return { chunks: io.stdin, size: undefined }
  const wrong = (error: Error) =>
    new CliError(exitCodes.usage, `${path} cannot be read: ${error.message}`)
  try {
    await access(path, constants.R_OK)
    const found = await stat(path)
    if (found.isDirectory()) throw new Error('it is a directory')
    return { chunks: lazily(path), size: found.isFile() ? found.size : undefined }
  } catch (error) {
    throw wrong(error as Error)
  }
}

/** Opened where reading begins, so that a command that refuses first leaves nothing open. */
async function* lazily(path: string): AsyncGenerator<Buffer> {
  yield* createReadStream(path) as AsyncIterable<Buffer>
}
