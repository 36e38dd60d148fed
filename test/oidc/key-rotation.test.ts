/** What may happen to a signing key in each state, when, and that two who try at once do it once. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { JSONWebKeySet } from 'jose'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createKeyring } from '../../src/crypto.ts'
import { openDatabase } from '../../src/database/connection.ts'
import { acts } from '../../src/oidc/key-acts.ts'
import { discardKeys } from '../../src/oidc/key-leak.ts'
import { maintainKeys, retireKey, rotateKeys } from '../../src/oidc/key-rotation.ts'
import { keyTimes, listKeys } from '../../src/oidc/key-times.ts'
import { lifetimes } from '../../src/oidc/lifetimes.ts'
import {
  ensureSigningKeys,
  type KeyState,
  loadSigningKeys,
  signingAlgorithms,
} from '../../src/oidc/signing-keys.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'
import { age, alg, keysOf, maxAge, oneOfEach, rotated, statesOf } from './signing-keys.ts'

const database = await createDatabase()
const { db } = database
const keys = keysOf(db)
const operator = { kind: 'operator', id: 'night-admin' } as const

async function version(): Promise<string> {
  const row = db.selectFrom('versions').select('version').where('name', '=', 'keys')
  return (await row.executeTakeFirstOrThrow()).version
}

test('a key goes one way: next, current, previous, retired', () => {
  expect(Object.values(acts).map(({ from, to }) => [from, to])).toEqual([
    ['next', 'current'],
    ['current', 'previous'],
    ['previous', 'retired'],
  ])
})

test('at the first start each algorithm has a key that signs and one that stands by', async () => {
  const fresh = keysOf((await createDatabase()).db)
  await ensureSigningKeys(fresh.db, fresh.keyring)
  for (const of of signingAlgorithms)
    expect(Object.values(await statesOf(fresh.db, of)).sort()).toEqual(['current', 'next'])
  const before = await fresh.db.selectFrom('versions').selectAll().execute()
  await ensureSigningKeys(fresh.db, fresh.keyring)
  expect(await fresh.db.selectFrom('versions').selectAll().execute()).toEqual(before)
})

test('a rotation moves each key one state on, stamps when, and puts a new one in wait', async () => {
  const was = await oneOfEach(keys)
  const before = await version()
  const done = await rotated(keys)
  expect(done).toEqual({ alg, kid: was.next, replaced: was.current })
  const states = await statesOf(db)
  const { [was.next]: promoted, [was.current]: stopped, ...rest } = states
  expect([promoted, stopped]).toEqual(['current', 'previous'])
  expect(rest).toMatchObject({ [was.previous]: 'previous', [was.retired]: 'retired' })
  expect(Object.values(rest).filter((state) => state === 'next')).toHaveLength(1)
  expect(Number(await version())).toBeGreaterThan(Number(before))
  const stamps = db
    .selectFrom('signingKeys')
    .select(['kid', sql<boolean>`activated_at = now()`.as('never')])
    .select(sql<number>`extract(epoch from now() - activated_at)::float8`.as('activated'))
    .select(sql<number>`extract(epoch from now() - stopped_at)::float8`.as('stopped'))
    .where('kid', 'in', [was.next, was.current])
  const ages = Object.fromEntries((await stamps.execute()).map((row) => [row.kid, row]))
  expect(ages[was.next]?.activated).toBeLessThan(60)
  expect(ages[was.next]?.stopped).toBeNull()
  expect(ages[was.current]?.stopped).toBeLessThan(60)
})

test('JW-05: a next key signs after JWKS_MAX_AGE and not before; the refusal says when', async () => {
  const { next } = await oneOfEach(keys)
  await age(db, maxAge - 60, next)
  const early = await rotateKeys(keys, [alg])
  expect(early).toMatchObject({ ok: false, waiting: [{ kid: next, alg, state: 'next' }] })
  const [waiting] = early.ok ? [] : early.waiting
  expect(waiting?.until).toEqual(new Date((waiting?.publishedAt.getTime() ?? 0) + maxAge * 1000))
  expect(waiting?.secondsLeft).toBeGreaterThan(50)
  expect((await statesOf(db))[next]).toBe('next')

  // From then on it is done, once the last process has had the time to hear of the key.
  await age(db, 61, next)
  const began = performance.now()
  expect((await rotateKeys(keys, [alg])).ok).toBe(true)
  expect(performance.now() - began).toBeGreaterThan((keyTimes.spread - 1.5) * 1000)
})

test('several algorithms rotate together or not at all', async () => {
  await oneOfEach(keys)
  await age(db, maxAge + keyTimes.spread)
  await rotated(keys)
  await age(db, 600)
  const before = await listKeys(db, maxAge)
  const refused = await rotateKeys(keys, signingAlgorithms)
  expect(refused).toMatchObject({ ok: false, waiting: [{ alg }] })
  const places = (list: typeof before) => list.map(({ kid, state }) => [kid, state])
  expect(places(await listKeys(db, maxAge))).toEqual(places(before))
})

const after = (seconds: number) => seconds - 30
const times: [KeyState, string, number, KeyState | undefined][] = [
  ['current', 'before its 90 days', after(keyTimes.signs), 'current'],
  ['current', 'after its 90 days', keyTimes.signs, 'previous'],
  ['previous', 'while a token may live', after(keyTimes.published), 'previous'],
  ['previous', 'when the last token has expired', keyTimes.published, 'retired'],
  ['retired', 'while a session may last', after(keyTimes.known), 'retired'],
  ['retired', 'when no session is that old', keyTimes.known, undefined],
]
test.each(times)(
  'the schedule leaves a %s key %s (%i s) in: %s',
  async (state, _, old, expected) => {
    const of = await oneOfEach(keys)
    const [kid] = [of[state]]
    if (state === 'current') await age(db, maxAge + keyTimes.spread, of.next)
    await sql`update signing_keys set activated_at = least(activated_at, now() - make_interval(secs => ${old})),
    stopped_at = case when stopped_at is null then null else now() - make_interval(secs => ${old}) end
    where kid = ${kid}`.execute(db)
    await maintainKeys(keys)
    const now = await statesOf(db)
    expect(now[kid]).toBe(expected)
    const moved = expected === state ? [] : [kid, ...(state === 'current' ? [of.next] : [])]
    for (const [name, other] of Object.entries(of))
      if (!moved.includes(other)) expect(now[other]).toBe(name)
  },
)

test('a worn key signs on while its successor is too young', async () => {
  const { current } = await oneOfEach(keys)
  await age(db, keyTimes.signs, current)
  expect((await maintainKeys(keys)).rotated).toEqual([])
  expect((await statesOf(db))[current]).toBe('current')
})

test('a previous key outlives every token that it can have signed', async () => {
  expect(keyTimes.published).toBeGreaterThan(lifetimes.longestToken)
  expect(lifetimes.longestToken).toBeGreaterThanOrEqual(lifetimes.idToken)
  expect(lifetimes.longestToken).toBeGreaterThanOrEqual(lifetimes.accessToken)
  const longest = async (table: 'apis' | 'clients', column: string) => {
    const { rows } = await sql<{ definition: string }>`
      select pg_get_constraintdef(oid) as definition from pg_constraint
      where conrelid = ${table}::regclass and pg_get_constraintdef(oid) like ${`%${column} <=%`}`.execute(
      db,
    )
    return Number(/<= (\d+)/.exec(rows[0]?.definition ?? '')?.[1])
  }
  expect(await longest('apis', 'token_lifetime_seconds')).toBeLessThanOrEqual(
    lifetimes.longestToken,
  )
})

const byHand: [KeyState, object, KeyState | undefined][] = [
  ['next', { ok: false, reason: 'stands-by' }, 'next'],
  ['current', { ok: false, reason: 'signs' }, 'current'],
  ['previous', { ok: false, reason: 'alive' }, 'previous'],
  ['retired', { ok: true, already: true }, 'retired'],
]
test.each(byHand)('by hand a %s key is retired: %j', async (state, answer, expected) => {
  const of = await oneOfEach(keys)
  expect(await retireKey(keys, of[state])).toMatchObject(answer)
  expect((await statesOf(db))[of[state]]).toBe(expected)
})

test('by hand a previous key leaves when its last token has expired; an unknown one is unknown', async () => {
  const { previous } = await oneOfEach(keys)
  await age(db, keyTimes.published, previous)
  expect(await retireKey(keys, previous)).toMatchObject({ ok: true, already: false })
  expect((await statesOf(db))[previous]).toBe('retired')
  expect(await retireKey(keys, 'nonsense')).toEqual({ ok: false, reason: 'unknown' })
})

test.each(['next', 'current', 'previous', 'retired'] as const)(
  'a leaked %s key is gone at once, and its place is taken',
  async (state) => {
    const of = await oneOfEach(keys)
    const successor = state === 'current' ? { successor: of.next } : {}
    const kid = of[state]
    expect(await discardKeys(keys, [kid], operator)).toEqual([{ kid, alg, state, ...successor }])
    const now = await statesOf(db)
    expect(now).not.toHaveProperty(kid)
    const expected = { ...of, ...(state === 'current' ? { current: of.next, next: '' } : {}) }
    for (const [name, other] of Object.entries(expected))
      if (other !== '' && other !== kid) expect(now[other]).toBe(name)
    expect(Object.values(now).filter((held) => held === 'next')).toHaveLength(1)
    expect(Object.values(now).filter((held) => held === 'current')).toHaveLength(1)
    const events = await auditOf(db, 'signing_key.discarded')
    expect(events.at(-1)).toMatchObject({ actorId: 'night-admin', detail: { kid, alg } })
  },
)

test('when the key that signs and the one that stands by leaked, a new one signs at once', async () => {
  const of = await oneOfEach(keys)
  const gone = await discardKeys(keys, [of.current, of.next])
  const now = await statesOf(db)
  expect(Object.values(now).sort()).toEqual(['current', 'next', 'previous', 'retired'])
  const [signs] = Object.entries(now).find(([, state]) => state === 'current') ?? []
  expect(gone.find(({ kid }) => kid === of.current)?.successor).toBe(signs)
  expect(Object.values(of)).not.toContain(signs)
})

test('JW-04: the key set has no private member, its kids stay, and retired keys are not in it', async () => {
  const of = await oneOfEach(keys)
  const { published, keys: all } = await loadSigningKeys(db, keys.keyring)
  const members = { RSA: ['e', 'n'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] }
  for (const key of published.keys) {
    const own = members[key.kty as keyof typeof members]
    expect(Object.keys(key).sort()).toEqual(['alg', 'kid', 'kty', 'use', ...own].sort())
  }
  const ofAlg = published.keys.filter((key) => key.alg === alg).map(({ kid }) => kid)
  expect(ofAlg).toEqual([of.current, of.next, of.previous])
  expect(published.keys[0]).toMatchObject({ alg: 'RS256' })
  expect(all.map(({ kid }) => kid)).toContain(of.retired)
  expect((await loadSigningKeys(db, keys.keyring)).published).toEqual(published)
})

test('RC-17: five processes on an empty database publish one key set', async () => {
  const { url } = await createDatabase()
  const program = fileURLToPath(new URL('load-keys.ts', import.meta.url))
  const runs = Array.from({ length: 5 }, () =>
    promisify(execFile)(process.execPath, [program, url, 'one secret']),
  )
  const sets = (await Promise.all(runs)).map(({ stdout }) => stdout)
  expect(new Set(sets).size).toBe(1)
  const { keys: published } = JSON.parse(sets[0] ?? '') as JSONWebKeySet
  expect(published.map((key) => key.alg)).toEqual([...signingAlgorithms, ...signingAlgorithms])
})

test('RC-17: of two first processes with different secrets one refuses, and nothing is mixed', async () => {
  const fresh = await createDatabase()
  const secrets = ['one secret', 'another secret']
  const starts = secrets.map((secret) => ensureSigningKeys(fresh.db, createKeyring([secret])))
  const ends = await Promise.allSettled(starts)
  expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  const winner = secrets[ends.findIndex(({ status }) => status === 'fulfilled')] ?? ''
  const { published } = await loadSigningKeys(fresh.db, createKeyring([winner]))
  expect(published.keys).toHaveLength(2 * signingAlgorithms.length)
})

test('RC-18: two schedulers rotate once', async () => {
  const other = await openDatabase({ databaseUrl: database.url, dataDir: '/nowhere' })
  for (let round = 0; round < rounds; round++) {
    await oneOfEach(keys)
    await age(db, keyTimes.signs)
    await sql`truncate audit_events`.execute(db)
    const both = await Promise.all([maintainKeys(keys), maintainKeys(keysOf(other.db))])
    const count = both.flatMap((done) => done.rotated).filter((done) => done.alg === alg)
    expect(count).toHaveLength(1)
    const states = Object.values(await statesOf(db))
    expect(states.filter((state) => state === 'current')).toHaveLength(1)
    expect(states.filter((state) => state === 'next')).toHaveLength(1)
    expect(await auditOf(db, 'signing_key.promoted')).toHaveLength(signingAlgorithms.length)
  }
  await other.close()
})

test('RC-18: by hand and by the schedule at once, one key is replaced once', async () => {
  for (let round = 0; round < rounds; round++) {
    const { current, next } = await oneOfEach(keys)
    await age(db, keyTimes.signs)
    const [hand, schedule] = await Promise.all([rotateKeys(keys, [alg]), maintainKeys(keys)])
    const byHand = hand.ok ? hand.rotated : []
    const replaced = [...byHand, ...schedule.rotated].filter((done) => done.alg === alg)
    expect(replaced).toEqual([{ alg, kid: next, replaced: current }])
  }
})

test('a leak and a rotation at once leave one key that signs, and the leaked one nowhere', async () => {
  for (let round = 0; round < rounds; round++) {
    const { current } = await oneOfEach(keys)
    await age(db, maxAge + keyTimes.spread)
    await Promise.all([rotateKeys(keys, [alg]), discardKeys(keys, [current])])
    const now = await statesOf(db)
    expect(now).not.toHaveProperty(current)
    expect(Object.values(now).filter((state) => state === 'current')).toHaveLength(1)
    expect(Object.values(now).filter((state) => state === 'next')).toHaveLength(1)
  }
})

test('with another SECRET_KEY nothing changes, and the words say why', async () => {
  await oneOfEach(keys)
  await age(db, keyTimes.signs)
  const before = await listKeys(db, maxAge)
  const wrong = keysOf(db, createKeyring(['not that one']))
  const words = /^SECRET_KEY does not open the signing keys of this database/
  await expect(rotateKeys(wrong, [alg])).rejects.toThrow(words)
  await expect(maintainKeys(wrong)).rejects.toThrow(words)
  await expect(discardKeys(wrong, [before[0]?.kid ?? ''])).rejects.toThrow(words)
  await expect(retireKey(wrong, before[0]?.kid ?? '')).rejects.toThrow(words)
  // An algorithm that a new release adds is no way round it.
  await db.deleteFrom('signingKeys').where('alg', '=', 'EdDSA').execute()
  await expect(ensureSigningKeys(db, wrong.keyring)).rejects.toThrow(words)
  expect((await listKeys(db, maxAge)).map(({ kid, state }) => [kid, state])).toEqual(
    before.filter((key) => key.alg !== 'EdDSA').map(({ kid, state }) => [kid, state]),
  )
})
