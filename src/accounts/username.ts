/**
 * Which usernames there can be: valid Linux user names, nobody's special name, and no two that look alike.
 * That two people never hold look-alikes is the database's promise: a unique index on `skeleton`.
 */
import { reservedUsernames } from './reserved-usernames.ts'

const linuxName = /^[a-z_][a-z0-9_-]{0,31}$/

export type UsernameCheck =
  | { ok: true; username: string }
  | { ok: false; code: 'username_invalid'; suggestion?: string }
  | { ok: false; code: 'username_reserved' }

/**
 * Nothing is mended silently: a capital or a stray space is refused, with the mended name as `suggestion`
 * where that would be accepted. `alsoReserved` takes the brand and the labels of its host.
 */
export function checkUsername(text: string, alsoReserved: string[] = []): UsernameCheck {
  if (!linuxName.test(text)) {
    const suggestion = mend(text)
    return suggestion !== undefined && checkUsername(suggestion, alsoReserved).ok
      ? { ok: false, code: 'username_invalid', suggestion }
      : { ok: false, code: 'username_invalid' }
  }
  if (isReserved(text, alsoReserved)) return { ok: false, code: 'username_reserved' }
  return { ok: true, username: text }
}

/**
 * What a name looks like at a glance: two names with one skeleton cannot both exist. ASCII look-alikes only
 * (0 o, 1 l, rn m, vv w); separators are one kind, count once, and not at the ends.
 */
export function skeleton(username: string): string {
  return username
    .replaceAll('0', 'o')
    .replaceAll('1', 'l')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replace(/[-_]+/g, '_')
    .replace(/^_|_$/g, '')
}

/** Also true for what reads like a reserved word (4dm1n, no-reply, rn4il), for systemd-* and for bare separators. */
export function isReserved(username: string, alsoReserved: string[] = []): boolean {
  const name = skeleton(username)
  if (name === '' || name.startsWith('systemd_')) return true
  const own = alsoReserved.map((word) => word.toLowerCase().replace(/[^a-z0-9]/g, ''))
  return matches(username, reserved) || matches(username, index(own))
}

type Index = { exact: Set<string>; read: Set<string>; vague: Set<string> }

const reserved = index(reservedUsernames)

function index(words: readonly string[]): Index {
  // Digits that belong to a word (pop3) are not letters in disguise, or "pope" would be reserved.
  const lettersOnly = words.filter((word) => !/\d/.test(word))
  return {
    exact: new Set(words),
    read: new Set(lettersOnly.map(readDigits)),
    vague: new Set(lettersOnly.map((word) => vague(readDigits(word)))),
  }
}

function matches(username: string, { exact, read, vague: blurred }: Index): boolean {
  const name = username.replace(/[-_]/g, '')
  if (exact.has(name) || read.has(readDigits(name))) return true
  return name.includes('1') && blurred.has(vague(readDigits(name)))
}

const letters: Record<string, string> = { '0': 'o', '3': 'e', '4': 'a', '5': 's', '7': 't' }

function readDigits(name: string): string {
  return name
    .replace(/[03457]/g, (digit) => letters[digit] ?? digit)
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
}

/** A 1 may stand for i or l; only names that hold one are read so, or "mall" would be "mail". */
function vague(name: string): string {
  return name.replace(/[il1]/g, '1')
}

function mend(text: string): string | undefined {
  if (text.length > 64 || !/^[ -~]+$/.test(text)) return undefined
  const mended = text.trim().toLowerCase().replace(/[ .]+/g, '_')
  return linuxName.test(mended) ? mended : undefined
}
