#!/usr/bin/env node
/** The admin's way in. What it can do is in src/cli/. */
import { run } from './cli/program.ts'
import type { EngineCheck } from './clients/metadata.ts'

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? 0 : 1),
)

process.exitCode = await run(process.argv.slice(2), process, (issuer, allowed) => {
  let check: Promise<EngineCheck> | undefined
  return async (metadata) => {
    // The engine is slow to load, and most commands do not ask it.
    check ??= import('./oidc/validate-client.ts').then(({ createClientCheck }) =>
      createClientCheck(issuer, allowed),
    )
    await (await check)(metadata)
  }
})
