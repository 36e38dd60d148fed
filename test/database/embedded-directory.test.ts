import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { findBinaries } from '../../src/database/embedded/binaries.ts'
import { openEmbedded } from '../../src/database/embedded/open.ts'
import { postmaster, temporaryDataDir, useDatabase } from './embedded-processes.ts'

const settings = { fsync: 'off' }
const asRoot = process.getuid?.() === 0
const stranger = 54_321

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
  await expect(findBinaries('plan9-mips')).rejects.toThrow(/plan9-mips.*DATABASE_URL/)
})

if (asRoot) {
  test('as root nothing is given to another user', async () => {
    const dataDir = temporaryDataDir()
    const { close } = await openEmbedded({ dataDir, settings })
    expect(statSync(join(dataDir, 'postgres/PG_VERSION')).uid).toBe(0)
    expect(readFileSync(`/proc/${postmaster(dataDir)}/uid_map`, 'utf8')).toMatch(/65534 +0 +1\n/)
    await close()
  })

  test('as root without namespaces the cluster belongs to nobody, and keeps its owner later', async () => {
    const dataDir = temporaryDataDir()
    chmodSync(dirname(dataDir), 0o755)
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
    const user = useDatabase(dataDir, { path: pathWithoutNamespaces(dataDir) })
    const { event, detail } = await user.hear()
    expect(event).toBe('refused')
    expect(detail).toMatch(/start the provider as an ordinary user.*DATABASE_URL/)
    expect(detail).toContain(dataDir)
  })

  test('an ordinary user runs it, root joins and stops it, another user is refused', async () => {
    const dataDir = temporaryDataDir()
    chmodSync(dirname(dataDir), 0o755)
    mkdirSync(dataDir, { mode: 0o700 })
    chownSync(dataDir, stranger, stranger)
    const owner = useDatabase(dataDir, { uid: stranger })
    expect((await owner.hear()).event).toBe('opened')
    expect(statSync(`/proc/${postmaster(dataDir)}`).uid).toBe(stranger)
    await owner.ask('write')

    const other = await useDatabase(dataDir, { uid: stranger + 1 }).hear()
    expect(other).toEqual({ event: 'refused', detail: expect.stringMatching(/is not ours to use/) })

    const root = useDatabase(dataDir)
    expect((await root.hear()).event).toBe('opened')
    expect((await owner.ask('close')).detail).toBe('left running')
    expect((await root.ask('write')).detail).toBe('2')
    expect((await root.ask('close')).detail).toBe('stopped')

    const again = useDatabase(dataDir)
    expect((await again.hear()).event).toBe('opened')
    expect(statSync(`/proc/${postmaster(dataDir)}`).uid).toBe(stranger)
    await again.ask('close')
    expect((await useDatabase(dataDir, { uid: stranger }).hear()).event).toBe('opened')
  })
}

test('a machine without flock(1) is told what to install', async () => {
  const dataDir = temporaryDataDir()
  const user = useDatabase(dataDir, { path: '/nowhere' })
  const { event, detail } = await user.hear()
  expect(event).toBe('refused')
  expect(detail).toMatch(/util-linux.*DATABASE_URL/)
})
