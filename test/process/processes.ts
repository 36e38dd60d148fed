/** Starts, asks, loads and kills whole servers as processes of their own, as npm and an init system would. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onTestFinished, vi } from 'vitest'
import { freePort } from '../support/server.ts'

// Whole programs start here, several at once: a busy machine takes its time, and only what a promise says is bounded.
vi.setConfig({ testTimeout: 120_000 })

export const top = fileURLToPath(new URL('../../', import.meta.url))

export type Server = {
  process: ChildProcess
  pid: number
  origin: string
  /** What it has written so far. */
  output: { stdout: string; stderr: string }
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; ms: number }>
  /** Resolves with the milliseconds from start to 200 at `/readyz`. Throws when it ends before. */
  ready(withinMs?: number): Promise<number>
}

/**
 * `node` with the flags of `npm start`, or npm itself; `env` is all that it gets besides PATH and HOME. `group`: in
 * a process group of its own, as a shell starts it, to which Ctrl-C is sent as a whole.
 */
export async function startServer(
  env: Record<string, string>,
  { by = 'node', group = false }: { by?: 'node' | 'npm'; group?: boolean } = {},
): Promise<Server> {
  const port = env.PORT ?? String(await freePort())
  const [command, args] = by === 'npm' ? ['npm', ['start']] : [process.execPath, startArguments()]
  const server = startProcess(command, args, { LOG_LEVEL: 'info', ...env, PORT: port }, group)
  const origin = `http://localhost:${port}`
  return {
    ...server,
    origin,
    async ready(withinMs = 60_000) {
      const startedAt = Date.now()
      for (;;) {
        const status = await fetch(`${origin}/readyz`).then(
          (response) => response.status,
          () => 0,
        )
        if (status === 200) return Date.now() - startedAt
        const late = Date.now() - startedAt > withinMs
        if (late || server.process.exitCode !== null) {
          const { stdout, stderr } = server.output
          throw new Error(`not ready after ${Date.now() - startedAt} ms\n${stdout}${stderr}`)
        }
        await sleep(25)
      }
    },
  }
}

export function startProcess(
  command: string,
  args: string[],
  env: Record<string, string>,
  group = false,
): Omit<Server, 'origin' | 'ready'> {
  const { PATH = '', HOME = '' } = process.env
  const startedAt = Date.now()
  const child = spawn(command, args, { cwd: top, env: { PATH, HOME, ...env }, detached: group })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (output.stdout += chunk))
  child.stderr.on('data', (chunk) => (output.stderr += chunk))
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null; ms: number }>(
    (resolve) =>
      child.once('close', (code, signal) => resolve({ code, signal, ms: Date.now() - startedAt })),
  )
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return { process: child, pid: child.pid ?? 0, output, ended }
}

/** The flags of the script itself, so that what is tested is what people start. */
function startArguments(): string[] {
  const manifest = readFileSync(`${top}/package.json`, 'utf8')
  const { scripts } = JSON.parse(manifest) as { scripts: { start: string } }
  return scripts.start.replace(/^exec node /, '').split(' ')
}

/** The only process that `pid` started and that still lives. */
export function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // Nobody has asked how it ended yet.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

export async function until(what: () => boolean | Promise<boolean>, withinMs = 30_000) {
  const giveUpAt = Date.now() + withinMs
  while (!(await what())) {
    if (Date.now() > giveUpAt) throw new Error(`not within ${withinMs} ms: ${what}`)
    await sleep(25)
  }
}

let count = 0

export type Acknowledged = { id: string; handle: string }

/**
 * People register, several at once, until `stop`. Returns those that the server said it has; what it did not
 * answer may or may not be there.
 */
export function registerPeople(origin: string, atOnce = 3) {
  const acknowledged: Acknowledged[] = []
  const stopping = new AbortController()
  const one = async () => {
    while (!stopping.signal.aborted) {
      const username = `person${process.pid}x${count++}`
      const body = {
        username,
        email: `${username}@example.org`,
        password: 'a long and quiet river',
      }
      try {
        const response = await fetch(`${origin}/api/registrations`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
        const answer = (await response.json()) as Acknowledged
        if (response.status === 202) acknowledged.push(answer)
        else await sleep(50)
      } catch {
        await sleep(50)
      }
    }
  }
  const all = Promise.all(Array.from({ length: atOnce }, one))
  return {
    acknowledged,
    async stop() {
      stopping.abort()
      await all
    },
  }
}

/** Those that the server does not know, although it said so. */
export async function findLost(origin: string, people: Acknowledged[]): Promise<string[]> {
  const lost: string[] = []
  for (const { id, handle } of people) {
    const response = await fetch(`${origin}/api/registrations/${id}`, {
      headers: { authorization: `Bearer ${handle}` },
    })
    if (response.status !== 200) lost.push(`${id}: ${response.status}`)
  }
  return lost
}
