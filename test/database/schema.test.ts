/** `npm run schema` (UPDATE_SCHEMA=1) writes both files anew after a migration. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Insertable, Selectable } from 'kysely'
import { expect, test } from 'vitest'
import type { Tables } from '../../src/database/tables.ts'
import { createDatabase } from '../support/database.ts'
import { describeColumns, describeSchema } from '../support/schema.ts'
import type { catalog } from './catalog.ts'

const { pool } = await createDatabase()

/** Compares a generated file with what it should be; with UPDATE_SCHEMA=1 writes it instead. */
function expectFresh(path: string, text: string): void {
  const file = new URL(path, import.meta.url)
  if (process.env.UPDATE_SCHEMA === '1') writeFileSync(file, text)
  expect(readFileSync(file, 'utf8'), `${path} is stale: "npm run schema" writes it anew`).toBe(text)
}

test('db/schema.sql shows the schema as the migrations make it', async () => {
  expectFresh('../../db/schema.sql', await describeSchema(pool))
})

test('db/schema.sql makes the same schema as the migrations', async () => {
  const fresh = await createDatabase({ empty: true })
  await fresh.pool.query(readFileSync(new URL('../../db/schema.sql', import.meta.url), 'utf8'))
  expect(await describeSchema(fresh.pool)).toBe(await describeSchema(pool))
})

test('the row types name the same tables, columns and kinds as the catalogs', async () => {
  expectFresh('catalog.ts', await describeColumns(pool))
  // The compiler does the rest: `npm run check` fails here and names each column that differs.
  const different: Different[] = []
  const none: never[] = different
  expect(none).toEqual([])
})

type Catalog = typeof catalog
type Values = {
  uuid: string
  text: string
  'character varying': string
  inet: string
  cidr: string
  integer: number
  /** Too large for a number. */
  bigint: string
  boolean: boolean
  'timestamp with time zone': Date
  bytea: Buffer
  json: object
  jsonb: object
  'text[]': string[]
}

type TypeOf<Kind> = Kind extends `${infer Type} ${'null' | 'default'}` ? Type : Kind
type Read<Kind> =
  | Values[TypeOf<Kind> & keyof Values]
  | (Kind extends `${string} null` ? null : never)
type MayBeLeftOut<Kind> = Kind extends `${string} ${'null' | 'default'}` ? true : false

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
type NullFits<Kind, Value> = Same<
  null extends Value ? true : false,
  null extends Read<Kind> ? true : false
>

/** Of one column: reads as the catalogs say, and an insert may leave it out exactly when it may. */
type Fits<Kind, Value, Given> = [Value] extends [Read<Kind>]
  ? [
      NullFits<Kind, Value>,
      Same<undefined extends Given ? true : false, MayBeLeftOut<Kind>>,
    ] extends [true, true]
    ? true
    : false
  : false

type In<T, C> = C extends keyof T ? T[C] : never

type DifferentColumns<T extends keyof Tables & keyof Catalog> =
  | Exclude<keyof Tables[T], keyof Catalog[T]>
  | {
      [C in keyof Catalog[T]]: C extends keyof Tables[T]
        ? Fits<
            Catalog[T][C],
            In<Selectable<Tables[T]>, C>,
            In<Insertable<Tables[T]>, C>
          > extends true
          ? never
          : C
        : C
    }[keyof Catalog[T]]

type Different =
  | Exclude<keyof Tables, keyof Catalog>
  | Exclude<keyof Catalog, keyof Tables>
  | { [T in keyof Tables & keyof Catalog]: `${T}.${DifferentColumns<T> & string}` }[keyof Tables &
      keyof Catalog]
