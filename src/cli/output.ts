/** Where a command writes: data alone on stdout, words on stderr, colour only where a person looks. */
import type { Io } from './io.ts'
import { cutTo, displayWidth, padTo, printable } from './text.ts'

const styles = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
} as const
export type Style = keyof typeof styles

export type Cell = string | { text: string; style: Style }

export type Output = {
  /** Data for a program: one JSON document. `version` is the version of its shape. */
  json(document: object): void
  /** Data as it is, such as a configuration to paste. */
  raw(text: string): void
  /** One on a line, for programs: ids. */
  lines(texts: string[]): void
  /** `bare`: more rows of a table whose headings stand above already. */
  table(headings: string[], rows: Cell[][], more?: { bare?: boolean }): void
  /** Names and values of one thing; several values stand below each other, none leaves its name out. */
  fields(entries: [name: string, value: string | string[] | undefined][]): void
  /** Words for a person. */
  say(text: string): void
  style(style: Style, text: string, stream?: 'stdout' | 'stderr'): string
}

export function createOutput(io: Io): Output {
  const coloured = (stream: 'stdout' | 'stderr') =>
    io[stream].isTTY === true && !io.env.NO_COLOR && io.env.TERM !== 'dumb'
  const style: Output['style'] = (name, text, stream = 'stdout') => {
    const [on, off] = styles[name]
    return coloured(stream) ? `\x1b[${on}m${text}\x1b[${off}m` : text
  }
  const write = (text: string) => io.stdout.write(`${text}\n`)
  return {
    json: (document) => write(JSON.stringify({ version: 1, ...document }, null, 2)),
    raw: write,
    lines(texts) {
      for (const text of texts) write(text)
    },
    table(headings, rows, { bare = false } = {}) {
      // A pipe has no width: whoever reads it wants all of it.
      const limit = io.stdout.isTTY ? (io.stdout.columns ?? 80) : undefined
      const lines = layOut(headings, rows, limit, style)
      for (const line of bare ? lines.slice(1) : lines) write(line)
    },
    fields(entries) {
      const width = Math.max(...entries.map(([name]) => displayWidth(name)))
      for (const [name, value] of entries) {
        const values = [value ?? []].flat().filter((text) => text !== '')
        values.forEach((text, index) => {
          const label = padTo(index === 0 ? name : '', width)
          write(`${style('dim', label)}  ${printable(text)}`)
        })
      }
    },
    say: (text) => io.stderr.write(`${text}\n`),
    style,
  }
}

const gap = 2
const narrowest = 8

function layOut(
  headings: string[],
  rows: Cell[][],
  limit: number | undefined,
  style: Output['style'],
): string[] {
  const texts = rows.map((row) =>
    row.map((cell) => printable(typeof cell === 'string' ? cell : cell.text)),
  )
  const widths = headings.map((heading, column) =>
    Math.max(displayWidth(heading), ...texts.map((row) => displayWidth(row[column] ?? ''))),
  )
  if (limit !== undefined) shrink(widths, limit)
  const line = (cells: string[], styled: (text: string, column: number) => string) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        const text = cutTo(cell, width)
        const last = column === cells.length - 1
        return styled(text, column) + (last ? '' : ' '.repeat(width - displayWidth(text) + gap))
      })
      .join('')
      .trimEnd()
  return [
    line(headings, (text) => style('bold', text)),
    ...texts.map((row, index) =>
      line(row, (text, column) => {
        const cell = rows[index]?.[column]
        return typeof cell === 'object' ? style(cell.style, text) : text
      }),
    ),
  ]
}

/** Takes from the widest column until the line fits; below eight cells nothing would be readable. */
function shrink(widths: number[], limit: number): void {
  const total = () => widths.reduce((sum, width) => sum + width + gap, -gap)
  while (total() > limit) {
    const widest = Math.max(...widths)
    if (widest <= narrowest) return
    widths[widths.indexOf(widest)] = widest - 1
  }
}
