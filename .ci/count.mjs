/** Prints "Tests: N passed, N failed" from the report of `npm test`. Plain JavaScript: whatever Node is there runs it. */
import { existsSync, readFileSync } from 'node:fs'

const [file] = process.argv.slice(2)
const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined

// A file that could not even be loaded holds no test, and is a failure all the same.
const broken = (report?.testResults ?? []).filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some(isFailed),
)
// Nothing is left out: a test that does not run proves nothing.
const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0)
if (skipped > 0) console.log(`${skipped} skipped`)
const failed = (report?.numFailedTests ?? 0) + broken.length
console.log(`Tests: ${report?.numPassedTests ?? 0} passed, ${failed} failed`)
if (!report?.success || skipped > 0) process.exitCode = 1

function isFailed({ status }) {
  return status === 'failed'
}
