/** `npm run demo -- --check`: does the main job in a place of its own, says how each step went, and tidies up. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '../config.ts'
import { inWords } from '../lifetime.ts'
import { createLogger } from '../logger.ts'
import { type Job, mainJob, type Step } from './main-job.ts'
import { createVisitor } from './visitor.ts'

const stepPatienceMs = 60_000

export type CheckOptions = {
  steps?: Step[]
  /** PATH, and settings that are not to be the usual ones: nothing else of the environment counts. */
  env: Record<string, string>
  /** Resolves with a name when the check is to stop before its end. */
  ending: Promise<string>
  /** A line for standard output; `complain` is for standard error. */
  say(line: string): void
  complain(line: string): void
}

/** Returns the exit code: 0, or 1 when a step failed. Nothing is left running or lying about. */
export async function runCheck(options: CheckOptions): Promise<0 | 1> {
  const { steps = mainJob, say, complain } = options
  const startedAt = Date.now()
  const warnings: string[] = []
  const dataDir = mkdtempSync(join(tmpdir(), 'idp-check-'))
  try {
    const env = { PORT: String(await freePorts()), DATA_DIR: dataDir, ...options.env }
    const config = readConfig(env)
    const job: Job = {
      env,
      config,
      logger: createLogger({
        level: 'warn',
        destination: { write: (line) => warnings.push(line) },
      }),
      visitor: createVisitor({ at: [config.issuer] }),
      person: {
        username: 'ada',
        name: 'Ada Lovelace',
        email: 'ada@example.org',
        password: 'a quiet walk by the lake',
      },
      page: { url: config.issuer, status: 0, headers: new Headers(), body: '', error: undefined },
      code: '',
      sub: '',
    }
    const worked = await walk(job, steps, options)
    const tidy = await tidyUp(job, complain)
    if (!worked || !tidy) {
      for (const line of warnings.slice(-20)) complain(inShort(line))
      return 1
    }
    say(
      `The main job works (${steps.length} steps, ${((Date.now() - startedAt) / 1000).toFixed(1)} s).`,
    )
    return 0
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** False when a step failed, which was said; the steps after it are not tried. */
async function walk(job: Job, steps: Step[], options: CheckOptions): Promise<boolean> {
  const { say, ending } = options
  const stopped = ending.then((why) => {
    throw new Error(`stopped by ${why}`)
  })
  for (const { name, run } of steps) {
    const startedAt = performance.now()
    const tired = new AbortController()
    const patience = sleep(stepPatienceMs, undefined, { signal: tired.signal }).then(() => {
      throw new Error(`not done after ${stepPatienceMs / 1000} s`)
    })
    patience.catch(() => {})
    try {
      await Promise.race([run(job), patience, stopped])
      say(`✓ ${name} (${Math.round(performance.now() - startedAt)} ms)`)
    } catch (error) {
      const [reason, ...more] = inWords(error, job.config).trim().split('\n')
      say(`✗ ${name}: ${reason}`)
      for (const line of more) options.complain(line)
      return false
    } finally {
      tired.abort()
    }
  }
  return true
}

/** A line of the log, as far as it helps here. */
function inShort(line: string): string {
  const { level, msg, err } = JSON.parse(line)
  return `${level}: ${msg}${err ? ` (${err.message})` : ''}`
}

/** A start that is still under way is waited for. Closing what is closed does nothing. */
async function tidyUp({ demo }: Job, complain: CheckOptions['complain']): Promise<boolean> {
  const started = await demo?.catch(() => undefined)
  try {
    await started?.close()
    return true
  } catch (error) {
    complain(`Could not stop: ${inWords(error)}`)
    return false
  }
}

/** The first of two neighbouring ports that are free now. */
export async function freePorts(): Promise<number> {
  for (;;) {
    const first = await probe(0)
    if (first && (await probe(first + 1))) return first
  }
}

function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host: '127.0.0.1' }, () => {
      const { port: found } = server.address() as { port: number }
      server.close(() => resolve(found))
    })
  })
}
