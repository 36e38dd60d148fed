import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/database/connection.ts'
import { transact } from '../../src/database/transact.ts'
import { bumpVersion, type VersionName, watchVersions } from '../../src/database/versions.ts'
import { createDatabase } from '../support/database.ts'

const database = await createDatabase()
const { pool, db } = database

/** Told once at the beginning. */
const everything: VersionName[] = ['blocks', 'clients', 'keys', 'settings']

/** What a watcher reported, in order. */
function watch(intervalMs?: number, onChange: (name: VersionName) => void = () => {}) {
  const changes: VersionName[] = []
  const errors: unknown[] = []
  const watcher = watchVersions(
    pool,
    (name) => {
      changes.push(name)
      onChange(name)
    },
    intervalMs,
    (error) => errors.push(error),
  )
  onTestFinished(watcher.stop)
  return { changes, errors, watcher }
}

test('a change by another process is seen within two seconds', async () => {
  const { changes } = watch()
  await expect.poll(() => [...changes].sort()).toEqual(everything)
  changes.length = 0

  const other = await openDatabase({ databaseUrl: database.url, dataDir: '/nowhere' })
  const changedAt = Date.now()
  await transact(other.db, (trx) => bumpVersion(trx, 'keys'))
  await expect.poll(() => changes, { timeout: 3_000, interval: 20 }).toEqual(['keys'])
  expect(Date.now() - changedAt).toBeLessThan(2_000)
  await other.close()
})

test('a change that is rolled back is nobody’s business', async () => {
  const { changes } = watch(20)
  await expect.poll(() => changes).toHaveLength(everything.length)
  await expect(
    transact(db, async (trx) => {
      await bumpVersion(trx, 'clients')
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  await sleep(100)
  expect(changes).toHaveLength(everything.length)
})

test('a failing reaction is tried again, and watching goes on', async () => {
  let failures = 2
  const { changes, errors } = watch(20, (name) => {
    if (name === 'keys' && failures-- > 0) throw new Error('not now')
  })
  await expect.poll(() => changes.filter((name) => name === 'keys')).toHaveLength(3)
  expect(errors).toHaveLength(2)
})

test('a database that goes away for a while is told, and watching goes on', async () => {
  const { changes, errors } = watch(20)
  await expect.poll(() => changes).toHaveLength(everything.length)
  await pool.query('alter table versions rename to gone')
  await expect.poll(() => errors.length).toBeGreaterThan(0)
  await pool.query('alter table gone rename to versions')
  await bumpVersion(db, 'settings')
  await expect.poll(() => changes.at(-1)).toBe('settings')
})

test('after stop nothing is reported', async () => {
  const { changes, watcher } = watch(20)
  await expect.poll(() => changes).toHaveLength(everything.length)
  watcher.stop()
  await bumpVersion(db, 'clients')
  await sleep(100)
  expect(changes).toHaveLength(everything.length)
})
