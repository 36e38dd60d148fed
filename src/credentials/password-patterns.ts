/**
 * Passwords that no list needs to spell out, because a rule of a few lines finds them all: a short block
 * repeated (aaaaaaaa, 12341234, qwertyqwerty), walks over the keyboard or the alphabet (87654321, abcd1234,
 * 1qaz2wsx) and dates (19840523, 23.05.1984).
 * Only ASCII and up to 32 characters: what is longer or stranger is not what guessers try first,
 * and telling people what to compose is not our business.
 */

const longestPattern = 32
const longestBlock = 10
const shortestWalk = 3

const rows = [
  '01234567890123456789',
  'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz',
  '`1234567890-=',
  '~!@#$%^&*()_+',
  'qwertyuiop[]asdfghjkl;zxcvbnm,./',
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiopqsdfghjklmwxcvbn',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/',
  'qazwsxedcrfvtgbyhnujmikolp',
  '1q2w3e4r5t6y7u8i9o0p',
  'q1w2e3r4t5y6u7i8o9p0',
  '1a2b3c4d5e6f7g8h9i',
  'a1b2c3d4e5f6g7h8i9',
]
const walks = [...rows, ...rows.map((row) => Array.from(row).reverse().join(''))]

export function isPattern(password: string): boolean {
  const text = password.toLowerCase()
  if (text.length > longestPattern || !/^[ -~]+$/.test(text)) return false
  return isRepetition(text) || isWalk(text) || isTwoWalks(text) || isDate(text)
}

/** The last block may be cut short: 123123123, abcabcab. */
function isRepetition(text: string): boolean {
  const longest = Math.min(longestBlock, text.length / 2)
  for (let block = 1; block <= longest; block++) {
    if (text.endsWith(text.slice(0, text.length - block)) && text.length > block) return true
  }
  return false
}

function isWalk(text: string): boolean {
  return walks.some((walk) => walk.includes(text))
}

function isTwoWalks(text: string): boolean {
  for (let cut = shortestWalk; cut <= text.length - shortestWalk; cut++) {
    if (isWalk(text.slice(0, cut)) && isWalk(text.slice(cut))) return true
  }
  return false
}

/** Day, month and year in any order, of this century or the last. */
function isDate(text: string): boolean {
  const digits = text.replace(/[-./ ]/g, '')
  if (!/^\d{8}$/.test(digits)) return false
  return (
    isDay(digits.slice(4, 6), digits.slice(6), digits.slice(0, 4)) ||
    isDay(digits.slice(2, 4), digits.slice(0, 2), digits.slice(4)) ||
    isDay(digits.slice(0, 2), digits.slice(2, 4), digits.slice(4))
  )
}

function isDay(month: string, day: string, year: string): boolean {
  return +month >= 1 && +month <= 12 && +day >= 1 && +day <= 31 && /^(19|20)/.test(year)
}
