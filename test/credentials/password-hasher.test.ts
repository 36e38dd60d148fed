import argon2 from 'argon2'
import { describe, expect, test } from 'vitest'
import { createPasswordHasher, isUsableHash } from '../../src/credentials/password-hasher.ts'

const hasher = createPasswordHasher({ slots: 2, maxWaitMs: 60_000 })
const quick = { memoryCost: 64, timeCost: 1, parallelism: 1 }

/** A hash string with these costs; it belongs to no password. */
const phc = (
  costs: string,
  { kind = 'argon2id', version = 'v=19$', salt = 16, output = 32 } = {},
) => {
  const bytes = (count: number) => Buffer.alloc(count, 7).toString('base64').replaceAll('=', '')
  return `$${kind}$${version}${costs}$${bytes(salt)}$${bytes(output)}`
}

describe('the stored form', () => {
  test('PW-11: argon2id, 19 MiB, two passes, a salt of 16 bytes of its own', async () => {
    const hashes = await Promise.all([hasher.hash('zebra crossing'), hasher.hash('zebra crossing')])
    const salts = hashes.map((hash) => {
      const [, kind, version, costs, salt = '', output = ''] = hash.split('$')
      expect([kind, version, costs]).toEqual(['argon2id', 'v=19', 'm=19456,t=2,p=1'])
      expect(Buffer.from(salt, 'base64')).toHaveLength(16)
      expect(Buffer.from(output, 'base64')).toHaveLength(32)
      return salt
    })
    expect(salts[0]).not.toBe(salts[1])
    expect(hasher.needsRehash(hashes[0] ?? '')).toBe(false)
  })

  test('PW-11: another implementation verifies our hashes, and we verify its', async () => {
    const ours = await hasher.hash('zebra crossing')
    expect(await argon2.verify(ours, 'zebra crossing')).toBe(true)
    expect(await argon2.verify(ours, 'zebra crossings')).toBe(false)

    // In its numbering: argon2d, argon2i, argon2id.
    for (const type of [0, 1, 2] as const) {
      const theirs = await argon2.hash('zebra crossing', { type, ...quick })
      expect(await hasher.verify(theirs, 'zebra crossing')).toBe(true)
      expect(await hasher.verify(theirs, 'zebra crossings')).toBe(false)
      expect(hasher.needsRehash(theirs)).toBe(true)
    }
  })

  test('PW-11: weaker in any respect is to be rehashed, stronger is not', () => {
    const weaker = [
      phc('m=19455,t=2,p=1'),
      phc('m=65536,t=1,p=1'),
      phc('m=19456,t=2,p=1', { kind: 'argon2i' }),
      phc('m=19456,t=2,p=1', { kind: 'argon2d' }),
      phc('m=19456,t=2,p=1', { version: '' }),
      phc('m=19456,t=2,p=1', { salt: 8 }),
      phc('m=19456,t=2,p=1', { output: 16 }),
      '',
      'garbage',
      '$2b$10$abcdefghijklmnopqrstuv',
    ]
    for (const hash of weaker) expect([hash, hasher.needsRehash(hash)]).toEqual([hash, true])
    for (const costs of ['m=19456,t=2,p=1', 'm=65536,t=3,p=4']) {
      expect(hasher.needsRehash(phc(costs))).toBe(false)
    }
  })
})

