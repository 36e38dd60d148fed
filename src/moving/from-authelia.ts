/**
 * Users of Authelia's file (`users_database.yml`). Whoever wrote an address there answered for it; Authelia itself takes it
 * as proven. Groups are left: what they allow there means nothing here.
 */
import { parseDocument } from 'yaml'
import { type AccountLine, FormatError, idFor } from './account-line.ts'
import type { Entry } from './import-accounts.ts'

/** Authelia holds the whole file in memory too; ten thousand people take four of these. */
const longestFile = 32 * 1024 * 1024

export async function* autheliaEntries(
  chunks: AsyncIterable<Buffer | string>,
): AsyncGenerator<Entry> {
  const parts: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > longestFile) throw new FormatError('The file is longer than 32 MiB.')
    parts.push(bytes)
  }
  const users = usersOf(Buffer.concat(parts).toString('utf8'))
  let number = 0
  for (const [username, user] of Object.entries(users)) {
    yield { number: ++number, given: translate(username, (user ?? {}) as Record<string, unknown>) }
  }
}

function usersOf(text: string): Record<string, unknown> {
  let read: unknown
  let words: string | undefined
  try {
    const document = parseDocument(text, { schema: 'core', uniqueKeys: true })
    words = document.errors[0]?.message.split('\n')[0]
    // Aliases of aliases grow without bounds; people's files have none.
    if (words === undefined) read = document.toJS({ maxAliasCount: 100 })
  } catch {
    throw new FormatError('It refers to itself too often, or is nested too deeply.')
  }
  if (words !== undefined) throw new FormatError(`It is no YAML: ${words}`)
  const users = (read as { users?: unknown } | null)?.users
  if (typeof users !== 'object' || users === null || Array.isArray(users))
    throw new FormatError('It has no “users” at the top.')
  return users as Record<string, unknown>
}

function translate(username: string, user: Record<string, unknown>): AccountLine {
  const password =
    typeof user.password === 'string' ? user.password.replace(/^\{CRYPT\}/, '') : null
  return {
    id: idFor('authelia', username),
    username,
    email: user.email ?? null,
    email_verified: user.email != null,
    name: user.displayname ?? null,
    given_name: user.given_name || null,
    family_name: user.family_name || null,
    locale:
      typeof user.locale === 'string' && /^[a-z]{2}(-[A-Z]{2})?$/.test(user.locale)
        ? user.locale
        : null,
    zoneinfo: user.zoneinfo || null,
    phone_number: user.phone_number || null,
    status: user.disabled === true ? 'disabled' : 'active',
    password_hash: password,
  } as AccountLine
}
