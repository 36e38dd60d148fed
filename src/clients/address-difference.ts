/**
 * Where a redirect address stops being the registered one. Comparison is exact (RFC 9700 §2.1), so one
 * character is enough, and people look at the two for an hour. Values of query parameters are never kept:
 * they may be somebody's secret.
 */

export type AddressDifference = {
  /** What came, with `…` for values of its query. */
  received: string
  /** The registered address that is nearest, when there is any. */
  nearest?: string
  /** The first character that differs, counted from 0, in `received` and `nearest` alike. */
  at?: number
  /** What differs, so that a sentence can be made of it. */
  part:
    | 'missing'
    | 'scheme'
    | 'host'
    | 'port'
    | 'slash'
    | 'case'
    | 'encoding'
    | 'path'
    | 'query'
    | 'fragment'
}

const longest = 500
/** No registered address is longer; of what anybody sends no more is looked at. */
const longestRead = 2000
/** Edits are counted from the first difference on, over so many characters: the work grows with their square. */
const longestEdited = 100

/** `whole` as it came; `registered` may be empty. */
export function explainAddress(whole: string, registered: string[]): AddressDifference {
  const received = whole.slice(0, longestRead)
  const shown = masked(received)
  const [best] = registered
    .map((uri) => ({ uri, at: commonStart(received, uri) }))
    .map(({ uri, at }) => ({ uri, at, distance: distance(received.slice(at), uri.slice(at)) }))
    .sort((a, b) => a.distance - b.distance || b.at - a.at)
  if (!best) return { received: shown, part: 'missing' }
  return {
    received: shown,
    nearest: best.uri,
    at: Math.min(best.at, shown.length),
    part: partOf(received, best.uri),
  }
}

function partOf(received: string, registered: string): AddressDifference['part'] {
  const a = URL.parse(received)
  const b = URL.parse(registered)
  if (!a || !b) return 'encoding'
  if (a.protocol !== b.protocol) return 'scheme'
  if (a.hostname !== b.hostname) return 'host'
  if (a.port !== b.port) return 'port'
  if (a.hash !== b.hash) return 'fragment'
  if (a.pathname !== b.pathname) return pathPart(a.pathname, b.pathname)
  if (a.search !== b.search) return 'query'
  // A parser sees no difference, so it is in how the address is written.
  return received.toLowerCase() === registered.toLowerCase() ? 'case' : 'encoding'
}

function pathPart(a: string, b: string): AddressDifference['part'] {
  if (withoutSlashes(a) === withoutSlashes(b)) return 'slash'
  return a.toLowerCase() === b.toLowerCase() ? 'case' : 'path'
}

/** Not by an expression: on a long run of slashes inside, it would begin anew at each. */
function withoutSlashes(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end--
  return path.slice(0, end)
}

function commonStart(a: string, b: string): number {
  let at = 0
  while (at < a.length && at < b.length && a[at] === b[at]) at++
  return at
}

/** Edits that lead from one to the other (Levenshtein). */
function distance(a: string, b: string): number {
  const from = a.slice(0, longestEdited)
  const to = b.slice(0, longestEdited)
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

/** Names of the query stay, values go; so does what stands before an `@`. */
function masked(uri: string): string {
  return uri
    .slice(0, longest)
    .replace(/\/\/[^/@]*@/, '//…@')
    .replace(/([?&][^=&#]*)=[^&#]*/g, '$1=…')
    .replace(/#.+$/, '#…')
}
