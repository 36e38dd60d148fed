import { afterEach, describe, expect, test, vi } from 'vitest'
import { createKeyring } from '../../src/crypto.ts'
import { type LimitName, type LimitRule, limitTable } from '../../src/http/limit-table.ts'
import { cleanupLimits, createLimits } from '../../src/http/limits.ts'
import { mailAllowance } from '../../src/http/mail-allowance.ts'
import { createSignInLimits } from '../../src/http/sign-in-limits.ts'
import { createDatabase } from '../support/database.ts'

const { pool } = await createDatabase()
const keyring = createKeyring(['a-secret-of-more-than-32-characters-0'])
const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** Another process: nothing in memory is shared. */
const newProcess = (factor = 1) => createLimits({ pool, keyring, factor })
const allowance = (name: LimitName) => limitTable[name].windows[0].points

let people = 0
/** What is typed, and whose it is. */
const somebody = () => {
  const name = `account-${people++}`
  return { name, account: { id: name, username: name, emailCanonical: `${name}@example.org` } }
}
let networks = 0
/** An address in a network of its own. */
const elsewhere = () => `100.${64 + (networks >> 8)}.${networks++ & 255}.7`

function later(ms: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms })
}
afterEach(() => vi.useRealTimers())

const outcomes = async (tries: Promise<unknown>[]) => {
  const results = await Promise.allSettled(tries)
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ status: 429 })
  }
  return results.filter(({ status }) => status === 'fulfilled').length
}

