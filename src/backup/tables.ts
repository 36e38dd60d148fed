/** Which tables a backup holds, and in which order they can be filled: what a row refers to is there before it. */
import type pg from 'pg'

type Queryable = Pick<pg.ClientBase, 'query'>

/** Counters of limits say nothing about another time. Kysely's own lock is made anew. */
const leftOut = ['rate_limits', 'kysely_migration_lock']

export type Table = { name: string; columns: string[] }

export async function listTables(client: Queryable): Promise<Table[]> {
  const { rows } = await client.query<{ name: string; columns: string[]; needs: string[] }>(
    `select c.relname as name,
      array(select attname::text from pg_attribute a
        where a.attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum) as columns,
      array(select distinct f.relname::text from pg_constraint k join pg_class f on f.oid = k.confrelid
        where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid) as needs
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r' and c.relname <> all ($1)
    order by c.relname`,
    [leftOut],
  )
  const done = new Set<string>(leftOut)
  const ordered: Table[] = []
  let waiting = rows
  while (waiting.length > 0) {
    const ready = waiting.filter(({ needs }) => needs.every((name) => done.has(name)))
    if (ready.length === 0)
      throw new Error(`tables refer to each other: ${waiting.map(({ name }) => name).join(', ')}`)
    for (const { name, columns } of ready) {
      done.add(name)
      ordered.push({ name, columns })
    }
    waiting = waiting.filter(({ name }) => !done.has(name))
  }
  return ordered
}

export async function readMigrationNames(client: Queryable): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    'select name from kysely_migration order by name',
  )
  return rows.map(({ name }) => name)
}

/** Names come from the catalog, or were held against it. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
