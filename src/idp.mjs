#!/usr/bin/env node
/** What `npx idp` runs: says in words when this Node is too old, then hands over to cli.ts. */
import './preload.mjs'

await import('./cli.ts')
