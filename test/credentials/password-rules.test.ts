import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { commonPasswords } from '../../src/credentials/common-passwords.ts'
import { isPattern } from '../../src/credentials/password-patterns.ts'
import { checkPassword, normalizePassword } from '../../src/credentials/password-rules.ts'

const outcome = (password: string, forbidden: string[] = [], minLength = 8) => {
  const check = checkPassword(password, { minLength, forbidden })
  return check.ok ? 'ok' : check.code
}
const letters = (count: number) => 'kqzvxjwy'.repeat(40).slice(0, count)
const emoji = (count: number) =>
  Array.from('🐝🌵🎲🚲🍋🪁🎻🧩')
    .join('')
    .repeat(20)
    .slice(0, count * 2)

describe('length', () => {
  test.each([8, 12, 15])('PW-01: one below, at and above a minimum of %i', (minLength) => {
    const phrase = 'blue heron over lake'
    expect(outcome(phrase.slice(0, minLength - 1), [], minLength)).toBe('password_too_short')
    expect(outcome(phrase.slice(0, minLength), [], minLength)).toBe('ok')
    expect(outcome(phrase.slice(0, minLength + 1), [], minLength)).toBe('ok')
  })

  test('PW-03: 64 and 256 characters are taken whole, 257 and 1,025 are refused', () => {
    for (const count of [64, 256]) {
      const check = checkPassword(letters(count), { minLength: 8, forbidden: [] })
      expect(check).toEqual({ ok: true, password: letters(count) })
    }
    for (const text of [`${letters(256)}k`, 'kq'.repeat(513), 'k'.repeat(1_000_000)]) {
      expect(outcome(text)).toBe('password_too_long')
    }
  })

  test('PW-03: nothing is cut at a NUL, and nothing is trimmed', () => {
    for (const password of ['zebra\0crossing', ' zebra crossing ']) {
      expect(checkPassword(password, { minLength: 8, forbidden: [] })).toEqual({
        ok: true,
        password,
      })
    }
  })

  test('PW-04: code points are counted, not UTF-16 units', () => {
    expect(outcome(emoji(7))).toBe('password_too_short')
    expect(outcome(emoji(8))).toBe('ok')
    expect(outcome('🐝'.repeat(15))).toBe('ok')
    expect(outcome(emoji(256 - 160).repeat(2))).toBe('ok')
    expect(outcome(`${letters(255)}🐝`)).toBe('ok')
    expect(outcome(`${letters(256)}🐝`)).toBe('password_too_long')
  })

  test('PW-04: the same text in two spellings is one password', () => {
    const composed = 'crème brûlée'
    expect(composed.normalize('NFD')).not.toBe(composed)
    expect(normalizePassword(composed.normalize('NFD'))).toBe(normalizePassword(composed))
    expect(outcome('e\u0301'.repeat(4))).toBe('password_too_short')
    expect(normalizePassword('ᾂ'.repeat(256).normalize('NFD'))).toBe('ᾂ'.repeat(256))
    // One code point that NFC makes three: counted as it will be stored.
    expect(normalizePassword('\ufb2c'.repeat(86))).toBeUndefined()
  })

  test('a lone surrogate is not text', () => {
    for (const text of ['zebra\ud800crossing', '\udc00zebra crossing']) {
      expect(outcome(text)).toBe('password_invalid')
    }
  })
})

test('PW-05: no composition rules', () => {
  for (const password of [
    'four words in lower case',
    'zebracrossing',
    'UPPER HERON',
    '50271936845',
  ]) {
    expect([password, outcome(password)]).toEqual([password, 'ok'])
  }
})

