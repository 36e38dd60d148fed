/** Where accounts may come from, each read as a stream of entries for import-accounts.ts. */

import {
  type AccountLine,
  FormatError,
  formatName,
  formatVersion,
  type Problem,
} from './account-line.ts'
import { autheliaEntries } from './from-authelia.ts'
import { keycloakEntry } from './from-keycloak.ts'
import { logtoEntry } from './from-logto.ts'
import type { Entry } from './import-accounts.ts'
import { readItems } from './json-items.ts'
import { type Item, longestItem, readLines } from './lines.ts'

export const sources = ['idp', 'keycloak', 'logto', 'authelia'] as const
export type Source = (typeof sources)[number]

type Chunks = AsyncIterable<Buffer | string>

/** Throws a `FormatError` when the file as a whole is not what it is said to be. */
export function readEntries(source: Source, chunks: Chunks): AsyncIterable<Entry> {
  if (source === 'keycloak') return translated(readItems(chunks, 'users'), keycloakEntry)
  if (source === 'logto') return translated(readObjects(chunks), logtoEntry)
  if (source === 'authelia') return autheliaEntries(chunks)
  return ownEntries(chunks)
}

/** An account as another system keeps it, in our words; undefined for what is nobody's account. */
export type Translate = (user: Record<string, unknown>) => AccountLine | undefined

async function* translated(
  items: AsyncIterable<Item>,
  translate: Translate,
): AsyncGenerator<Entry> {
  for await (const item of items) {
    const read = parse(item)
    if ('problem' in read) yield read
    else {
      const given = translate(read.given)
      if (given) yield { number: read.number, given }
    }
  }
}

async function* ownEntries(chunks: Chunks): AsyncGenerator<Entry> {
  let first = true
  for await (const item of readLines(chunks)) {
    const read = parse(item)
    if (first) {
      first = false
      const head = 'given' in read ? read.given : {}
      if (head.format !== formatName)
        throw new FormatError(
          `The first line does not say {"version":${formatVersion},"format":"${formatName}"}.`,
        )
      if (head.version !== formatVersion)
        throw new FormatError(
          `The file is of version ${String(head.version)}; this release reads version ${formatVersion}.`,
        )
    } else yield read
  }
  if (first) throw new FormatError('There is nothing in it.')
}

/** A JSON array, or an object on each line: both are ways in which rows of a table are dumped. */
async function* readObjects(chunks: Chunks): AsyncGenerator<Item> {
  const iterator = chunks[Symbol.asyncIterator]()
  let head = ''
  while (head.trim() === '') {
    const next = await iterator.next()
    if (next.done) return
    head += String(next.value)
  }
  async function* all() {
    yield head
    yield* { [Symbol.asyncIterator]: () => iterator }
  }
  yield* head.trimStart().startsWith('[') ? readItems(all(), '') : readLines(all())
}

function parse({
  number,
  text,
}: Item):
  | { number: number; given: Record<string, unknown> }
  | { number: number; problem: Problem } {
  const wrong = (code: string, message: string) => ({
    number,
    problem: { field: 'line', code, message },
  })
  if (text === undefined) return wrong('too_long', `is longer than ${longestItem} characters`)
  try {
    const given: unknown = JSON.parse(text)
    if (typeof given === 'object' && given !== null && !Array.isArray(given))
      return { number, given: given as Record<string, unknown> }
  } catch {
    // Told below, in our words: what was in the line is nobody's business.
  }
  return wrong('not_json', 'is no JSON object')
}
