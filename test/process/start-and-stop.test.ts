/** How the server begins and ends as a process: in words, gracefully, and with its parent (RL-04). */
import { existsSync, readlinkSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { clusterProcesses, temporaryDataDir } from '../database/embedded-processes.ts'
import { createDatabase } from '../support/database.ts'
import { childOf, isAlive, startProcess, startServer, top, until } from './processes.ts'

/** For those who do not care where their rows are. */
const { url: DATABASE_URL } = await createDatabase()
const SECRET_KEY = 'any-key-will-do-as-long-as-they-all-share-it'

test('SIGTERM lets a request finish whose body is still arriving, leaves the database, and exits 0', async () => {
  const DATA_DIR = temporaryDataDir()
  const server = await startServer({ DATA_DIR })
  await server.ready()
  const slow = beginRegistration(server.origin)
  await slow.isUnderWay

  server.process.kill('SIGTERM')
  await until(() => server.output.stdout.includes('"stopping"'))
  await expect(fetch(`${server.origin}/healthz`)).rejects.toThrow()
  const { status, body } = await slow.finish()

  expect(status).toBe(202)
  expect(body).toMatchObject({ status: 'verification_sent' })
  expect(await server.ended).toMatchObject({ code: 0, signal: null })
  expect(clusterProcesses(DATA_DIR)).toEqual([])
})

test('a second signal does not wait', async () => {
  const server = await startServer({ DATA_DIR: temporaryDataDir(), DATABASE_URL, SECRET_KEY })
  await server.ready()
  const slow = beginRegistration(server.origin)
  await slow.isUnderWay
  server.process.kill('SIGTERM')
  await until(() => server.output.stdout.includes('"stopping"'))

  // Not just an echo of the first.
  await sleep(1_200)
  const askedAt = Date.now()
  server.process.kill('SIGTERM')

  expect((await server.ended).code).toBe(1)
  expect(Date.now() - askedAt).toBeLessThan(2_000)
  await slow.finish().catch(() => {})
})

test('a signal during the start leaves no database behind', async () => {
  const DATA_DIR = temporaryDataDir()
  const server = await startServer({ DATA_DIR })
  await until(() => clusterProcesses(DATA_DIR).length > 0)

  server.process.kill('SIGINT')

  expect((await server.ended).code).toBe(0)
  expect(clusterProcesses(DATA_DIR)).toEqual([])
})

test('every mistake in the settings is reported together, by name, before anything starts', async () => {
  const DATA_DIR = temporaryDataDir()
  const { ended, output } = await startServer({
    DATA_DIR,
    ISSUER: 'http://id.example.org',
    PASSWORD_MIN_LENGTH: '3',
    TRUSTED_PROXIES: 'somewhere',
  })

  expect((await ended).code).toBe(1)
  for (const name of [
    'ISSUER',
    'SECRET_KEY',
    'SMTP_URL',
    'MAIL_FROM',
    'PASSWORD_MIN_LENGTH',
    'TRUSTED_PROXIES',
  ]) {
    expect(output.stderr).toMatch(new RegExp(`^ +${name}.*: `, 'm'))
  }
  expect(output.stderr).toMatch(/ISSUER: must be https/)
  expect(output.stderr).not.toMatch(/^ +at /m)
  expect(output.stdout).toBe('')
  expect(existsSync(DATA_DIR)).toBe(false)
})

test('a port that is taken is named, with the setting, and nothing is left running', async () => {
  const DATA_DIR = temporaryDataDir()
  const squatter = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => squatter.once('listening', resolve))
  const { port } = squatter.address() as { port: number }

  const { ended, output } = await startServer({ DATA_DIR, PORT: String(port) })

  expect((await ended).code).toBe(1)
  squatter.close()
  expect(output.stderr).toBe(
    `Could not start: Port ${port} is taken: end the program that listens there, or choose another with PORT.\n`,
  )
  expect(clusterProcesses(DATA_DIR)).toEqual([])
})

test('npm passes SIGTERM on to Node 24, whatever Node runs npm, and ends 0 with it', async () => {
  const server = await startServer(
    { DATA_DIR: temporaryDataDir(), DATABASE_URL, SECRET_KEY },
    { by: 'npm' },
  )
  await server.ready()
  const node = childOf(server.pid)
  expect(readlinkSync(`/proc/${node}/exe`)).toMatch(/node_modules\/node\/bin\/node$/)

  server.process.kill('SIGTERM')

  expect((await server.ended).code).toBe(0)
  expect(isAlive(node)).toBe(false)
})

test('Ctrl-C, which reaches server and npm and is passed on by npm, is one wish and not two', async () => {
  const DATA_DIR = temporaryDataDir()
  const server = await startServer({ DATA_DIR }, { by: 'npm', group: true })
  await server.ready()
  const node = childOf(server.pid)

  process.kill(-server.pid, 'SIGINT')

  await server.ended
  expect(isAlive(node)).toBe(false)
  expect(server.output.stdout).toContain('"SIGINT"')
  expect(clusterProcesses(DATA_DIR)).toEqual([])
})

test('killed without a chance to say goodbye, npm takes server and database with it', async () => {
  const DATA_DIR = temporaryDataDir()
  const server = await startServer({ DATA_DIR }, { by: 'npm' })
  await server.ready()
  const node = childOf(server.pid)

  server.process.kill('SIGKILL')

  await until(() => !isAlive(node))
  expect(clusterProcesses(DATA_DIR)).toEqual([])
  expect(server.output.stdout).toContain('parent ended')
})

test('a Node that cannot run it says which one is needed, and how it comes', async () => {
  const older = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.19.0'}})`
  const preload = ['--import', older, '--import', './src/preload.mjs']

  const { ended, output } = startProcess(process.execPath, [...preload, 'src/main.ts'], {})

  expect((await ended).code).toBe(1)
  expect(output.stderr).toMatch(
    /^This is Node 20\.19\.0, and Node 24 is needed\..*--ignore-scripts/s,
  )
  expect(output.stderr).not.toMatch(/^ +at /m)
  expect(existsSync(`${top}/src/preload.mjs`)).toBe(true)
})

/** A registration of which one half has arrived until `finish` sends the other. */
function beginRegistration(origin: string) {
  const body = JSON.stringify({
    username: 'patience',
    email: 'patience@example.org',
    password: 'a long and quiet river',
  })
  const post = request(`${origin}/api/registrations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': body.length },
  })
  const answer = new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    post.once('error', reject)
    post.once('response', async (response) =>
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(await text(response)) }),
    )
  })
  answer.catch(() => {})
  post.write(body.slice(0, 20))
  return {
    /** The server has it: a later request on another connection was answered. */
    isUnderWay: new Promise((resolve) => post.once('socket', (s) => s.once('connect', resolve)))
      .then(() => fetch(`${origin}/healthz`))
      .then((response) => response.text()),
    finish() {
      post.end(body.slice(20))
      return answer
    },
  }
}
