/** What every long-running program of ours shares: how it ends, and how it says why it could not begin. */
import type { Config } from './config.ts'

export type Lifetime = {
  /** Settled by the first signal or by the end of the parent, with its name. */
  ending: Promise<string>
}

/** Ctrl-C reaches us twice, from the terminal and from npm, which passes it on: that is one wish. */
const oneWishMs = 1_000

/**
 * From now on a signal asks to stop instead of killing, and a second one does not wait. Called before anything is
 * started, so that whoever stops us early leaves nothing behind either.
 */
export function watchForEnd(options: { endWithParent: boolean }): Lifetime {
  const { promise: ending, resolve } = Promise.withResolvers<string>()
  let askedAt: number | undefined
  const ask = (why: string) => {
    const now = performance.now()
    if (askedAt !== undefined && now - askedAt > oneWishMs) process.exit(1)
    askedAt ??= now
    resolve(why)
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => ask(signal))
  if (options.endWithParent) {
    const parent = process.ppid
    // Killed with -9, npm passes no signal on.
    setInterval(() => {
      if (process.ppid !== parent && askedAt === undefined) ask('parent ended')
    }, 500).unref()
  }
  return { ending }
}

/** The mistake and its fix, without a stack. `config` tells which setting chose the address. */
export function inWords(error: unknown, config?: Pick<Config, 'host' | 'metricsPort'>): string {
  const { code, message, port } = error as NodeJS.ErrnoException & { port?: number }
  const setting = port !== undefined && port === config?.metricsPort ? 'METRICS_PORT' : 'PORT'
  if (code === 'EADDRINUSE') {
    return `Port ${port} is taken: end the program that listens there, or choose another with ${setting}.`
  }
  if (code === 'EACCES' && port !== undefined) {
    return `Port ${port} may not be used by this user: choose one above 1023 with ${setting}.`
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return `HOST ${config?.host ?? ''} is not an address of this machine.`
  }
  return message
}
