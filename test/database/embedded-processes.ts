/** Starts, asks, kills and counts processes for the tests of the embedded database. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

type Said = { event: string; detail: unknown }
export type User = {
  process: ChildProcess
  /** The next thing that it says. */
  hear(): Promise<Said>
  ask(line: 'write' | 'close'): Promise<Said>
  kill(): Promise<void>
}

/** A new DATA_DIR below a temporary directory; at the end its database is killed and all of it removed. */
export function temporaryDataDir(...below: string[]): string {
  const top = mkdtempSync(join(tmpdir(), 'idp-embedded-'))
  // Where user namespaces are forbidden to root, another user must come through.
  chmodSync(top, 0o711)
  const dataDir = join(top, ...below, 'data')
  onTestFinished(async () => {
    killPostmaster(dataDir)
    await untilGone(dataDir)
    rmSync(top, { recursive: true, force: true })
  })
  return dataDir
}

/** `uid` starts it as that user, `path` is its PATH. */
export function useDatabase(dataDir: string, options: { uid?: number; path?: string } = {}): User {
  const { uid, path } = options
  const program = fileURLToPath(new URL('embedded-user.ts', import.meta.url))
  const child = spawn(process.execPath, [program, dataDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...(path === undefined ? {} : { PATH: path }) },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const hear = async () => {
    const { value, done } = await lines.next()
    return done ? { event: 'ended', detail: null } : (JSON.parse(value) as Said)
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  return {
    process: child,
    hear,
    kill,
    ask: (line) => {
      child.stdin.write(`${line}\n`)
      return hear()
    },
  }
}

/** Every process that lives in the cluster. */
export function clusterProcesses(dataDir: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === join(dataDir, 'postgres')
    } catch {
      return false
    }
  })
}

export function postmaster(dataDir: string): number {
  return Number(readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')[0])
}

/** Kills the postmaster alone; its children notice and leave. */
export function killPostmaster(dataDir: string): void {
  const pid = clusterProcesses(dataDir).length > 0 ? postmaster(dataDir) : undefined
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
}

export async function untilGone(dataDir: string): Promise<void> {
  while (clusterProcesses(dataDir).length > 0) await sleep(10)
}
