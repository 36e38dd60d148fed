/** What files have made or taken over, and how they said it: what `--prune` may remove, and what `export` gives back. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'

export type Owned = {
  kind: string
  id: string
  /** The entry as it stood in the file, secrets by reference. */
  declared: object
  /** Made by a file, and not only taken over by one. */
  created: boolean
}

/** In the order of the file. */
export async function listOwned(db: Db): Promise<Owned[]> {
  const { rows } = await sql<Omit<Owned, 'declared'> & { declared: string }>`
    select kind, id, declared::text as declared, created from applied_objects
    order by place, kind, id`.execute(db)
  return rows.map((row) => ({ ...row, declared: JSON.parse(row.declared) as object }))
}

/** `created` stays true once it was. */
export async function own(db: Db, owned: Owned, place: number): Promise<void> {
  const { kind, id, created } = owned
  const declared = JSON.stringify(owned.declared)
  await sql`
    insert into applied_objects (kind, id, declared, created, place)
    values (${kind}, ${id}, ${declared}, ${created}, ${place})
    on conflict (kind, id) do update set declared = ${declared}, place = ${place},
      created = applied_objects.created or ${created}, applied_at = now()`.execute(db)
}

export async function disown(db: Db, { kind, id }: Pick<Owned, 'kind' | 'id'>): Promise<void> {
  await sql`delete from applied_objects where kind = ${kind} and id = ${id}`.execute(db)
}

/** Whether a file says what this is, so that a change by hand lasts until its next `apply`. */
export async function isOwned(db: Db, kind: string, id: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from applied_objects where kind = ${kind} and id = ${id}`.execute(db)
  return rows.length > 0
}
