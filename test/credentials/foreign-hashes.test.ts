/** Hashes that other systems made: verified as they stand, replaced by ours, and not run when they would hurt. */
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { hashSync } from 'bcryptjs'
import { describe, expect, test } from 'vitest'
import { writePbkdf2 } from '../../src/credentials/hash-schemes/pbkdf2.ts'
import { createPasswordHasher, isUsableHash } from '../../src/credentials/password-hasher.ts'

const hasher = createPasswordHasher({ slots: 2, maxWaitMs: 60_000 })

/** From the documents and tests of passlib, Authelia, OpenWall and the specification of sha-crypt. */
const published: [scheme: string, hash: string, password: string][] = [
  [
    'pbkdf2-sha256',
    '$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44',
    'password',
  ],
  [
    'pbkdf2-sha512 of Authelia',
    '$pbkdf2-sha512$310000$c8p78n7pUMln0jzvd4aK4Q$JNRBzwAo0ek5qKn50cFzzvE9RXV88h1wJn5KGiHrD0YKtZaR/nCb2CJPOsKaPK0hjf.9yHxzQGZziziccp6Yng',
    'insecure_secret',
  ],
  [
    'scrypt',
    '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E',
    'password',
  ],
  ['sha256-crypt', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5', 'Hello world!'],
  [
    'sha512-crypt',
    '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    'Hello world!',
  ],
  [
    'sha512-crypt with its rounds',
    '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
    'Hello world!',
  ],
  ['bcrypt 2a', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'U*U'],
  [
    'argon2i',
    '$argon2i$v=19$m=16,t=2,p=1$ZVZWeGtzNVZqeExTVzNSOA$fx0EYEB1zO8i+J2H+OFI4w',
    'password',
  ],
  [
    'argon2d',
    '$argon2d$v=19$m=16,t=2,p=1$Mmx3eWR3YkJONkhoTGFnNA$HD1EIj2bqdfwQrJDP+FY6w',
    'password',
  ],
]

test.each(published)(
  '%s verifies, wants to be replaced, and fits no other password',
  async (_, hash, password) => {
    expect(isUsableHash(hash)).toBe(true)
    expect(await hasher.verify(hash, password)).toBe(true)
    expect(await hasher.verify(hash, `${password} `)).toBe(false)
    expect(hasher.needsRehash(hash, password)).toBe(true)
  },
)

test('each prefix of bcrypt and each digest of PBKDF2 verifies, in every spelling of its bytes', async () => {
  for (const version of ['2a', '2b', '2y'] as const) {
    const hash = hashSync('zebra crossing', 4).replace('$2b$', `$${version}$`)
    expect([version, await hasher.verify(hash, 'zebra crossing')]).toEqual([version, true])
  }
  const salt = randomBytes(16)
  for (const digest of ['sha1', 'sha256', 'sha512'] as const) {
    const key = pbkdf2Sync('zebra crossing', salt, 1000, 64, digest)
    const hash = writePbkdf2({ digest, iterations: 1000, salt, key })
    const [, name, , ...bytes] = hash.split('$')
    const phc = `$${name}$i=1000,l=64$${bytes.join('$').replaceAll('.', '+')}`
    const padded = `$${name}$1000$${salt.toString('base64')}$${key.toString('base64')}`
    for (const spelling of [hash, phc, padded])
      expect([spelling, await hasher.verify(spelling, 'zebra crossing')]).toEqual([spelling, true])
  }
})

describe('bcrypt and what it does not look at', () => {
  test('PW-03: a password beyond 72 bytes still opens its account, and is not set by what was never compared', async () => {
    const long = 'kq'.repeat(40)
    const hash = hashSync(long, 4)
    expect(await hasher.verify(hash, long)).toBe(true)
    expect(hasher.needsRehash(hash, long)).toBe(false)
    expect(hasher.needsRehash(hash, 'short enough')).toBe(true)
  })

  test('a NUL ends nothing: what stands before it opens no account', async () => {
    for (const password of ['zebra', 'zebra\0crossing', 'zebra crossing'])
      expect(await hasher.verify(hashSync('zebra', 4), password)).toBe(password === 'zebra')
    expect(await hasher.verify(hashSync('zebra crossing', 4), 'zebra\0crossing')).toBe(false)
  })
})

const key32 = 'A'.repeat(43)
const absurd = [
  `$2b$16$${'a'.repeat(53)}`,
  `$2b$31$${'a'.repeat(53)}`,
  `$2b$03$${'a'.repeat(53)}`,
  `$2x$10$${'a'.repeat(53)}`,
  `$2b$10$${'a'.repeat(52)}`,
  `$pbkdf2-sha256$2000001$${key32}$${key32}`,
  `$pbkdf2-sha256$0$${key32}$${key32}`,
  `$pbkdf2-sha256$1e3$${key32}$${key32}`,
  `$pbkdf2-md5$1000$${key32}$${key32}`,
  `$constructor$1000$${key32}$${key32}`,
  `$pbkdf2-sha256$1000$${key32}$AAAA`,
  `$pbkdf2-sha256$1000$${'A'.repeat(300)}$${key32}`,
  `$scrypt$ln=24,r=8,p=1$${key32}$${key32}`,
  `$scrypt$ln=16,r=32,p=16$${key32}$${key32}`,
  `$scrypt$ln=4294967295,r=1,p=1$${key32}$${key32}`,
  `$5$rounds=700001$salt$${'a'.repeat(43)}`,
  `$6$rounds=999999999$salt$${'a'.repeat(86)}`,
  `$6$rounds=1$salt$${'a'.repeat(86)}`,
  `$6$salt$${'a'.repeat(43)}`,
  '$1$salt$qJH7.N4xYta3aEG/dfqo/0',
  '5f4dcc3b5aa765d61d8327deb882cf99',
]

test.each(absurd)('PW-11: %s is refused and costs what an unknown account costs', async (hash) => {
  expect(isUsableHash(hash)).toBe(false)
  const before = hasher.stats().done
  expect(await hasher.verify(hash, 'zebra crossing')).toBe(false)
  expect(hasher.stats().done).toBe(before + 1)
})

test('DS-01: they run in the slots of the queue, and the loop goes on meanwhile', async () => {
  const single = createPasswordHasher({ slots: 1, maxWaitMs: 60_000 })
  const hash = published[5]?.[1] ?? ''
  const both = Promise.all([single.verify(hash, 'a'), single.verify(hash, 'b')])
  await Promise.resolve()
  expect(single.stats()).toMatchObject({ running: 1, waiting: 1 })
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await both
  clearInterval(timer)
  expect(turns).toBeGreaterThan(3)
})
