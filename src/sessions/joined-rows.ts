/**
 * The rows of a join in one column of JSON. Seventy columns cost more to describe, each time and on both sides, than
 * to fill; packed they are one, and a row that matched nothing is null.
 */
import type { Columns, Row } from './artefacts.ts'

/** A row of the join: `key` is null when nothing matched, `computed` are columns that are expressions. */
export type Part = { key: string; columns: Columns; computed?: Record<string, string> }

export type JoinedRows<Alias extends string> = {
  /** For the select list; its value goes to `unpack`. */
  select: string
  unpack(packed: Record<Alias, unknown[] | null>): Partial<Record<Alias, Row>>
}

/** By the alias that each has in the join. */
export function joinRows<Alias extends string>(parts: Record<Alias, Part>): JoinedRows<Alias> {
  const entries = Object.entries<Part>(parts) as [Alias, Part][]
  const packed = entries.map(([alias, { key, columns, computed = {} }]) => {
    const values = Object.keys(columns).map((column) => computed[column] ?? `${alias}.${column}`)
    return `'${alias}', case when ${alias}.${key} is not null then json_build_array(${values.join(', ')}) end`
  })
  const decoders = entries.map(
    ([alias, { columns }]) =>
      [
        alias,
        Object.entries(columns).map(([name, type]) => [name, decoderOf(type)] as const),
      ] as const,
  )
  return {
    select: `json_build_object(${packed.join(', ')})`,
    unpack(found) {
      const rows: Partial<Record<Alias, Row>> = {}
      for (const [alias, columns] of decoders) {
        const values = found[alias]
        if (!values) continue
        const row: Row = {}
        for (const [index, [name, decode]] of columns.entries()) {
          const value = values[index]
          row[name] = decode && typeof value === 'string' ? decode(value) : value
        }
        rows[alias] = row
      }
      return rows
    },
  }
}

/** What JSON has no word for comes as text. */
function decoderOf(type: string): ((text: string) => unknown) | undefined {
  if (type === 'timestamptz') return (text) => new Date(text)
  // `\x` and hexadecimal digits.
  if (type === 'bytea') return (text) => Buffer.from(text.slice(2), 'hex')
  return undefined
}
