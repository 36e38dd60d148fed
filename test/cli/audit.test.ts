/** `idp audit`: what happened is found, followed and written out. */
import { mkdtempSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { beforeEach, expect, test } from 'vitest'
import { record } from '../../src/audit/audit.ts'
import { listEvents, listNewEvents } from '../../src/audit/search.ts'
import { run } from '../../src/cli/program.ts'
import { createDatabase } from '../support/database.ts'
import { createPerson } from '../support/person.ts'
import { createIdp } from './support.ts'

const database = await createDatabase()
const { db, pool, url } = database
const env = { ISSUER: 'https://id.example.org', SUDO_USER: 'night-admin', DATABASE_URL: url }
const idp = createIdp(url, env)
const ada = await createPerson({ database }, { username: 'ada' })
await idp([
  'clients',
  'create',
  'Cloud',
  '--client-id',
  'cloud',
  '--preset',
  'generic',
  '--redirect-uri',
  'https://cloud.example.org/cb',
])

const refused = (address: string, more: object = {}) =>
  record(db, {
    type: 'sign_in.refused',
    accountId: ada.id,
    clientId: 'cloud',
    origin: { address, userAgent: 'Moz\u001b[2Jilla' },
    ...more,
  })

/** Ids begin with the millisecond; within one their order is chance. */
const tick = () => new Promise((resolve) => setTimeout(resolve, 2))

beforeEach(async () => {
  await pool.query('truncate audit_events')
  await refused('203.0.113.7')
  await tick()
  await record(db, {
    type: 'sign_in.succeeded',
    actor: { kind: 'person', id: ada.id },
    accountId: ada.id,
    origin: { address: '198.51.100.1' },
  })
  await tick()
  await record(db, {
    type: 'client.updated',
    actor: { kind: 'operator', id: 'night-admin' },
    clientId: 'cloud',
    detail: { changed: ['name'], note: '\u001b]0;pwned\u0007' },
  })
})

const search = async (...flags: string[]) => {
  const { code, stdout, stderr } = await idp(['audit', 'search', '--json', ...flags])
  expect(code, stderr).toBe(0)
  const { events, next } = JSON.parse(stdout)
  return { types: events.map(({ type }: { type: string }) => type), events, next }
}

test.each([
  [[], ['client.updated', 'sign_in.succeeded', 'sign_in.refused']],
  [
    ['--account', 'ada'],
    ['sign_in.succeeded', 'sign_in.refused'],
  ],
  [
    ['--client', 'Cloud'],
    ['client.updated', 'sign_in.refused'],
  ],
  [
    ['--type', 'sign_in'],
    ['sign_in.succeeded', 'sign_in.refused'],
  ],
  [
    ['--type', 'sign_in.refused', '--type', 'client'],
    ['client.updated', 'sign_in.refused'],
  ],
  [['--type', 'sign'], []],
  [['--actor', 'operator'], ['client.updated']],
  [['--actor', 'night-admin'], ['client.updated']],
  [['--address', '203.0.113.0/24'], ['sign_in.refused']],
  [['--address', '198.51.100.1'], ['sign_in.succeeded']],
  [
    ['--since', '1h'],
    ['client.updated', 'sign_in.succeeded', 'sign_in.refused'],
  ],
  [['--until', '1h'], []],
  [['--since', '2999-01-01'], []],
])('search %j finds what fits', async (flags, types) => {
  expect((await search(...flags)).types).toEqual(types)
})

test.each([
  ['--address', 'home'],
  ['--address', '203.0.113.0/33'],
  ['--since', 'yesterday'],
  ['--since', '2026-13-45'],
  ['--limit', '0'],
  ['--limit', '1001'],
  ['--before', "'; drop table accounts"],
])('%s %s is wrong use, in words', async (flag, value) => {
  const { code, stderr } = await idp(['audit', 'search', flag, value])
  expect([code, stderr.includes(flag)]).toEqual([2, true])
})

test('pages follow each other to the end', async () => {
  for (let index = 0; index < 5; index++) await refused('203.0.113.9')
  const all = (await search()).events.map(({ id }: { id: string }) => id)
  const walked: string[] = []
  for (let before: string | null = null; ; ) {
    const page = await search('--limit', '3', ...(before ? ['--before', before] : []))
    walked.push(...page.events.map(({ id }: { id: string }) => id))
    before = page.next
    if (!before) break
  }
  expect(walked).toEqual(all)
})

test('a person reads words, and nothing that an attacker wrote reaches the terminal', async () => {
  const { stdout } = await idp(['audit', 'search'], {
    terminal: { columns: 120 },
    env: { NO_COLOR: '1' },
  })
  expect(stdout).toContain('wrong name or password')
  expect(stdout).toContain('operator night-admin')
  expect(stdout).not.toContain('\u001b')
  expect(stdout).not.toContain('\u0007')
})

test('tail prints the last in their order', async () => {
  const { stdout } = await idp(['audit', 'tail', '-n', '2', '--json'])
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ version, event }) => [version, event.type])).toEqual([
    [1, 'sign_in.succeeded'],
    [1, 'client.updated'],
  ])
})

test('tail --follow goes on until it is ended, each event once', async () => {
  const ending = new AbortController()
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const going = run(
    ['audit', 'tail', '-f', '--json'],
    { stdin, stdout, stderr, env, signal: ending.signal },
    () => async () => {},
  )
  const types: string[] = []
  let rest = ''
  for await (const chunk of stdout) {
    rest += String(chunk)
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      types.push(JSON.parse(line).event.type)
      if (types.length === 3) await record(db, { type: 'account.disabled' })
      if (types.length === 4) await record(db, { type: 'account.enabled' })
    }
    if (types.length >= 5) break
  }
  ending.abort()
  stdout.resume()
  expect(await going).toBe(0)
  expect(types).toEqual([
    'sign_in.refused',
    'sign_in.succeeded',
    'client.updated',
    'account.disabled',
    'account.enabled',
  ])
})

test('what ends after a later one is followed too', async () => {
  const seen = new Map<string, number>()
  await listNewEvents(db, {}, seen)
  const slow = await pool.connect()
  await slow.query('begin')
  await slow.query(
    "insert into audit_events (id, type, actor_kind) values (uuidv7(), 'slow.one', 'system')",
  )
  await record(db, { type: 'quick.one' })
  expect((await listNewEvents(db, {}, seen)).map(({ type }) => type)).toEqual(['quick.one'])
  await slow.query('commit')
  slow.release()
  expect((await listNewEvents(db, {}, seen)).map(({ type }) => type)).toEqual(['slow.one'])
})

test('export writes all that fits, in its order, for its owner alone', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'idp-audit-')), 'events.jsonl')
  const { code, stderr } = await idp(['audit', 'export', file, '--account', 'ada'])
  expect([code, stderr]).toEqual([0, expect.stringContaining('Exported 2')])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const [head, ...lines] = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(head).toEqual({ version: 1, format: 'idp.audit' })
  expect(lines.map(({ type }) => type)).toEqual(['sign_in.refused', 'sign_in.succeeded'])
})

test('nobody asks for more than a page at once', async () => {
  expect((await listEvents(db, {}, { limit: 1_000_000 })).length).toBeLessThanOrEqual(1000)
})
