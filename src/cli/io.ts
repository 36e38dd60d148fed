/** What a command sees of the world, so that tests run commands without a process. */
import type { Readable, Writable } from 'node:stream'

export type Io = {
  stdin: Readable & { isTTY?: boolean; setRawMode?(raw: boolean): unknown }
  stdout: Writable & { isTTY?: boolean; columns?: number }
  stderr: Writable & { isTTY?: boolean; columns?: number }
  env: NodeJS.ProcessEnv
  /** Ends what goes on until somebody ends it. */
  signal?: AbortSignal
}
