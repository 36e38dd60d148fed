#!/usr/bin/env node
/** The admin's way in. What it can do is in src/cli/. */
import { run } from './cli/program.ts'
import type { EngineCheck } from './clients/metadata.ts'

// A reader that has seen enough, such as `head`, is no failure, and neither is Ctrl-C: the command ends by itself, so that
// a database that was started for it is stopped. What would go on for ever is cut.
const graceMs = 3000
const stopped = new AbortController()
function stop(code: number): void {
  stopped.abort()
  setTimeout(() => process.exit(code), graceMs).unref()
}
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => stop(code === 'EPIPE' ? 0 : 1))
process.once('SIGINT', () => stop(130))
process.once('SIGTERM', () => stop(143))

const { stdin, stdout, stderr, env } = process
const io = { stdin, stdout, stderr, env, signal: stopped.signal }
process.exitCode = await run(process.argv.slice(2), io, (issuer, allowed) => {
  let check: Promise<EngineCheck> | undefined
  return async (metadata) => {
    // The engine is slow to load, and most commands do not ask it.
    check ??= import('./oidc/validate-client.ts').then(({ createClientCheck }) =>
      createClientCheck(issuer, allowed),
    )
    await (await check)(metadata)
  }
})
