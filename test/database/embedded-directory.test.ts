import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { getBinaries } from '../../src/database/embedded/binaries.ts'
import { openEmbedded } from '../../src/database/embedded/open.ts'
import { postmaster, temporaryDataDir, useDatabase } from './embedded-processes.ts'

const settings = { fsync: 'off' }
const asRoot = process.getuid?.() === 0
// As PostgreSQL itself is run, so that a kernel or container that forbids it is known.
const namespaces = ['--user', '--map-user=65534', '--map-group=65534', 'true']
const namespacesWork = spawnSync('unshare', namespaces).status === 0
/** Two ordinary users with a name. */
const [alice = 1, bob = 2] = readFileSync('/etc/passwd', 'utf8')
  .split('\n')
  .map((line) => Number(line.split(':')[2]))
  .filter((uid) => uid > 0 && uid < 65_534)
const nameless = 54_321

/** A DATA_DIR that belongs to that user. */
function dataDirOf(uid: number): string {
  const dataDir = temporaryDataDir()
  mkdirSync(dataDir, { mode: 0o700 })
  chownSync(dataDir, uid, uid)
  return dataDir
}

/** A PATH on which user namespaces are forbidden, as in most containers. */
function pathWithoutNamespaces(dataDir: string): string {
  const directory = `${dataDir}-bin`
  mkdirSync(directory)
  writeFileSync(join(directory, 'unshare'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  return `${directory}:${process.env.PATH}`
}

test('a file in the place of the directory is refused in words', async () => {
  const dataDir = temporaryDataDir()
  writeFileSync(dataDir, '')
  await expect(openEmbedded({ dataDir })).rejects.toThrow(
    /data is a file: .*choose another DATA_DIR/,
  )
})

test('a directory that is itself a cluster of somebody is refused in words (RL-03)', async () => {
  const dataDir = temporaryDataDir()
  mkdirSync(dataDir)
  writeFileSync(join(dataDir, 'PG_VERSION'), '18\n')
  await expect(openEmbedded({ dataDir })).rejects.toThrow(/is itself a PostgreSQL cluster/)
})

test('a cluster that is not ours is left alone (RL-03)', async () => {
  const dataDir = temporaryDataDir()
  mkdirSync(join(dataDir, 'postgres'), { recursive: true })
  writeFileSync(join(dataDir, 'postgres/PG_VERSION'), '18\n')
  await expect(openEmbedded({ dataDir })).rejects.toThrow(/was not made by this program/)
})

test('a cluster of another PostgreSQL says which one made it', async () => {
  const dataDir = temporaryDataDir()
  mkdirSync(join(dataDir, 'postgres'), { recursive: true })
  writeFileSync(join(dataDir, 'postgres/idp.cluster'), '')
  writeFileSync(join(dataDir, 'postgres/PG_VERSION'), '17\n')
  await expect(openEmbedded({ dataDir })).rejects.toThrow(
    /made by PostgreSQL 17, but this release brings 18/,
  )
})

test('a server that cannot start says why', async () => {
  const dataDir = temporaryDataDir()
  await expect(
    openEmbedded({ dataDir, settings: { ...settings, shared_buffers: 'much' } }),
  ).rejects.toThrow(
    /does not start:[\s\S]*invalid value for parameter "shared_buffers"[\s\S]*postgres\.log/,
  )
})

test('a machine for which nothing is packed is told to bring its own PostgreSQL', async () => {
  await expect(getBinaries('plan9-mips')).rejects.toThrow(/plan9-mips.*DATABASE_URL/)
})

if (asRoot && namespacesWork) {
  test('as root nothing is given to another user', async () => {
    const dataDir = temporaryDataDir()
    const { close } = await openEmbedded({ dataDir, settings })
    expect(statSync(join(dataDir, 'postgres/PG_VERSION')).uid).toBe(0)
    expect(readFileSync(`/proc/${postmaster(dataDir)}/uid_map`, 'utf8')).toMatch(/65534 +0 +1\n/)
    await close()
  })

  test('a user without a name, as containers have them, runs it too', async () => {
    const user = useDatabase(dataDirOf(nameless), { uid: nameless })
    expect((await user.hear()).event).toBe('opened')
    expect((await user.ask('close')).detail).toBe('stopped')
  })
}

if (asRoot) {
  test('as root without namespaces the cluster belongs to nobody, and keeps its owner later', async () => {
    const dataDir = temporaryDataDir()
    const user = useDatabase(dataDir, { path: pathWithoutNamespaces(dataDir) })
    expect((await user.hear()).event).toBe('opened')
    expect(statSync(join(dataDir, 'postgres/PG_VERSION')).uid).toBe(65_534)
    expect((await user.ask('close')).detail).toBe('stopped')

    const { close } = await openEmbedded({ dataDir, settings })
    expect(statSync(`/proc/${postmaster(dataDir)}`).uid).toBe(65_534)
    expect(await close()).toBe('stopped')
  })

  test('as root without namespaces, a directory that nobody can reach is refused in words', async () => {
    const dataDir = temporaryDataDir()
    chmodSync(dirname(dataDir), 0o700)
    const user = useDatabase(dataDir, { path: pathWithoutNamespaces(dataDir) })
    const { event, detail } = await user.hear()
    expect(event).toBe('refused')
    expect(detail).toMatch(/start the provider as an ordinary user.*DATABASE_URL/)
    expect(detail).toContain(dataDir)
  })

  test('an ordinary user runs it, root joins and stops it, another user is refused', async () => {
    const dataDir = dataDirOf(alice)
    const owner = useDatabase(dataDir, { uid: alice })
    expect((await owner.hear()).event).toBe('opened')
    expect(statSync(`/proc/${postmaster(dataDir)}`).uid).toBe(alice)
    await owner.ask('write')

    const other = await useDatabase(dataDir, { uid: bob }).hear()
    expect(other).toEqual({ event: 'refused', detail: expect.stringMatching(/is not ours to use/) })

    const root = useDatabase(dataDir)
    expect((await root.hear()).event).toBe('opened')
    expect((await owner.ask('close')).detail).toBe('left running')
    expect((await root.ask('write')).detail).toBe('2')
    expect((await root.ask('close')).detail).toBe('stopped')

    const again = useDatabase(dataDir)
    expect((await again.hear()).event).toBe('opened')
    expect(statSync(`/proc/${postmaster(dataDir)}`).uid).toBe(alice)
    await again.ask('close')
    expect((await useDatabase(dataDir, { uid: alice }).hear()).event).toBe('opened')
  })
}

test('a log file that leads elsewhere is not followed', async () => {
  const dataDir = temporaryDataDir()
  mkdirSync(dataDir)
  writeFileSync(`${dataDir}-precious`, 'keep me')
  symlinkSync(`${dataDir}-precious`, join(dataDir, 'postgres.log'))
  await expect(openEmbedded({ dataDir, settings })).rejects.toThrow(
    /postgres\.log is a symbolic link/,
  )
  expect(readFileSync(`${dataDir}-precious`, 'utf8')).toBe('keep me')
})

test('the cluster may lie on another disk, behind a link', async () => {
  const dataDir = temporaryDataDir()
  const first = await openEmbedded({ dataDir, settings })
  await first.close()
  renameSync(join(dataDir, 'postgres'), `${dataDir}-elsewhere`)
  symlinkSync(`${dataDir}-elsewhere`, join(dataDir, 'postgres'))
  const second = await openEmbedded({ dataDir, settings })
  expect(second.connection.host).toBe(`${dataDir}-elsewhere`)
  expect(await second.close()).toBe('stopped')
})

test('a machine without flock(1) is told what to install', async () => {
  const dataDir = temporaryDataDir()
  const user = useDatabase(dataDir, { path: '/nowhere' })
  const { event, detail } = await user.hear()
  expect(event).toBe('refused')
  expect(detail).toMatch(/util-linux.*DATABASE_URL/)
})
