import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkDisplayName, splitName } from '../../src/accounts/names.ts'

const outcome = (text: string) => {
  const check = checkDisplayName(text)
  return check.ok ? check.name : check.code
}

describe('a display name', () => {
  test('is kept as typed, save white space and composition', () => {
    expect(outcome('  Alice \u3000 Smith ')).toBe('Alice Smith')
    expect(outcome('Jose\u0301')).toBe('José')
    for (const name of ['王小明', "O'Brien-Łukasz", 'علی‌رضا', '👩‍🚀', 'Х Æ A-12', 'a']) {
      expect(outcome(name)).toBe(name)
    }
  })

  test('AC-05: what breaks lines, reverses or hides text is refused', () => {
    const texts = [
      ['Alice\r\nBcc: x@evil.com', 'Alice\n', 'a\0b', 'a\tb', 'a\u2028b', 'a\u2029b', 'a\u0085b'],
      ['\u202eecilA', 'a\u2066b', 'a\u200fb', 'a\u061cb', 'a\ufeffb', 'a\u200bb', 'a\u00adb'],
      ['a\ud800', '\udc00a', 'a\u{e0041}', 'a\ue000', 'a\u001b[31mred'],
    ].flat()
    for (const text of texts) expect([text, outcome(text)]).toEqual([text, 'name_invalid'])
  })

  test('a name that shows nothing is refused', () => {
    for (const text of [
      '',
      '   ',
      '\u200d',
      '\u3164',
      '\u115f \u1160',
      '\u2800',
      '\u0301',
      '\ufe0f',
    ]) {
      expect([text, outcome(text)]).toEqual([text, 'name_invalid'])
    }
  })

  test('AC-05: HTML, links and template syntax are text', () => {
    for (const text of ['<b>Al</b>', 'https://evil.example', '{{7*7}}', '<%= 7*7 %>']) {
      expect(outcome(text)).toBe(text)
    }
  })

  test('has 1 to 100 code points', () => {
    expect(outcome('a'.repeat(100))).toBe('a'.repeat(100))
    expect(outcome('😀'.repeat(100))).toBe('😀'.repeat(100))
    expect(outcome('a'.repeat(101))).toBe('name_too_long')
    expect(outcome('😀'.repeat(101))).toBe('name_too_long')
    expect(outcome('x'.repeat(1_000_000))).toBe('name_too_long')
  })

  test('once accepted is accepted unchanged ever after', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const check = checkDisplayName(text)
        if (check.ok) expect(outcome(check.name)).toBe(check.name)
      }),
    )
  })
})

describe('given and family name', () => {
  test.each([
    ['Alice Smith', 'Alice', 'Smith'],
    ['Mary Ann Smith', 'Mary Ann', 'Smith'],
    ['Ludwig van Beethoven', 'Ludwig', 'van Beethoven'],
    ['Juan Carlos de la Cruz', 'Juan Carlos', 'de la Cruz'],
    ['alice van smith', 'alice van', 'smith'],
    ['van Beethoven', 'van', 'Beethoven'],
    ['Plato', 'Plato', 'Plato'],
    ['王小明', '小明', '王'],
    ['王明', '明', '王'],
    ['欧阳娜娜', '娜娜', '欧阳'],
    ['諸葛亮', '亮', '諸葛'],
    ['欧阳', '阳', '欧'],
    ['王 小明', '小明', '王'],
    ['卡尔·马克思', '卡尔', '马克思'],
    ['홍길동', '길동', '홍'],
    ['王', '王', '王'],
    ['𠮷野家', '野家', '𠮷'],
    ['👩‍🚀', '👩‍🚀', '👩‍🚀'],
    ['_alice', '_alice', '_alice'],
  ])('%s', (name, givenName, familyName) => {
    expect(splitName(name)).toEqual({ givenName, familyName })
  })

  test('neither is ever empty, whatever the name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const check = checkDisplayName(text)
        if (!check.ok) return
        const { givenName, familyName } = splitName(check.name)
        expect(givenName.trim()).not.toBe('')
        expect(familyName.trim()).not.toBe('')
      }),
    )
  })
})
