/**
 * Reads the catalogs back: as SQL for db/schema.sql, where review sees what a migration changed, and as the
 * columns against which the compiler holds src/database/tables.ts.
 */
import type pg from 'pg'

type Column = {
  table: string
  name: string
  type: string
  nullable: boolean
  default: string | null
}

type Constraint = { table: string; name: string; type: string; text: string }

// Ours: not the migrator's own tables, not the job queue's schema.
const ours = `
  select oid, relname, reloptions from pg_class
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname not like 'kysely\\_%'`

/** `create table` and `create index` for everything, in the order of names. */
export async function describeSchema(pool: pg.Pool): Promise<string> {
  const columns = await listColumns(pool)
  const { rows: tables } = await pool.query<{ name: string; options: string[] | null }>(
    `select relname as name, reloptions as options from (${ours}) t order by relname collate "C"`,
  )
  // Not-null constraints stand with their column.
  const { rows: constraints } = await pool.query<Constraint>(
    `select relname as table, conname as name, contype as type, pg_get_constraintdef(c.oid, true) as text
     from pg_constraint c join (${ours}) t on t.oid = conrelid
     where contype not in ('n', 't') order by contype = 'p' desc, relname collate "C", conname collate "C"`,
  )
  const foreign = constraints.filter(({ type }) => type === 'f')
  const { rows: indexes } = await pool.query<{ table: string; text: string }>(
    `select relname as table, replace(pg_get_indexdef(indexrelid), ' public.', ' ') as text
     from pg_index join (${ours}) t on t.oid = indrelid
     where not exists (select from pg_constraint where conindid = indexrelid) order by pg_get_indexdef(indexrelid) collate "C"`,
  )
  const parts = tables.map(({ name, options }) => {
    const lines = [
      ...columns.filter(({ table }) => table === name).map(columnText),
      ...constraints
        .filter(({ table, type }) => table === name && type !== 'f')
        .map((constraint) => `constraint ${constraint.name} ${constraint.text}`),
    ]
    const storage = options ? ` with (${options.join(', ')})` : ''
    const after = indexes.filter(({ table }) => table === name).map(({ text }) => `${text};\n`)
    return `create table ${name} (\n  ${lines.join(',\n  ')}\n)${storage};\n${after.join('')}`
  })
  // Last, so that the file can be run as it is.
  const references = foreign.map(
    ({ table, name, text }) => `alter table ${table} add constraint ${name} ${text};\n`,
  )
  return [
    '-- Generated from the catalogs; "npm run schema" writes it anew.\n',
    ...parts,
    references.join(''),
    await describePromises(pool),
  ].join('\n')
}

/** Views, functions and triggers, in the order in which they can be made. */
async function describePromises(pool: pg.Pool): Promise<string> {
  // Extensions of a test cluster bring their own.
  const own = (oid: string) =>
    `not exists (select from pg_depend where objid = ${oid} and deptype = 'e')`
  const { rows } = await pool.query<{ text: string }>(`
    select 'create view ' || relname || ' as' || chr(10) || pg_get_viewdef(oid, true) as text, 1 as place, relname as name
      from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v' and ${own('oid')}
    union all
    select replace(pg_get_functiondef(oid), 'public.', '') || ';', 2, proname
      from pg_proc where pronamespace = 'public'::regnamespace and ${own('oid')}
    union all
    select replace(pg_get_triggerdef(g.oid, true), 'public.', '') || ';', 3, relname || tgname
      from pg_trigger g join (${ours}) t on t.oid = tgrelid where not tgisinternal
    order by place, name`)
  return rows.map(({ text }) => `${text}\n`).join('\n')
}

/** The same columns as TypeScript: `type`, then `null` or `default` where an insert may leave it out. */
export async function describeColumns(pool: pg.Pool): Promise<string> {
  const columns = await listColumns(pool)
  const tables = Map.groupBy(columns, ({ table }) => camelCase(table))
  const parts = [...tables].map(([table, list]) => {
    const lines = list.map((column) => `    ${camelCase(column.name)}: '${columnKind(column)}',\n`)
    return `  ${table}: {\n${lines.join('')}  },\n`
  })
  return (
    '/** Generated from the catalogs; "npm run schema" writes it anew. */\n' +
    `export const catalog = {\n${parts.join('')}} as const\n`
  )
}

async function listColumns(pool: pg.Pool): Promise<Column[]> {
  const { rows } = await pool.query<Column>(
    `select relname as table, attname as name, format_type(atttypid, atttypmod) as type,
       not attnotnull as nullable, pg_get_expr(adbin, adrelid) as default
     from pg_attribute join (${ours}) t on t.oid = attrelid
     left join pg_attrdef on adrelid = attrelid and adnum = attnum
     where attnum > 0 and not attisdropped order by relname collate "C", attnum`,
  )
  return rows
}

function columnText(column: Column): string {
  const rule = column.nullable ? '' : ' not null'
  return `${column.name} ${column.type}${rule}${column.default === null ? '' : ` default ${column.default}`}`
}

function columnKind(column: Column): string {
  const flag = column.nullable ? ' null' : column.default === null ? '' : ' default'
  return column.type.replace(/\(\d+\)/, '') + flag
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
