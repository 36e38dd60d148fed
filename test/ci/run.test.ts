/** What `.ci/run` calls and says, with an npm that only pretends. */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

type Report = {
  success: boolean
  numPassedTests: number
  numFailedTests: number
  numPendingTests?: number
  testResults?: { status: string; assertionResults: { status: string }[] }[]
}

/** `fails` is the npm command that does; `report` is what the tests leave behind. */
function runCi({ fails = '', report }: { fails?: string; report?: Report }) {
  const folder = mkdtempSync(join(tmpdir(), 'idp-ci-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(fileURLToPath(new URL('../../.ci', import.meta.url)), join(folder, '.ci'), {
    recursive: true,
  })
  const calls = join(folder, 'calls')
  const written = report
    ? `[ "$*" != test ] || echo '${JSON.stringify(report)}' > "$TEST_REPORT"`
    : ''
  const npm = `#!/bin/sh\necho "$*" >> ${calls}\n${written}\n[ "$*" != "${fails}" ]\n`
  writeFileSync(join(folder, 'npm'), npm)
  chmodSync(join(folder, 'npm'), 0o755)

  const { PATH = '' } = process.env
  const { status, stdout } = spawnSync(join(folder, '.ci/run'), {
    env: { PATH: `${folder}:${PATH}`, TMPDIR: folder },
    encoding: 'utf8',
  })
  return {
    status,
    lastLine: stdout.trimEnd().split('\n').at(-1),
    calls: readFileSync(calls, 'utf8').trimEnd().split('\n'),
  }
}

const good: Report = { success: true, numPassedTests: 7, numFailedTests: 0 }

test('it installs, checks and tests as the README says, and ends with the count of the tests', () => {
  expect(runCi({ report: good })).toEqual({
    status: 0,
    lastLine: 'Tests: 7 passed, 0 failed',
    calls: ['ci', 'run check', 'test'],
  })
})

test('a failing test fails it, and is counted', () => {
  const report = { success: false, numPassedTests: 6, numFailedTests: 1 }

  expect(runCi({ fails: 'test', report })).toMatchObject({
    status: 1,
    lastLine: 'Tests: 6 passed, 1 failed',
  })
})

test('a test file that could not be loaded is a failure too, although it holds no test', () => {
  const broken = { status: 'failed', assertionResults: [] }
  const report = { ...good, success: false, testResults: [broken] }

  expect(runCi({ fails: 'test', report })).toMatchObject({
    status: 1,
    lastLine: 'Tests: 7 passed, 1 failed',
  })
})

test('a test that was left out fails it', () => {
  expect(runCi({ report: { ...good, numPendingTests: 1 } }).status).toBe(1)
})

test.each(['ci', 'run check'])(
  'when npm %s fails, nothing after it runs, and the line is there',
  (command) => {
    const { status, lastLine, calls } = runCi({ fails: command })

    expect(status).not.toBe(0)
    expect(lastLine).toBe('Tests: 0 passed, 0 failed')
    expect(calls.at(-1)).toBe(command)
  },
)
