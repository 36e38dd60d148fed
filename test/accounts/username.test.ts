import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { reservedUsernames } from '../../src/accounts/reserved-usernames.ts'
import { checkUsername, isReserved, skeleton } from '../../src/accounts/username.ts'

const code = (text: string) => {
  const check = checkUsername(text)
  return check.ok ? 'ok' : check.code
}

describe('the form of a username', () => {
  test('a valid Linux name is taken as it is', () => {
    for (const name of ['alice', '_alice', 'a', 'a-b_c', 'x9', 'jean-luc', 'a'.repeat(32)]) {
      expect(checkUsername(name)).toEqual({ ok: true, username: name })
    }
  })

  test('AC-03: everything else is refused, nothing is mended silently', () => {
    const names = [
      ['', 'аdmin', 'ADMIN', 'Alice', 'alice ', ' alice', 'alice\n', 'alice\0', 'al ice', 'a.b'],
      ['9lives', '-alice', 'a'.repeat(33), 'ａlice', 'alicе', 'ali\u200bce', 'müller', 'alice$'],
      ['alice@example.com', '<b>', "'; drop table accounts; --", 'x'.repeat(50_000)],
    ].flat()
    for (const name of names) expect([name, code(name)]).toEqual([name, 'username_invalid'])
  })

  test('a name that only needs mending comes back as a suggestion', () => {
    const suggestion = (text: string) => {
      const check = checkUsername(text)
      return 'suggestion' in check ? check.suggestion : undefined
    }
    expect(suggestion('Alice')).toBe('alice')
    expect(suggestion(' alice ')).toBe('alice')
    expect(suggestion('Alice B. Smith')).toBe('alice_b_smith')
    expect(suggestion('Admin')).toBeUndefined()
    expect(suggestion('müller')).toBeUndefined()
    expect(suggestion('9lives')).toBeUndefined()
  })

  test('only names of the written form are ever accepted, and a suggestion is always acceptable', () => {
    const nearly = fc.string({ unit: fc.constantFrom(...'ab10_-A .ö\n'), maxLength: 40 })
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string({ unit: 'binary' })), (text) => {
        const check = checkUsername(text)
        if (check.ok) expect(check.username).toMatch(/^[a-z_][a-z0-9_-]{0,31}$/)
        if (check.ok) expect(check.username).toBe(text)
        if ('suggestion' in check) expect(code(check.suggestion ?? '')).toBe('ok')
      }),
    )
  })
})

describe('reserved names', () => {
  test('AC-03: the names of the house, of mail and of the system belong to nobody', () => {
    const names = [
      ['admin', 'root', 'postmaster', 'hostmaster', 'webmaster', 'abuse', 'noreply', 'support'],
      ['security', 'daemon', 'bin', 'sys', 'adm', 'nobody', 'www-data', 'systemd-network'],
      ['systemd-resolve', 'oauth', 'sign-in', 'register', 'me', 'null', 'undefined', '_apt', '_'],
    ].flat()
    for (const name of names) expect([name, code(name)]).toEqual([name, 'username_reserved'])
  })

  test('AC-03: a reserved name in disguise is reserved as well', () => {
    const names = [
      ['adm1n', '4dmin', 'r00t', 'admin_', '_admin', 'ad-min', 'no-reply', 'n0_reply', 'rnail'],
      ['ma1l', 'mai1', 'b1ll1ng', '5upport', 'adrn1n1strator', 'vvebmaster', 'sy5t3m', '__', '_-'],
    ].flat()
    for (const name of names) expect([name, isReserved(name)]).toEqual([name, true])
  })

  test('ordinary names that resemble reserved ones stay free', () => {
    const names = [
      ['mall', 'pope', 'alice', 'bob', 'clara', 'dara', 'user1', 'admin2', 'rooty', 'mailo'],
      ['ruby', 'wang_xiaoming', 'jean-luc', 'test1', 'tester', 'marketa', 'hostel'],
    ].flat()
    for (const name of names) expect([name, isReserved(name)]).toEqual([name, false])
  })

  test('the brand and its host are reserved when the caller says so', () => {
    const brand = ['Let Us Learn', 'letuslearn.now']
    for (const name of ['letuslearn', 'let-us-learn', 'l3tus1earn', 'letuslearn_now']) {
      expect([name, isReserved(name, brand)]).toEqual([name, true])
    }
    expect(checkUsername('acme', ['Acme'])).toEqual({ ok: false, code: 'username_reserved' })
    expect(isReserved('alice', [''])).toBe(false)
  })

  test('the list is written without separators and without doubles', () => {
    for (const word of reservedUsernames) expect(word).toMatch(/^[a-z0-9]+$/)
    expect(new Set(reservedUsernames).size).toBe(reservedUsernames.length)
  })
})

describe('the skeleton', () => {
  test('AC-03: look-alikes share one', () => {
    const pairs = [
      ['bob', 'b0b'],
      ['alice', 'a1ice'],
      ['maria', 'rnaria'],
      ['wendy', 'vvendy'],
      ['jean-luc', 'jean_luc'],
      ['a_b', 'a--_b'],
      ['alice', '_alice'],
      ['alice', 'alice-'],
    ] as const
    for (const [one, other] of pairs) expect(skeleton(one)).toBe(skeleton(other))
  })

  test('different people keep different ones', () => {
    const pairs = [
      ['clara', 'dara'],
      ['user1', 'user2'],
      ['ali', 'all'],
      ['ab', 'a_b'],
      ['anna', 'ana'],
      ['bob', 'bobo'],
    ] as const
    for (const [one, other] of pairs) expect(skeleton(one)).not.toBe(skeleton(other))
  })

  test('of an accepted name it is never empty and never longer than the name', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z_][a-z0-9_-]{0,31}$/), (name) => {
        if (checkUsername(name).ok) expect(skeleton(name).length).toBeGreaterThan(0)
        expect(skeleton(name).length).toBeLessThanOrEqual(name.length)
      }),
    )
  })
})
