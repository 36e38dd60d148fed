/**
 * Which passwords we take: long enough, not well known, not made of what everybody knows about the person.
 * No composition rules, no expiry (NIST SP 800-63B-4 §3.1.1.2). How they are kept is password-hasher.ts.
 *
 * "Personal" means: without leading and trailing digits and punctuation it is one of the forbidden words
 * (forward, backward, or with 0134578@$! read as letters), or such words cover at least half of it.
 * Forbidden words are each given text (username, email address, display name, brand), its part before an @,
 * and each of their parts of four characters and more.
 */
import { isCommonPassword } from './common-passwords.ts'
import { isPattern } from './password-patterns.ts'

/** In code points, after NFC. */
export const longestPassword = 256

/** Four code points may compose into one, and each may take two UTF-16 units. */
const longestBeforeNfc = longestPassword * 4 * 2

const shortestPart = 4

export type PasswordCheck =
  | { ok: true; password: string }
  | {
      ok: false
      code:
        | 'password_invalid'
        | 'password_too_short'
        | 'password_too_long'
        | 'password_common'
        | 'password_personal'
    }

/**
 * The one spelling in which a password is set and compared: NFC, nothing trimmed, nothing cut (a NUL is a
 * character like another). Undefined when it is not text (a lone surrogate) or longer than we ever take.
 */
export function normalizePassword(password: string): string | undefined {
  if (password.length > longestBeforeNfc || !password.isWellFormed()) return undefined
  const normalized = password.normalize('NFC')
  return countCodePoints(normalized) > longestPassword ? undefined : normalized
}

/**
 * `minLength` in code points; `forbidden` holds the brand and the person's own names as they are written.
 * On success `password` is the NFC form to hash.
 */
export function checkPassword(
  password: string,
  { minLength, forbidden }: { minLength: number; forbidden: string[] },
): PasswordCheck {
  const normalized = normalizePassword(password)
  if (normalized === undefined) {
    return { ok: false, code: password.isWellFormed() ? 'password_too_long' : 'password_invalid' }
  }
  if (countCodePoints(normalized) < minLength) return { ok: false, code: 'password_too_short' }
  // First what the person can see for themselves; "too common" would puzzle an owner of the name.
  if (isPersonal(normalized, forbidden)) return { ok: false, code: 'password_personal' }
  if (isCommonPassword(normalized) || isPattern(normalized)) {
    return { ok: false, code: 'password_common' }
  }
  return { ok: true, password: normalized }
}

function isPersonal(password: string, forbidden: string[]): boolean {
  const words = forbiddenWords(forbidden)
  const text = fold(password)
  const core = compact(trimEnds(text))
  const readings = [core, compact(text), readAsLetters(core)]
  if (readings.some((reading) => words.has(reading) || words.has(reverse(reading)))) return true

  const parts = [...words].filter((word) => countCodePoints(word) >= shortestPart)
  return mostlyMadeOf(text, parts) || mostlyMadeOf(readAsLetters(text), parts)
}

function forbiddenWords(texts: string[]): Set<string> {
  const words = new Set<string>()
  for (const text of texts.map(fold)) {
    const beforeAt = text.split('@', 1)[0] ?? ''
    for (const whole of [text, beforeAt]) {
      words.add(compact(whole))
      words.add(compact(trimEnds(whole)))
    }
    // The domain of an address says nothing about the person: gmail is not a forbidden word.
    for (const part of beforeAt.split(/[^\p{L}\p{N}]+/u)) {
      if (countCodePoints(part) < shortestPart) continue
      words.add(part)
      words.add(trimEnds(part))
    }
  }
  words.delete('')
  return words
}

/** True when the words cover at least half of the text; they may overlap. */
function mostlyMadeOf(text: string, words: string[]): boolean {
  const covered = new Set<number>()
  for (const word of words) {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
      for (let index = at; index < at + word.length; index++) covered.add(index)
    }
  }
  return covered.size > 0 && covered.size * 2 >= text.length
}

/** Case, width and accents make no word a different one. */
function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}

function compact(text: string): string {
  return text.replace(/[^\p{L}\p{N}]/gu, '')
}

function trimEnds(text: string): string {
  const characters = Array.from(text)
  const isLetter = (character: string) => /\p{L}/u.test(character)
  const first = characters.findIndex(isLetter)
  return first < 0 ? '' : characters.slice(first, characters.findLastIndex(isLetter) + 1).join('')
}

const lookAlikes: Record<string, string> = {
  '0': 'o',
  '1': 'i',
  '!': 'i',
  '3': 'e',
  '4': 'a',
  '@': 'a',
  '5': 's',
  $: 's',
  '7': 't',
  '8': 'b',
}

function readAsLetters(text: string): string {
  return text.replace(/[01!34@5$78]/g, (sign) => lookAlikes[sign] ?? sign)
}

function reverse(text: string): string {
  return Array.from(text).reverse().join('')
}

function countCodePoints(text: string): number {
  return Array.from(text).length
}
