/**
 * What a backup is: gzip of lines. The first says what it holds; each table is a line that names it, its rows as PostgreSQL
 * copies them (text, one on a line) and `\.`; the last counts the rows and carries SHA-256 of all that stands before it.
 * Secrets stand in it as they stand in the database: sealed with SECRET_KEY, or hashed.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { z } from 'zod'

export const formatVersion = 1
const endOfTable = '\\.'
/** Rows are small, pictures included; a longer one is no row of ours. */
const longestLine = 64 * 1024 * 1024

const identifier = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/)
const head = z.object({
  format: z.literal('idp.backup'),
  version: z.literal(formatVersion),
  created_at: z.iso.datetime(),
  issuer: z.string(),
  migrations: z.array(z.string().max(200)).min(1).max(10_000),
  tables: z.array(identifier).max(1000),
})
const tableHead = z.object({ table: identifier, columns: z.array(identifier).min(1).max(1000) })
const end = z.object({
  end: z.literal(true),
  rows: z.record(z.string(), z.int().nonnegative()),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

export type Head = z.output<typeof head>
export type TableHead = z.output<typeof tableHead>

/** What is wrong with the file or the place, for the operator. `fix` says what to do. */
export class BackupError extends Error {
  readonly fix: string
  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(message, options)
    this.fix = fix
  }
}

export type Writer = {
  line(value: object): Promise<void>
  /** Rows as COPY gives them, in pieces of any size; returns how many. */
  rows(chunks: AsyncIterable<Buffer>): Promise<number>
  /** The last line. Returns the checksum. */
  finish(rows: Record<string, number>): Promise<string>
}

/** `write` takes compressed bytes and resolves when there is room for more. */
export function createWriter(write: (bytes: Uint8Array) => Promise<void>): Writer {
  const gzip = createGzip()
  const sum = createHash('sha256')
  const written = (async () => {
    for await (const chunk of gzip) await write(chunk as Buffer)
  })()
  // Heard where it is awaited; without a listener it would end the process before that.
  written.catch((error: Error) => gzip.destroy(error))
  const put = async (bytes: Buffer | string) => {
    sum.update(bytes)
    if (!gzip.write(bytes)) await Promise.race([once(gzip, 'drain'), written])
  }
  return {
    line: (value) => put(`${JSON.stringify(value)}\n`),
    async rows(chunks) {
      let count = 0
      for await (const chunk of chunks) {
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count++
        await put(chunk)
      }
      await put(`${endOfTable}\n`)
      return count
    },
    async finish(rows) {
      const sha256 = sum.copy().digest('hex')
      await put(`${JSON.stringify({ end: true, rows, sha256 })}\n`)
      gzip.end()
      await written
      return sha256
    },
  }
}

export type Take = {
  head(head: Head): Promise<void>
  table(table: TableHead, rows: AsyncIterable<Buffer>): Promise<void>
}

/** Reads a backup from beginning to end and hands it on; throws BackupError when anything is missing or changed. */
export async function readBackup(
  chunks: AsyncIterable<Uint8Array | string>,
  take: Take,
): Promise<{ head: Head; rows: Record<string, number>; sha256: string }> {
  const sum = createHash('sha256')
  const lines = readLines(decompress(chunks))
  const next = async () => {
    const { value, done } = await lines.next()
    if (done) throw damaged('It ends too early.')
    return value
  }
  const first = await next()
  const read = parse(head, first)
  if (!read)
    throw new BackupError(
      'It is no backup of ours, or of a newer release.',
      'Restore it with the release that made it.',
    )
  add(sum, first)
  await take.head(read)
  const rows: Record<string, number> = {}
  for (;;) {
    const line = await next()
    const last = parse(end, line)
    if (last) {
      const sha256 = sum.digest('hex')
      if (sha256 !== last.sha256 || !sameCounts(rows, last.rows))
        throw damaged('Its checksum does not fit.')
      if (!(await lines.next()).done) throw damaged('Something follows its end.')
      return { head: read, rows, sha256 }
    }
    const table = parse(tableHead, line)
    if (!table || table.table in rows) throw damaged('A table is not where it should be.')
    add(sum, line)
    let count = 0
    async function* data() {
      for (;;) {
        const row = await next()
        add(sum, row)
        if (row.length === 2 && row.toString('latin1') === endOfTable) return
        count++
        yield row
      }
    }
    const reading = data()
    await take.table(table, inPieces(reading))
    if (!(await reading.next()).done) throw new Error('a table was not read to its end')
    rows[table.table] = count
  }
}

function damaged(what: string, options?: ErrorOptions): BackupError {
  return new BackupError(
    `The backup is damaged. ${what}`,
    'Take another one: nothing was changed.',
    options,
  )
}

function add(sum: ReturnType<typeof createHash>, line: Buffer): void {
  sum.update(line)
  sum.update('\n')
}

function sameCounts(a: Record<string, number>, b: Record<string, number>): boolean {
  return (
    Object.keys(a).length === Object.keys(b).length &&
    Object.keys(a).every((key) => a[key] === b[key])
  )
}

function parse<T>(schema: z.ZodType<T>, line: Buffer): T | undefined {
  if (line.length > 1_000_000 || line[0] !== 0x7b) return undefined
  try {
    return schema.safeParse(JSON.parse(line.toString())).data
  } catch {
    return undefined
  }
}

async function* decompress(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip()
  const feeding = pipeline(chunks, gunzip)
  // Told by the reading below, which ends with the same error.
  feeding.catch(() => {})
  try {
    for await (const chunk of gunzip) yield chunk as Buffer
  } catch (error) {
    throw damaged('It cannot be decompressed.', { cause: error })
  } finally {
    gunzip.destroy()
  }
}

async function* readLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, at)
      yield parts.length === 0 ? piece : Buffer.concat([...parts, piece])
      parts = []
      size = 0
      from = at + 1
    }
    parts.push(chunk.subarray(from))
    size += chunk.length - from
    if (size > longestLine) throw damaged('A line is longer than any of ours.')
  }
  if (size > 0) throw damaged('It ends too early.')
}

const newline = Buffer.from('\n')

/** A write per row would be slow. */
async function* inPieces(rows: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let size = 0
  for await (const row of rows) {
    parts.push(row, newline)
    size += row.length + 1
    if (size < 65_536) continue
    yield Buffer.concat(parts)
    parts = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(parts)
}
