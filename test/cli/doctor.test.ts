/** `idp doctor` as a person and a program meet it: a line for each check, whatever is broken, and an exit code that says so. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checks } from '../../src/doctor/checks.ts'
import { freePort, startTestServer } from '../support/server.ts'
import { createIdp } from './support.ts'

const server = await startTestServer()
const { port, dataDir, issuer } = server.config
const idp = createIdp(server.database.url, { PORT: String(port), DATA_DIR: dataDir })
const empty = mkdtempSync(join(tmpdir(), 'idp-doctor-'))
afterAll(() => rmSync(empty, { recursive: true }))

type Shown = { check: string; state: string; seen: string; expected?: string; fix?: string }
const jsonOf = (stdout: string) =>
  JSON.parse(stdout) as {
    version: number
    ok: boolean
    counts: Record<string, number>
    checks: Shown[]
  }

test('a server that is well: a line for each check, and 0', async () => {
  const { code, stdout, stderr } = await idp(['doctor'])
  expect([code, stderr]).toEqual([0, 'Nothing is broken.\n'])
  expect(stdout).toContain(
    `ok       issuer.reachable: ${issuer} leads to a server on this database\n`,
  )
  expect(stdout.split('\n').filter((line) => !/^(ok|skipped) +[a-z.-]+: \S/.test(line))).toEqual([
    '',
  ])
})

test('each check of the table says something', async () => {
  const { code, stdout } = await idp(['doctor', '--json'])
  const { version, ok, counts, checks: shown } = jsonOf(stdout)
  expect([code, version, ok, counts.broken]).toEqual([0, 1, true, 0])
  const groups = new Set(shown.map(({ check }) => check.split('.')[0]))
  const spoken = (name: string) => groups.has(name.split('.')[0] ?? '')
  expect(checks.map(({ name }) => name).filter((name) => !spoken(name))).toEqual([])
  expect(counts.ok).toBeGreaterThan(20)
})

test('a mistake is named with what was seen, what was expected and what repairs it, and ends with 1', async () => {
  await server.database.pool.query('drop index sessions_expires_at_idx')
  const { code, stdout, stderr } = await idp(['doctor'])
  const { checks: shown } = jsonOf((await idp(['doctor', '--json'])).stdout)
  await server.database.pool.query('create index sessions_expires_at_idx on sessions (expires_at)')
  expect([code, stderr]).toEqual([1, 'idp: 1 broken, 0 to look at.\n'])
  expect(stdout).toMatch(
    /^broken {3}database\.indices: .* is missing; expected: .*\n {9}→ in psql: CREATE INDEX/m,
  )
  expect(shown.find(({ state }) => state === 'broken')).toMatchObject({ check: 'database.indices' })
})

test('a warning breaks nothing', async () => {
  const { code, stderr } = await idp(['doctor', '--offline'], { env: { LIMIT_FACTOR: '3' } })
  expect([code, stderr]).toEqual([0, 'Nothing is broken; 1 to look at.\n'])
})

test('settings that are not usable are all told, and hide nothing else', async () => {
  const env = { PASSWORD_MIN_LENGTH: '3', SMTP_URL: 'gopher://mail', TRUSTED_PROXIES: 'home' }
  const { code, stdout } = await idp(['doctor', '--json'], { env })
  const { checks: shown } = jsonOf(stdout)
  expect(code).toBe(1)
  const broken = shown.filter(({ state }) => state === 'broken')
  expect(broken.map(({ seen }) => seen.split(':')[0])).toEqual(
    expect.arrayContaining(Object.keys(env)),
  )
  expect(broken).toHaveLength(3)
  expect(shown).toContainEqual(expect.objectContaining({ check: 'issuer.reachable', state: 'ok' }))
})

test.each([
  ['nobody listens', { DATABASE_URL: 'postgres://ada:geheimnis@127.0.0.1:9/idp' }, /DATABASE_URL/],
  ['none was made yet', { DATABASE_URL: '', DATA_DIR: empty }, /npm start/],
])(
  'a database that is not reachable (%s) ends with 6, and the rest is still told',
  async (_, env, fix) => {
    const { code, stdout, stderr } = await idp(['doctor', '--json', '--offline'], { env })
    const { ok, checks: shown } = jsonOf(stdout)
    expect([code, ok]).toEqual([6, false])
    expect(shown[0]).toMatchObject({ check: 'database.reachable', fix: expect.stringMatching(fix) })
    expect(shown.filter(({ state }) => state === 'ok').map(({ check }) => check)).toContain('node')
    expect(stdout + stderr).not.toContain('geheimnis')
    expect(readdirSync(empty)).toEqual([])
  },
)

test('a server that does not run is named, and its issuer when it is not usable', async () => {
  const gone = await idp(['doctor', '--json'], { env: { PORT: String(await freePort()) } })
  expect(gone.code).toBe(1)
  expect(jsonOf(gone.stdout).checks).toContainEqual(
    expect.objectContaining({
      check: 'issuer.reachable',
      fix: expect.stringContaining('npm start'),
    }),
  )
  for (const ISSUER of ['nonsense', 'https://id.example.org/']) {
    const wrong = await idp(['doctor', '--json', '--offline'], { env: { ISSUER } })
    expect(wrong.code).toBe(1)
    expect(jsonOf(wrong.stdout).checks[0]).toMatchObject({
      check: 'settings',
      seen: expect.stringContaining('ISSUER'),
    })
  }
})

test('--offline asks nobody but the database', async () => {
  let asked = 0
  const listener = createServer((_, answer) => {
    asked++
    answer.end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => listener.once('listening', resolve))
  const own = (listener.address() as AddressInfo).port
  const env = { PORT: String(own), SMTP_URL: `smtp://127.0.0.1:${own}`, MAIL_FROM: 'a@example.org' }
  await idp(['doctor', '--offline'], { env })
  expect(asked).toBe(0)
  await idp(['doctor'], { env })
  expect(asked).toBeGreaterThan(0)
  listener.close()
})

test('no secret is ever shown', async () => {
  const secrets = { key: 'NeverShow-abcdefghijklmnopqrstuvwxyz', mail: 'mail-geheim-1' }
  const env = {
    SECRET_KEY: secrets.key,
    SMTP_URL: `smtp://ada:${secrets.mail}@127.0.0.1:9`,
    MAIL_FROM: 'a@localhost.test',
  }
  const { code, stdout, stderr } = await idp(['doctor', '--json'], { env })
  expect(code).toBe(1)
  for (const secret of Object.values(secrets)) expect(stdout + stderr).not.toContain(secret)
  expect(stdout).toContain('SECRET_KEY does not open')
})

describe('a server looks at itself once it is up', () => {
  const warningsOf = (log: string[]) =>
    log
      .map((line) => JSON.parse(line) as { level: string; check?: string; fix?: string })
      .filter(({ check }) => check !== undefined)
  const until = async (met: () => boolean) => {
    for (let tries = 0; !met() && tries < 200; tries++)
      await new Promise((resolve) => setTimeout(resolve, 50))
  }

  test('mistakes are warnings in the log, and it serves as before', async () => {
    await server.database.pool.query('drop index sessions_expires_at_idx')
    const started = await startTestServer({
      env: { ISSUER: `http://localhost:${await freePort()}` },
      database: server.database,
      dataDir,
      crontab: '',
      examineAfterMs: 0,
    })
    const { log } = started
    await until(() => warningsOf(log).length >= 2)
    await server.database.pool.query(
      'create index sessions_expires_at_idx on sessions (expires_at)',
    )
    expect(warningsOf(log).map(({ level, check }) => [level, check])).toEqual([
      ['warn', 'database.indices'],
      ['warn', 'issuer.reachable'],
    ])
    expect(warningsOf(log)[0]?.fix).toMatch(/CREATE INDEX/)
    const alive = await fetch(`http://127.0.0.1:${started.config.port}/healthz`)
    expect(alive.status).toBe(200)
  })

  test('one that is well says nothing, and one that leaves meanwhile says nothing either', async () => {
    const options = { database: server.database, dataDir, crontab: '', examineAfterMs: 0 }
    const well = await startTestServer(options)
    await until(() => well.log.some((line) => line.includes('/doctor/probe')))
    const leaving = await startTestServer(options)
    await leaving.close()
    expect([...warningsOf(well.log), ...warningsOf(leaving.log)]).toEqual([])
    expect(leaving.log.join('')).not.toContain('could not examine')
  })
})
