/**
 * Users of Logto: rows of its table `users` as JSON, an array or one on each line (`select row_to_json(u) from users u`).
 * Its management API hands out no hashes. Addresses there were proven, or set by an admin. Ids are made from its ids.
 */

import { writePbkdf2 } from '../credentials/hash-schemes/pbkdf2.ts'
import { type AccountLine, idFor } from './account-line.ts'
import type { Translate } from './sources.ts'

export const logtoEntry: Translate = (row) => {
  // Rows are in snake case; what was written by Logto's own code is in camel case.
  const of = (snake: string) =>
    row[snake] ?? row[snake.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())]
  const profile = (of('profile') ?? {}) as Record<string, unknown>
  const at = new Date(of('created_at') as string | number)
  const name = typeof profile.name === 'string' ? profile.name : of('name')
  return {
    ...(typeof row.id === 'string' ? { id: idFor('logto', row.id) } : {}),
    username: of('username') ?? of('primary_email'),
    email: of('primary_email') ?? null,
    email_verified: of('primary_email') != null,
    name: name ?? null,
    given_name: profile.givenName ?? null,
    family_name: profile.familyName ?? null,
    ...phoneOf(of('primary_phone')),
    status: of('is_suspended') === true ? 'disabled' : 'active',
    password_hash: passwordOf(of('password_encrypted'), of('password_encryption_method')),
    ...(Number.isNaN(at.getTime()) ? {} : { created_at: at.toISOString() }),
  } as AccountLine
}

/** Digits with the country's code and without its plus. */
function phoneOf(phone: unknown): Partial<AccountLine> {
  return typeof phone === 'string' && /^\d{4,15}$/.test(phone)
    ? { phone_number: `+${phone}`, phone_number_verified: true }
    : {}
}

/** Plain digests (MD5, SHA-1, SHA-256) are told as unknown: they cost a guesser nothing. */
function passwordOf(hash: unknown, method: unknown): string | null {
  if (typeof hash !== 'string' || hash === '') return null
  if (method !== 'Legacy') return hash
  try {
    const [algorithm, [salt, iterations, length, digest], hex] = JSON.parse(hash)
    const key = Buffer.from(hex, 'hex')
    if (algorithm === 'pbkdf2' && key.length === Number(length))
      return writePbkdf2({ digest, iterations: Number(iterations), salt: Buffer.from(salt), key })
  } catch {
    // Told as unknown below.
  }
  return 'unknown Legacy'
}
