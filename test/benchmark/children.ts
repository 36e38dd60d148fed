/** The processes of a run: started, waited for, and none of them left when it ends. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'

const patienceMs = 30_000

export type Child = {
  pid: number
  /** The next message. Rejects, with the end of what it printed, when the process ends instead. */
  next<T>(): Promise<T>
  /** Sends, and waits for the next message. */
  ask<T>(order: object): Promise<T>
  /** Rejects when the process ends. */
  ended: Promise<never>
  stop(): Promise<void>
}

/** `logFile` takes what the process prints. */
export function startChild(
  file: string,
  options: { logFile: string; env?: Record<string, string>; execArgv?: string[] },
): Child {
  const log = openSync(options.logFile, 'a')
  const child = fork(new URL(file, import.meta.url), {
    stdio: ['ignore', log, log, 'ipc'],
    execArgv: options.execArgv ?? [],
    env: { ...process.env, ...options.env },
    serialization: 'advanced',
  })
  closeSync(log)
  const exited = once(child, 'exit')
  const ended = exited.then(() => {
    throw new Error(`${file} ended: ${readFileSync(options.logFile, 'utf8').slice(-2000)}`)
  })
  // Expected at the end of a run; before it, whoever waits hears of it.
  ended.catch(() => {})

  async function next<T>(): Promise<T> {
    const stop = new AbortController()
    const message = once(child, 'message', { signal: stop.signal })
    message.catch(() => {})
    try {
      const [value] = await Promise.race([message, ended])
      return value as T
    } finally {
      stop.abort()
    }
  }

  return {
    pid: child.pid as number,
    next,
    async ask<T>(order: object): Promise<T> {
      child.send(order)
      return next<T>()
    },
    ended,
    async stop() {
      child.kill('SIGTERM')
      const cutOff = setTimeout(() => child.kill('SIGKILL'), patienceMs)
      await exited
      clearTimeout(cutOff)
    },
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'))
        else resolve(address.port)
      })
    })
  })
}
