import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/database/connection.ts'
import { openEmbedded } from '../../src/database/embedded/open.ts'
import { rounds } from '../support/rounds.ts'
import {
  clusterProcesses,
  killPostmaster,
  postmaster,
  temporaryDataDir,
  untilGone,
  useDatabase,
} from './embedded-processes.ts'

const settings = { fsync: 'off' }
const timeout = 30_000 + rounds * 2_000

test('five processes that start on an empty directory share one cluster, and the last one stops it (RC-17, RL-03)', async () => {
  const dataDir = temporaryDataDir()
  const users = Array.from({ length: 5 }, () => useDatabase(dataDir))

  const opened = await Promise.all(users.map((user) => user.hear()))
  expect(opened.map(({ event }) => event)).toEqual(Array(5).fill('opened'))
  const wrote = await Promise.all(users.slice(0, 1).map((user) => user.ask('write')))
  expect(wrote).toEqual([{ event: 'wrote', detail: '1' }])
  expect(await users[1]?.ask('write')).toEqual({ event: 'wrote', detail: '2' })

  const closed = await Promise.all(users.map((user) => user.ask('close')))
  // Those who were leaving when it stopped say so too.
  expect(closed.map(({ detail }) => detail)).toContain('stopped')
  expect(clusterProcesses(dataDir)).toEqual([])
  expect(readdirSync(dataDir).sort()).toEqual(['postgres', 'postgres.lock', 'postgres.log'])
})

test('after kill -9 of its user the database goes on, and the next process joins it (RL-02)', async () => {
  const dataDir = temporaryDataDir()
  const first = useDatabase(dataDir)
  await first.hear()
  await first.ask('write')
  const server = postmaster(dataDir)
  await first.kill()

  const second = useDatabase(dataDir)
  expect((await second.hear()).event).toBe('opened')
  expect(postmaster(dataDir)).toBe(server)
  expect((await second.ask('write')).detail).toBe('2')
  expect((await second.ask('close')).detail).toBe('stopped')
})

test('after kill -9 of everything under writes the next start recovers every acknowledged row (RL-02)', {
  timeout,
}, async () => {
  const dataDir = temporaryDataDir()
  let acknowledged = 0
  for (let round = 0; round < rounds; round++) {
    const user = useDatabase(dataDir)
    expect((await user.hear()).event).toBe('opened')
    const until = Date.now() + Math.random() * 100
    do acknowledged = Number((await user.ask('write')).detail)
    while (Date.now() < until)
    user.process.stdin?.write('write\n'.repeat(20))
    killPostmaster(dataDir)
    await user.kill()
  }
  const { connection, close } = await openEmbedded({ dataDir, settings })
  const client = new pg.Client(connection)
  await client.connect()
  const { rows } = await client.query(
    'select max(id) >= $1 as all_there, count(*) > 0 as some from notes',
    [acknowledged],
  )
  expect(rows).toEqual([{ all_there: true, some: true }])
  await client.end()
  await close()
})

test('a first start killed at any moment leaves nothing in the way of the next', {
  timeout,
}, async () => {
  const dataDir = temporaryDataDir()
  for (let round = 0; round < rounds; round++) {
    const user = useDatabase(dataDir)
    await sleep(100 + Math.random() * 600)
    await user.kill()
  }
  const { close } = await openEmbedded({ dataDir, settings })
  expect(readdirSync(dataDir).filter((name) => name.includes('new'))).toEqual([])
  expect(await close()).toBe('stopped')
})

test('when its database is killed, a living server brings it back and the pool heals (RL-09)', async () => {
  const dataDir = temporaryDataDir()
  const heard: string[] = []
  const database = await openDatabase({ dataDir, onError: ({ message }) => heard.push(message) })
  await database.pool.query('create table notes (id int)')
  const before = postmaster(dataDir)

  killPostmaster(dataDir)
  const killedAt = Date.now()
  await expect.poll(() => postmaster(dataDir), { timeout: 10_000 }).not.toBe(before)
  const works = () =>
    database.pool.query('select * from notes').then(
      () => true,
      () => false,
    )
  await expect.poll(works, { timeout: 10_000 }).toBe(true)
  expect(Date.now() - killedAt).toBeLessThan(5_000)
  await expect.poll(() => heard.join()).toMatch(/running again/)
  await database.close()
  expect(clusterProcesses(dataDir)).toEqual([])
})