describe('counting', () => {
  test('what is allowed passes, what is more is 429 with the seconds to wait', async () => {
    const limits = newProcess()
    for (let i = 0; i < allowance('mail-recipient'); i++)
      await limits.consume('mail-recipient', 'a@b.c')
    await expect(limits.consume('mail-recipient', 'a@b.c')).rejects.toMatchObject({
      code: 'too_many_requests',
      status: 429,
      retryAfterSeconds: expect.toSatisfy((seconds: number) => seconds > 3500 && seconds <= 3600),
    })
    await limits.consume('mail-recipient', 'other@b.c')
    expect(await limits.allows('mail-recipient', 'a@b.c')).toBe(false)
    expect(await limits.allows('mail-recipient', 'third@b.c')).toBe(true)
  })

  test('PW-13: whoever comes back again and again waits longer', async () => {
    const limits = newProcess()
    const use = async () => {
      let passed = 0
      while (await limits.allows('mail-recipient', 'again@b.c')) passed++
      return passed
    }
    const [hourly, daily] = limitTable['mail-recipient'].windows
    expect(await use()).toBe(hourly.points)
    later(61 * minuteMs)
    expect(await use()).toBe(hourly.points)
    later(61 * minuteMs)
    expect(await use()).toBe(daily.points - 2 * hourly.points)
    later(61 * minuteMs)
    await expect(limits.consume('mail-recipient', 'again@b.c')).rejects.toMatchObject({
      retryAfterSeconds: expect.toSatisfy((seconds: number) => seconds > 20 * 3600),
    })
    later(dayMs)
    expect(await use()).toBe(hourly.points)
  })

  test('PW-14: of a burst over two processes exactly the allowance passes', async () => {
    const processes = [newProcess(), newProcess()]
    const points = allowance('registration-address')
    const tries = Array.from({ length: points * 3 }, (_, i) =>
      processes[i % 2]?.consume('registration-address', '203.0.113.1'),
    )
    expect(await outcomes(tries as Promise<void>[])).toBe(points)
  })

  test('PW-13: counts survive a restart and are shared by processes', async () => {
    const name = 'verification-address'
    const before = newProcess()
    await outcomes(
      Array.from({ length: allowance(name) }, () => before.consume(name, '203.0.113.2')),
    )
    await expect(newProcess().consume(name, '203.0.113.2')).rejects.toMatchObject({ status: 429 })
  })

  test('LIMIT_FACTOR multiplies every allowance', async () => {
    const points = allowance('resend-address')
    const tries = (factor: number, key: string) => {
      const limits = newProcess(factor)
      return outcomes(
        Array.from({ length: points * 3 }, () => limits.consume('resend-address', key)),
      )
    }
    expect(await tries(2, 'x')).toBe(points * 2)
    expect(await tries(0.1, 'y')).toBe(Math.ceil(points * 0.1))
    expect(await tries(0.0001, 'z')).toBe(1)
  })

  test("nobody's address or name is stored", async () => {
    const limits = newProcess()
    await limits.consume('sign-in-address', '198.51.100.77')
    await limits.consume('mail-recipient', 'zoe@example.org')
    const { rows } = await pool.query<{ key: string }>('select key from rate_limits')
    const keys = rows.map(({ key }) => key).join('\n')
    expect(keys).not.toMatch(/198\.51|zoe|example/)
    expect(rows.every(({ key }) => /^[a-z-]+\/\d+:[\w-]{43}$/.test(key))).toBe(true)
  })

  test('one key never counts for another limit, and key parts do not run together', async () => {
    const limits = newProcess(0.0001)
    await limits.consume('sign-in-device', 'a', 'bc')
    await limits.consume('sign-in-device', 'ab', 'c')
    await limits.consume('sign-in-name', 'a')
    await expect(limits.consume('sign-in-device', 'a', 'bc')).rejects.toMatchObject({ status: 429 })
    await expect(limits.consume('sign-in-device', 'a')).rejects.toThrow('another key')
  })

  test('checking counts nothing; what failed too often is refused before it is tried', async () => {
    const limits = newProcess()
    const key = ['app', '203.0.113.3'] as const
    for (let i = 0; i < allowance('client-authentication'); i++) {
      await limits.check('client-authentication', ...key)
      await limits.check('client-authentication', ...key)
      await limits.consume('client-authentication', ...key)
    }
    await expect(limits.check('client-authentication', ...key)).rejects.toMatchObject({
      status: 429,
      retryAfterSeconds: expect.any(Number),
    })
    await limits.check('client-authentication', 'other-app', '203.0.113.3')
  })

  test('limits in memory, and shared ones that are used up, cost no statement', async () => {
    const query = vi.spyOn(pool, 'query')
    const limits = newProcess()
    await limits.consume('authorize-address', '203.0.113.4')
    await limits.check('client-authentication', 'app', '203.0.113.4')
    expect(query).not.toHaveBeenCalled()
    await outcomes(
      Array.from({ length: 100 }, () => limits.consume('verification-address', '203.0.113.4')),
    )
    query.mockClear()
    expect(await limits.allows('verification-address', '203.0.113.4')).toBe(false)
    expect(query).not.toHaveBeenCalled()
    query.mockRestore()
  })

  test('without the database nothing is let through, and that is no 429', async () => {
    const broken = { query: () => Promise.reject(new Error('gone')) } as unknown as typeof pool
    const limits = createLimits({ pool: broken, keyring, factor: 1 })
    await expect(limits.consume('sign-in-address', 'x')).rejects.toThrow('gone')
    await expect(limits.allows('mail-recipient', 'x')).rejects.toThrow('gone')
  })

  test('expired rows go, in batches, and only those', async () => {
    const limits = newProcess()
    await pool.query('delete from rate_limits')
    for (let i = 0; i < 25; i++) await limits.consume('sign-in-address', `old-${i}`)
    later(20 * minuteMs)
    await limits.consume('sign-in-address', 'new')
    expect(await cleanupLimits(pool, 10)).toBe(25)
    const { rows } = await pool.query('select key from rate_limits')
    expect(rows).toHaveLength(1)
  })

  test('every rule reads from the short window to the long one', () => {
    for (const [name, rule] of Object.entries<LimitRule>(limitTable)) {
      const seconds = rule.windows.map((window) => window.seconds)
      const points = rule.windows.map((window) => window.points)
      const rising = (numbers: number[]) =>
        numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? 0))
      expect([name, rising(seconds), rising(points)]).toEqual([name, true, true])
    }
  })
})

