import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { createDatabase } from '../support/database.ts'

const cli = join(import.meta.dirname, '../../src/cli.ts')
const { url } = await createDatabase()
const directory = mkdtempSync(join(tmpdir(), 'idp-cli-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

type Ran = { code: number; stdout: string; stderr: string }

async function idp(
  argv: string[],
  env: Record<string, string> = { DATABASE_URL: url },
  stdin = '',
): Promise<Ran> {
  const running = promisify(execFile)(process.execPath, [cli, ...argv], {
    env: { PATH: process.env.PATH ?? '', ...env },
  })
  running.child.stdin?.end(stdin)
  return running.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )
}

test('the file can be run, as npx does', () => {
  expect(statSync(cli).mode & 0o111).toBe(0o111)
})

test('a client is made by the real command, judged by the real engine', async () => {
  const create = [
    'clients',
    'create',
    'Cloud',
    '--preset',
    'generic',
    '--app-url',
    'https://cloud.example.org',
    '--json',
  ]
  const made = await idp(create)
  expect(made.code, made.stderr).toBe(0)
  expect(JSON.parse(made.stdout).client.client_name).toBe('Cloud')
  expect((await idp(create)).code).toBe(4)
  expect((await idp(['clients', 'get', 'Cloud', '--json'])).stdout).toContain('"client_id"')
})

test('exit codes reach the shell', async () => {
  expect((await idp(['--help'])).code).toBe(0)
  expect((await idp(['clients', 'nonsense'])).code).toBe(2)
  expect((await idp(['clients', 'get', 'nobody'])).code).toBe(3)
  expect((await idp(['clients', 'list'], { DATABASE_URL: 'postgres://127.0.0.1:1/x' })).code).toBe(
    6,
  )
})

test('a secret by standard input becomes an account', async () => {
  const argv = [
    'users',
    'create',
    'ada',
    '--email',
    'ada@example.org',
    '--verified',
    '--password-stdin',
  ]
  const { code, stderr } = await idp(argv, { DATABASE_URL: url }, 'correct horse battery\n')
  expect(code, stderr).toBe(0)
})

test('without DATABASE_URL it uses the embedded database, several commands at once', async () => {
  const env = { DATA_DIR: join(directory, 'data') }
  const ran = await Promise.all([
    idp(['clients', 'list', '--json'], env),
    idp(['apis', 'list', '--json'], env),
  ])
  for (const { code, stderr } of ran) expect(code, stderr).toBe(0)
  expect(JSON.parse(ran[1].stdout)).toMatchObject({ version: 1, apis: [{ built_in: true }] })
})

test('a reader that has seen enough is no failure', async () => {
  const running = spawn(process.execPath, [cli, 'clients', 'presets', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.stdout.destroy()
  let stderr = ''
  running.stderr.on('data', (chunk) => {
    stderr += String(chunk)
  })
  const [code] = await once(running, 'exit')
  expect([code, stderr]).toEqual([0, ''])
})

test.each([
  { how: 'Ctrl-C', end: (running: ChildProcess) => void running.kill('SIGINT') },
  { how: 'a reader that leaves', end: (running: ChildProcess) => void running.stdout?.destroy() },
])(
  '$how ends a command that watches, and the database that was started for it',
  async ({ end }) => {
    const dataDir = join(directory, 'watched')
    const env = { PATH: process.env.PATH ?? '', DATA_DIR: dataDir }
    expect(
      (await idp(['settings', 'update', '--remember-days', '1'], { DATA_DIR: dataDir })).code,
    ).toBe(0)
    const running = spawn(process.execPath, [cli, 'audit', 'tail', '-f'], { env })
    await once(running.stdout, 'data')
    expect(existsSync(join(dataDir, 'postgres', 'postmaster.pid'))).toBe(true)
    const ended = once(running, 'exit')
    end(running)
    // Whoever has left hears of it with the next line.
    if (running.exitCode === null)
      await idp(['settings', 'update', '--remember-days', '2'], { DATA_DIR: dataDir })
    await ended
    expect(existsSync(join(dataDir, 'postgres', 'postmaster.pid'))).toBe(false)
  },
)