test('a backend that crashes takes all connections down, and they come back (RL-09)', async () => {
  const dataDir = temporaryDataDir()
  const database = await openDatabase({ dataDir })
  const before = postmaster(dataDir)
  const { rows } = await database.pool.query('select pg_backend_pid() as pid')
  process.kill(rows[0].pid, 'SIGKILL')
  const works = async () => (await database.pool.query('select 1 as one')).rows[0].one === 1
  await expect.poll(() => works().catch(() => false), { timeout: 10_000 }).toBe(true)
  expect(postmaster(dataDir)).toBe(before)
  await database.close()
  expect(clusterProcesses(dataDir)).toEqual([])
})

test('a pid file that names a living stranger does not stop the start (RL-03)', async () => {
  const dataDir = temporaryDataDir()
  const first = await openEmbedded({ dataDir, settings })
  const pidFile = readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8')
  const socketLock = readFileSync(join(dataDir, 'postgres/.s.PGSQL.5432.lock'), 'utf8')
  await first.close()
  writeFileSync(join(dataDir, 'postgres/postmaster.pid'), pidFile.replace(/^\d+/, `${process.pid}`))
  writeFileSync(
    join(dataDir, 'postgres/.s.PGSQL.5432.lock'),
    socketLock.replace(/^\d+/, `${process.pid}`),
  )

  const second = await openEmbedded({ dataDir, settings })
  expect(await second.close()).toBe('stopped')
})

test('while a child of a killed postmaster still holds its memory, a start waits for it (RL-03)', async () => {
  const dataDir = temporaryDataDir()
  const first = await openEmbedded({ dataDir, settings })
  const server = postmaster(dataDir)
  const child = clusterProcesses(dataDir).find((pid) => pid !== server) ?? 0
  process.kill(child, 'SIGSTOP')
  process.kill(server, 'SIGKILL')

  const user = useDatabase(dataDir)
  const hearing = user.hear()
  await sleep(1_500)
  expect(clusterProcesses(dataDir)).toEqual([child])
  process.kill(child, 'SIGCONT')
  expect((await hearing).event).toBe('opened')
  await user.ask('close')
  await first.close()
  await untilGone(dataDir)
})

test('it listens on no network, and only its owner reaches the socket', async () => {
  const dataDir = temporaryDataDir()
  const { connection, close } = await openEmbedded({ dataDir, settings })
  const client = new pg.Client(connection)
  await client.connect()
  const { rows } = await client.query(
    "select current_setting('listen_addresses') as addresses, extname from pg_extension where extname = 'pg_stat_statements'",
  )
  expect(rows).toEqual([{ addresses: '', extname: 'pg_stat_statements' }])
  expect(statSync(join(connection.host, '.s.PGSQL.5432')).mode & 0o777).toBe(0o700)
  // Others may at most pass through, where the database runs as another user.
  expect(statSync(dataDir).mode & 0o766).toBe(0o700)
  await client.end()
  await close()
})

test('a copy of the directory of a running database is a cluster of its own', async () => {
  const dataDir = temporaryDataDir()
  const copy = temporaryDataDir()
  const original = await openEmbedded({ dataDir, settings })
  cpSync(dataDir, copy, {
    recursive: true,
    filter: (path) => !path.includes('.s.PGSQL.5432') || path.endsWith('lock'),
  })
  const second = await openEmbedded({ dataDir: copy, settings })
  expect(postmaster(copy)).not.toBe(postmaster(dataDir))
  await Promise.all([second.close(), original.close()])
})

test('a directory far down gets its socket in a private folder', async () => {
  const dataDir = temporaryDataDir('x'.repeat(60), 'y'.repeat(60))
  const user = useDatabase(dataDir)
  const { event, detail } = await user.hear()
  expect(event).toBe('opened')
  const { host } = detail as { host: string }
  expect(host).toMatch(/^\/tmp\/idp-[0-9a-f]{24}$/)
  expect(statSync(host).mode & 0o777).toBe(0o700)
  const second = await openEmbedded({ dataDir, settings })
  expect(second.connection.host).toBe(host)
  expect(await second.close()).toBe('left running')
  expect((await user.ask('close')).detail).toBe('stopped')
  expect(existsSync(join(host, '.s.PGSQL.5432'))).toBe(false)
  rmSync(host, { recursive: true })
})
