/**
 * Runs before everything else, in every npm script: `node --import ./src/preload.mjs`. Plain JavaScript, because it
 * must be able to say that this Node cannot run TypeScript. And what was compiled once is kept for the next start.
 */
// Not by name: older versions do not have it.
import module from 'node:module'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(
    `This is Node ${process.versions.node}, and Node 24 is needed. "npm ci" brings it, when install scripts may run:\n` +
      'install again without --ignore-scripts (and without ignore-scripts in .npmrc).\n',
  )
  process.exit(1)
}
// Not in the temporary directory: what lies there could be another user's.
module.enableCompileCache(new URL('../node_modules/.cache/compiled', import.meta.url).pathname)
