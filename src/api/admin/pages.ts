/**
 * Lists page by page. A cursor says after which row the next page begins, so rows that come or go meanwhile neither
 * repeat nor hide others; it is signed, and good for the same list with the same filters alone.
 */
import type { Context } from 'koa'
import { z } from 'zod'
import { equalBytes, type Keyring } from '../../crypto.ts'
import { AppError } from '../../errors.ts'

const usualSize = 50
const largestSize = 200

/** Members of every list's query. What is too large is cut to what is allowed (DS-09). */
export const pageQuery = {
  page_size: z
    .string()
    .regex(/^\d{1,10}$/)
    .optional()
    .meta({ description: `Rows at once; ${usualSize} when not given, ${largestSize} at most.` }),
  cursor: z
    .string()
    .max(2000)
    .optional()
    .meta({ description: '`next_cursor` of the page before, with the same filters.' }),
}

type Query = { page_size?: string | undefined; cursor?: string | undefined }

/** The answer of every list. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().meta({ description: 'Null on the last page.' }),
  })
}

export type Page = {
  /** One row more than is shown, to know whether there is another page. */
  limit: number
  /** The sort keys of the last row of the page before. */
  after?: string[]
}

/**
 * `fetch` gives rows in one order, `keysOf` what a row is sorted by, unique. Sets `Link` (RFC 8288). Throws
 * `cursor_invalid` (400).
 */
export async function listPage<Row, Told>(
  { ctx, keyring, query }: { ctx: Context; keyring: Keyring; query: Query },
  list: {
    fetch(page: Page): Promise<Row[]>
    keysOf(row: Row): string[]
    toJson(row: Row): Told
  },
): Promise<{ items: Told[]; next_cursor: string | null }> {
  const { cursor, page_size: size, ...filters } = query
  const bound = [ctx.path, JSON.stringify(Object.entries(filters).toSorted())]
  const shown = Math.min(Math.max(Number(size ?? usualSize), 1), largestSize)
  const after = cursor === undefined ? undefined : openCursor(keyring, bound, cursor)
  const rows = await list.fetch({ limit: shown + 1, ...(after ? { after } : {}) })
  const items = rows.slice(0, shown)
  const last = items.at(-1)
  const next =
    rows.length > shown && last !== undefined ? sealCursor(keyring, bound, list.keysOf(last)) : null
  if (next !== null) {
    const params = new URLSearchParams({ ...(ctx.query as Record<string, string>), cursor: next })
    ctx.set('Link', `<${ctx.path}?${params}>; rel="next"`)
  }
  return { items: items.map(list.toJson), next_cursor: next }
}

/** For rooms whose lists an admin made by hand, and that fit into memory: sorted here, and cut. */
export function cutPage<Row>(
  rows: Row[],
  { limit, after }: Page,
  keysOf: (row: Row) => string[],
  direction: 'up' | 'down' = 'up',
): Row[] {
  const sign = direction === 'up' ? 1 : -1
  const sorted = rows.toSorted((a, b) => sign * compare(keysOf(a), keysOf(b)))
  const rest = after ? sorted.filter((row) => sign * compare(keysOf(row), after) > 0) : sorted
  return rest.slice(0, limit)
}

function compare(a: string[], b: string[]): number {
  for (const [index, key] of a.entries()) {
    const other = b[index] ?? ''
    if (key !== other) return key < other ? -1 : 1
  }
  return 0
}

const macBytes = 16

function sealCursor(keyring: Keyring, bound: string[], keys: string[]): string {
  const text = JSON.stringify(keys)
  const mac = keyring.mac('cursor', ...bound, text).subarray(0, macBytes)
  return Buffer.concat([mac, Buffer.from(text)]).toString('base64url')
}

function openCursor(keyring: Keyring, bound: string[], cursor: string): string[] {
  const bytes = Buffer.from(cursor, 'base64url')
  const mac = bytes.subarray(0, macBytes)
  const text = bytes.subarray(macBytes).toString()
  const known = keyring.macs('cursor', ...bound, text)
  if (known.some((own) => equalBytes(own.subarray(0, macBytes), mac))) {
    return JSON.parse(text) as string[]
  }
  throw new AppError('cursor_invalid', 400, {
    fields: [{ field: 'cursor', code: 'cursor_invalid' }],
  })
}
