/** `npm run demo` and its check as people start and stop them. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { freePorts } from '../../src/demo/check.ts'
import { mainJob } from '../../src/demo/main-job.ts'
import { clusterProcesses, temporaryDataDir } from '../database/embedded-processes.ts'
import { childOf, isAlive, startProcess, top, until } from './processes.ts'

const stepLine = /^✓ .+ \(\d+ ms\)$/

test('the demo says where everything is and what to click, and ends with everything on a signal', async () => {
  const DATA_DIR = temporaryDataDir()
  const port = await freePorts()
  const { process: npm, output, ended } = demo({ DATA_DIR, PORT: String(port) })
  await until(() => output.stdout.includes('Ctrl-C'))

  for (const address of [`${port}/dev/mailbox`, `${port + 1}`, `${port + 1}/second`, `${port}`]) {
    expect(output.stdout).toMatch(new RegExp(`http://localhost:${address}(?![\\w/])`))
  }
  const home = await fetch(`http://localhost:${port + 1}`)
  expect(await home.text()).toContain('Sign in')

  npm.kill('SIGTERM')
  expect((await ended).code).toBe(0)
  expect(clusterProcesses(DATA_DIR)).toEqual([])
})

test('a port that is taken is named, before a database is made', async () => {
  const DATA_DIR = temporaryDataDir()
  const port = await freePorts()
  const squatter = createServer().listen(port + 1, '127.0.0.1')
  onTestFinished(() => void squatter.close())

  const { ended, output } = demo({ DATA_DIR, PORT: String(port) })

  expect((await ended).code).toBe(1)
  expect(output.stderr).toMatch(`Port ${port + 1} is taken`)
  expect(clusterProcesses(DATA_DIR)).toEqual([])
})

test('the check prints a line a step, ends 0 and leaves nothing behind, whatever the environment says', async () => {
  const TMPDIR = temporaryFolder()
  const foreign = {
    ISSUER: 'https://id.example.org',
    SMTP_URL: 'smtp://127.0.0.1:1',
    REGISTRATION: 'closed',
  }
  const { output, ended } = demo({ TMPDIR, ...foreign }, ['--', '--check'])

  expect((await ended).code, output.stdout + output.stderr).toBe(0)
  expect(linesOf(output.stdout).filter((line) => stepLine.test(line))).toHaveLength(mainJob.length)
  expect(placesIn(TMPDIR)).toEqual([])
})

test('interrupted in the middle, the check names the step, ends 1 and leaves nothing behind', async () => {
  const TMPDIR = temporaryFolder()
  const { process: npm, output, ended } = demo({ TMPDIR }, ['--', '--check'])
  await until(() => placesIn(TMPDIR).flatMap(clusterProcesses).length > 0)
  const places = placesIn(TMPDIR)

  npm.kill('SIGINT')

  expect((await ended).code).toBe(1)
  expect(linesOf(output.stdout).at(-1)).toMatch(/^✗ .+: stopped by SIGINT$/)
  expect(places.flatMap(clusterProcesses)).toEqual([])
  expect(placesIn(TMPDIR)).toEqual([])
})

test('when npm is killed, the check tidies up before it goes', async () => {
  const TMPDIR = temporaryFolder()
  const { process: npm, pid, output } = demo({ TMPDIR }, ['--', '--check'])
  await until(() => output.stdout.includes('✓'))
  const node = childOf(pid)
  const places = placesIn(TMPDIR)

  npm.kill('SIGKILL')

  await until(() => !isAlive(node))
  expect(places.flatMap(clusterProcesses)).toEqual([])
  expect(placesIn(TMPDIR)).toEqual([])
})

test('a check that cannot even begin says why', async () => {
  const { output, ended } = demo({ TMPDIR: join(top, 'package.json') }, ['--', '--check'])

  expect((await ended).code).toBe(1)
  expect(output.stderr).toMatch(/^The check could not begin\. .*package\.json/m)
  expect(output.stderr).not.toMatch(/^ +at /m)
})

test('an option that there is not is refused with those that there are', async () => {
  const { output, ended } = demo({}, ['--', '--chekc'])

  expect((await ended).code).toBe(2)
  expect(output.stderr).toContain('npm run demo -- --check')
})

function demo(env: Record<string, string>, args: string[] = []) {
  return startProcess('npm', ['run', 'demo', ...args], env)
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'idp-process-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Where checks are at work; npm keeps things of its own beside. */
function placesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.startsWith('idp-check-'))
  return names.map((name) => join(folder, name))
}

/** What npm says of itself left out. */
function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('>'))
}