describe('well-known passwords', () => {
  test('PW-06: the list holds at least 10,000 of eight characters and more, lower case, NFC', () => {
    const entries = [...commonPasswords()]
    expect(entries.filter((entry) => entry.length >= 8).length).toBeGreaterThanOrEqual(10_000)
    const unusable = entries.filter((entry) => entry !== entry.toLowerCase().normalize('NFC'))
    expect(unusable).toEqual([])
    expect(entries.filter((entry) => entry.startsWith('#') || entry.trim() !== entry)).toEqual([])
  })

  test('PW-06: each is refused, whatever its case', () => {
    for (const entry of commonPasswords()) {
      if (outcome(entry) !== 'password_common') expect.fail(`${entry}: ${outcome(entry)}`)
    }
    for (const text of [
      'password',
      'PASSWORD',
      'Sunshine1',
      'P@ssw0rd',
      'Qwerty123',
      'woaini1314',
    ]) {
      expect([text, outcome(text)]).toEqual([text, 'password_common'])
    }
  })

  test('PW-06: the whole password is compared', () => {
    for (const text of ['password to the moon', 'my sunshine1 is gone', 'football xylophone']) {
      expect([text, outcome(text)]).toEqual([text, 'ok'])
    }
  })

  test('PW-06: repetition, keyboard walks and dates need no list', () => {
    const texts = [
      [
        'aaaaaaaa',
        '        ',
        '12341234',
        '123123123',
        'abcabcab',
        'QwertyQwerty',
        'xyxyxyxyxyxyxyxy',
      ],
      [
        '12345678',
        '87654321',
        '01234567',
        'abcdefgh',
        'zyxwvuts',
        'qwertyui',
        'asdfghjkl',
        'QWERTYUIOP',
      ],
      [
        'abcd1234',
        '1234qwer',
        '1qaz2wsx',
        'zaq12wsx',
        '1q2w3e4r5t',
        'qazwsxedc',
        'qwertzui',
        '!@#$%^&*',
      ],
      ['19840523', '23051984', '05231984', '23.05.1984', '2024-12-31', '1999/12/31'],
    ].flat()
    for (const text of texts) expect([text, outcome(text)]).toEqual([text, 'password_common'])
  })

  test('what only resembles a pattern is taken', () => {
    const texts = [
      '12345679x',
      'abcdefg9',
      '19845023',
      '99999991',
      'qwerasdy',
      '日日日日日日日日',
      'ab'.repeat(20),
    ]
    for (const text of texts) expect([text, isPattern(text)]).toEqual([text, false])
  })
})

describe('passwords made of what everybody knows', () => {
  const alice = ['alice_smith', 'wonder.land@example.com', 'Alïce Mary Smith', 'Let Us Learn']

  test('PW-06: the names themselves, with decoration, backward or in other letters', () => {
    const texts = [
      ['alice_smith', 'ALICE_SMITH', 'alice.smith', 'alicesmith', 'AliceSmith2024!', 'alice1234'],
      [
        '123alice!!',
        '!!alice!!',
        'smith-2024',
        'htims_ecila',
        '@l1ce5m!th',
        'ａｌｉｃｅ１２３',
        'Alíce12345',
      ],
      [
        'wonderland',
        'wonder.land',
        'wonder.land@example.com',
        'wonderland99',
        'letuslearn',
        'L3tUsL3arn!',
      ],
      ['Let Us Learn', 'learn2024!', 'alicealice', 'mary and alice', 'smithsmithxy'],
    ].flat()
    for (const text of texts)
      expect([text, outcome(text, alice)]).toEqual([text, 'password_personal'])
  })

  test('a name inside a longer password of its own is fine', () => {
    const texts = [
      ['alice and the hatter', 'xk9-alice-q2-vv', 'unlearned helplessness', 'example.com-zebra'],
      ['a blacksmith with a hammer', 'my wonderful heron'],
    ].flat()
    for (const text of texts) expect([text, outcome(text, alice)]).toEqual([text, 'ok'])
  })

  test('short names count only when they are all there is', () => {
    expect(outcome('bob12345', ['bob'])).toBe('password_personal')
    expect(outcome('bobbobsled', ['bob'])).toBe('ok')
    expect(outcome('王小明123456', ['王小明'])).toBe('password_personal')
    expect(outcome('735218869', ['735218869@qq.com'])).toBe('password_personal')
    expect(outcome('735218869qq', ['735218869@qq.com'])).toBe('password_personal')
  })

  test('empty names forbid nothing', () => {
    expect(outcome('zebra crossing', ['', ' ', '@', '---', '123'])).toBe('ok')
    // Accents alone leave nothing to compare with.
    expect(outcome('\u0301\u0316\u0302\u0317'.repeat(3), ['alice'])).toBe('ok')
  })
})

test('an accepted password is its own normal form, within the limits, and stays accepted', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const check = checkPassword(text, { minLength: 8, forbidden: ['alice', 'a@b.example'] })
      if (!check.ok) return
      expect(check.password).toBe(text.normalize('NFC'))
      expect(Array.from(check.password).length).toBeLessThanOrEqual(256)
      expect(Array.from(check.password).length).toBeGreaterThanOrEqual(8)
      expect(outcome(check.password, ['alice', 'a@b.example'])).toBe('ok')
    }),
  )
})