describe('PW-11: hashes from elsewhere', () => {
  const absurd = [
    phc('m=1048577,t=1,p=1'),
    phc('m=4294967295,t=2,p=1'),
    phc('m=64,t=65,p=1'),
    phc('m=1048576,t=64,p=1'),
    phc('m=19456,t=4294967295,p=1'),
    phc('m=19456,t=2,p=255'),
    phc('m=1,t=1,p=1'),
    phc('m=19456,t=0,p=1'),
    phc('m=64,t=1,p=0'),
    phc('m=64,t=1,p=1', { output: 4 }),
    phc('m=64,t=1,p=1', { salt: 4 }),
    phc('m=64,t=1,p=1', { output: 5000 }),
    '',
    'plain text',
    '$argon2id$',
    '$2b$10$abcdefghijklmnopqrstuv',
    'x'.repeat(100_000),
  ]

  test.each(absurd.map((hash) => [hash.slice(0, 60), hash]))(
    '%s is refused, not run',
    async (_, hash) => {
      expect(isUsableHash(hash)).toBe(false)
      const before = hasher.stats().done
      expect(await hasher.verify(hash, 'zebra crossing')).toBe(false)
      // Still one job, the hash of nobody, so that such an account answers like any other.
      expect(hasher.stats().done).toBe(before + 1)
    },
  )

  test('usual ones are run', () => {
    for (const costs of [
      'm=65536,t=3,p=4',
      'm=4096,t=3,p=1',
      'm=262144,t=4,p=8',
      'm=7168,t=5,p=1',
    ]) {
      expect([costs, isUsableHash(phc(costs))]).toEqual([costs, true])
    }
  })
})

describe('comparing', () => {
  test('PW-03, PW-04: nothing is cut, and both spellings of a text are one password', async () => {
    const hash = await hasher.hash('crème\0brûlée')
    expect(await hasher.verify(hash, 'crème\0brûlée'.normalize('NFD'))).toBe(true)
    expect(await hasher.verify(hash, 'crème')).toBe(false)
    expect(await hasher.verify(hash, 'crème\0')).toBe(false)

    const long = await hasher.hash(`${'kq'.repeat(127)}ab`)
    expect(await hasher.verify(long, `${'kq'.repeat(127)}ab`)).toBe(true)
    expect(await hasher.verify(long, `${'kq'.repeat(127)}ac`)).toBe(false)
  })

  test('PW-03, DS-04: what could be no password is refused before hashing', async () => {
    const hash = await hasher.hash('zebra crossing')
    const before = hasher.stats().done
    for (const text of ['k'.repeat(257), 'k'.repeat(1_000_000), 'zebra\ud800crossing']) {
      expect(await hasher.verify(hash, text)).toBe(false)
      expect(await hasher.verify(undefined, text)).toBe(false)
      await expect(hasher.hash(text)).rejects.toMatchObject({
        code: 'password_invalid',
        status: 400,
      })
    }
    expect(hasher.stats().done).toBe(before)
  })

  test("EN-01: an unknown account costs one job through the same queue, with today's costs", async () => {
    const runs: number[] = []
    const observed = createPasswordHasher({
      slots: 1,
      maxWaitMs: 60_000,
      onJob: ({ result, runSeconds }) => result === 'done' && runs.push(runSeconds),
    })
    expect(await observed.verify(undefined, 'zebra crossing')).toBe(false)
    const known = await observed.hash('zebra crossing')
    expect(await observed.verify(known, 'wrong crossing')).toBe(false)

    expect(runs).toHaveLength(3)
    // Far below what 19 MiB twice over can take anywhere, far above a shortcut.
    for (const seconds of runs) expect(seconds).toBeGreaterThan(0.001)
  })

  test('DS-01: a burst beyond what can wait is refused, the rest is answered, and the queue empties', async () => {
    const busy = createPasswordHasher({ slots: 1, maxWaitMs: 100 })
    const burst = Array.from({ length: 100 }, () => busy.verify(undefined, 'zebra crossing'))
    const results = await Promise.allSettled(burst)

    const refusals = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason] : [],
    )
    expect(refusals.length).toBeGreaterThan(50)
    expect(refusals.length).toBeLessThan(100)
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ code: 'busy', status: 503 })
      expect(refusal.retryAfterSeconds).toBeGreaterThanOrEqual(1)
    }
    expect(busy.stats()).toMatchObject({ running: 0, waiting: 0, refused: refusals.length })
  })
})