describe('mails that somebody asked for', () => {
  const hourOf = (name: LimitName) => allowance(name)

  test('AC-13: a stranger who knows an address cannot keep its owner from getting mail', async () => {
    const allows = mailAllowance(newProcess())
    const count = async (askedFrom: string | undefined, tries: number) => {
      let sent = 0
      for (let i = 0; i < tries; i++) if (await allows('ada@example.org', askedFrom)) sent++
      return sent
    }
    expect(await count('198.51.100.1', 20)).toBe(hourOf('mail-recipient-network'))
    expect(await count('198.51.100.2', 5)).toBe(0)
    expect(await count('203.0.113.9', 1)).toBe(1)
  })

  test('DS-10: many networks together do not flood an address either', async () => {
    const allows = mailAllowance(newProcess())
    const sent = await Promise.all(
      Array.from({ length: 60 }, () => allows('bob@example.org', elsewhere())),
    )
    expect(sent.filter(Boolean)).toHaveLength(hourOf('mail-recipient'))
    expect(await allows('bob@example.org')).toBe(false)
  })
})

describe('tries of a password', () => {
  const signIns = createSignInLimits(newProcess())
  const [burst, daily, last] = limitTable['sign-in-name'].windows

  test('PW-14: of 200 wrong passwords at once no more are evaluated than the limit', async () => {
    const who = somebody()
    const other = createSignInLimits(newProcess())
    const tries = Array.from({ length: 200 }, (_, i) =>
      (i % 2 ? signIns : other).begin({ ...who, address: elsewhere() }),
    )
    expect(await outcomes(tries)).toBe(burst.points)
  })

  test('PW-14: the same from one address', async () => {
    const who = somebody()
    const address = elsewhere()
    const tries = Array.from({ length: 200 }, () => signIns.begin({ ...who, address }))
    expect(await outcomes(tries)).toBeLessThanOrEqual(
      limitTable['sign-in-name-network'].windows[0].points,
    )
  })

  test('PW-13: failures from ever new networks are stopped at 100 until a success, with growing waits', async () => {
    const who = somebody()
    const names = [who.account.username, who.account.emailCanonical]
    let evaluated = 0
    for (const name of names) {
      const waits: number[] = []
      for (let i = 0; i < 200; i++) {
        const refusal = await signIns.begin({ ...who, name, address: elsewhere() }).then(
          () => undefined,
          (error: { retryAfterSeconds: number }) => error.retryAfterSeconds,
        )
        if (refusal === undefined) {
          evaluated++
          continue
        }
        waits.push(refusal)
        if (refusal > 60 * 86_400) break
        later(refusal * 1000)
      }
      expect(waits[0]).toBeLessThanOrEqual(burst.seconds)
      expect(waits).toContainEqual(
        expect.toSatisfy((wait: number) => wait > 3600 && wait <= daily.seconds),
      )
      expect(waits.at(-1)).toBeGreaterThan(60 * 86_400)
    }
    expect(evaluated).toBe(2 * last.points)
    expect(evaluated).toBeLessThanOrEqual(100)

    // On her own device alice still signs in, and that opens the door to new devices as well, by either name.
    const attempt = await signIns.begin({ ...who, address: elsewhere(), knownDevice: 'laptop' })
    await attempt.succeed()
    for (const name of names) await signIns.begin({ ...who, name, address: elsewhere() })
  })

  test('EN-12: what one name has used up does not show at the other', async () => {
    const { account } = somebody()
    const address = elsewhere()
    const guess = (name: string, who?: typeof account) =>
      signIns.begin({ name, account: who, address })
    await outcomes(Array.from({ length: 30 }, () => guess(account.username, account)))
    await expect(guess(account.username, account)).rejects.toMatchObject({ status: 429 })
    // The owner's address and one that nobody has here: both are looked at.
    await guess(account.emailCanonical, account)
    await guess('nobody@example.org')
  })

  test('PW-15: strangers do not lock out a device that the account knows', async () => {
    const who = somebody()
    const school = elsewhere()
    await outcomes(Array.from({ length: 60 }, () => signIns.begin({ ...who, address: school })))
    await outcomes(
      Array.from({ length: 60 }, () => signIns.begin({ ...who, address: elsewhere() })),
    )
    await expect(signIns.begin({ ...who, address: elsewhere() })).rejects.toMatchObject({
      status: 429,
    })
    await signIns.begin({ ...who, address: school, knownDevice: 'laptop' })
  })

  test('PW-15: a known device has an allowance of its own, and no more', async () => {
    const who = somebody()
    const tries = (knownDevice: string) =>
      outcomes(
        Array.from({ length: 50 }, () =>
          signIns.begin({ ...who, address: elsewhere(), knownDevice }),
        ),
      )
    expect(await tries('laptop')).toBe(burst.points)
    expect(await tries('phone')).toBe(burst.points)
  })

  test('PW-15: one network alone does not use up what the account allows', async () => {
    const who = somebody()
    const address = elsewhere()
    for (let day = 0; day < 40; day++) {
      await outcomes(Array.from({ length: 12 }, () => signIns.begin({ ...who, address })))
      later(dayMs)
    }
    await signIns.begin({ ...who, address: elsewhere() })
  })

  test('PW-16: one address is stopped, whatever accounts it tries; IPv6 by its /64', async () => {
    const spray = (address: (i: number) => string) =>
      outcomes(
        Array.from({ length: 80 }, (_, i) => signIns.begin({ ...somebody(), address: address(i) })),
      )
    const v4 = elsewhere()
    expect(await spray(() => v4)).toBe(allowance('sign-in-address'))
    expect(await spray((i) => `2001:db8:77:1::${i.toString(16)}`)).toBe(
      allowance('sign-in-address'),
    )
  })

  test('PW-16: a network is stopped when its addresses take turns, and everybody together', async () => {
    let host = 0
    const tries = Array.from({ length: 300 }, () =>
      signIns.begin({ ...somebody(), address: `198.18.5.${host++ % 250}` }),
    )
    expect(await outcomes(tries)).toBe(allowance('sign-in-network'))

    const small = createSignInLimits(newProcess(0.01))
    const all = Array.from({ length: 60 }, () =>
      small.begin({ ...somebody(), address: elsewhere() }),
    )
    expect(await outcomes(all)).toBe(Math.ceil(allowance('sign-in-all') * 0.01))
  })

  test('whoever is refused spoils nothing for neighbours', async () => {
    const limits = newProcess(0.1)
    const small = createSignInLimits(limits)
    const victim = somebody()
    await outcomes(
      Array.from({ length: 400 }, () => small.begin({ ...victim, address: '198.19.1.1' })),
    )
    // 400 tries were refused at one address; its network, other accounts and everybody else go on.
    await small.begin({ ...somebody(), address: '198.19.1.2' })
    await small.begin({ ...somebody(), address: elsewhere() })
  })

  test('a school full of right passwords is never stopped', async () => {
    const address = elsewhere()
    for (let i = 0; i < 120; i++) {
      const attempt = await signIns.begin({ ...somebody(), address })
      await attempt.succeed()
    }
  })

  test('success forgets the failures before it', async () => {
    const who = somebody()
    const address = elsewhere()
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < burst.points - 1; i++) await signIns.begin({ ...who, address })
      const attempt = await signIns.begin({ ...who, address })
      await attempt.succeed()
      later(20 * minuteMs)
    }
  })

  test('a try that was not evaluated does not count', async () => {
    const who = somebody()
    const address = elsewhere()
    for (let i = 0; i < 100; i++) {
      const attempt = await signIns.begin({ ...who, address })
      await attempt.withdraw()
    }
  })

  test('a new password opens what strangers had used up', async () => {
    const who = somebody()
    await outcomes(
      Array.from({ length: 40 }, () => signIns.begin({ ...who, address: elsewhere() })),
    )
    await expect(signIns.begin({ ...who, address: elsewhere() })).rejects.toMatchObject({
      status: 429,
    })
    await signIns.forgive(who.account)
    await signIns.begin({ ...who, address: elsewhere() })
  })
})
