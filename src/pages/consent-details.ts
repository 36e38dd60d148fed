/** What an app asks for in detail (RFC 9396), as people read it: the schema's titles, and every value in full. */
import type { JsonSchema } from '../clients/authorization-types.ts'
import type { Detail, DetailType } from '../oidc/authorization-details.ts'
import type { ConsentItem, DetailValue } from '../views/page-data.ts'

type Item = Extract<ConsentItem, { kind: 'detail' }>

const ours = ['actions', 'datatypes', 'privileges', 'identifier'] as const

/** A type that was removed meanwhile is shown by its name; the engine refuses it afterwards. */
export function describeDetail(type: DetailType | undefined, detail: Detail): Item {
  const schema = type?.schema ?? {}
  const { type: name, locations: _, ...members } = detail
  return {
    kind: 'detail',
    api: visible(type?.api.name ?? ''),
    title: visible(text(schema.title) ?? name),
    description: text(schema.description),
    values: [...describeAll(members, schema, schema, [])],
  }
}

function* describeAll(
  members: Record<string, unknown>,
  schema: JsonSchema,
  root: JsonSchema,
  path: string[],
): Generator<DetailValue> {
  const known = (schema.properties ?? {}) as Record<string, unknown>
  const names = Object.keys(known).filter((name) => Object.hasOwn(members, name))
  for (const name of new Set([...names, ...Object.keys(members)])) {
    const inner = resolve(Object.hasOwn(known, name) ? known[name] : undefined, root)
    const title = text(inner.title)
    const own = path.length === 0 && title === undefined && ours.find((word) => word === name)
    const label = [...path, visible(title ?? name)]
    yield* describe(members[name], inner, root, label, own || undefined)
  }
}

function* describe(
  value: unknown,
  schema: JsonSchema,
  root: JsonSchema,
  path: string[],
  field?: (typeof ours)[number],
): Generator<DetailValue> {
  const label = field ? { field } : { label: path.join(' · ') }
  if (typeof value === 'boolean') yield { ...label, value }
  else if (Array.isArray(value) && value.some(isObject)) {
    const items = resolve(schema.items, root)
    for (const [index, item] of value.entries()) {
      yield* describe(item, items, root, [...path.slice(0, -1), `${path.at(-1)} ${index + 1}`])
    }
  } else if (isObject(value)) yield* describeAll(value, schema, root, path)
  else yield { ...label, value: [value].flat(9).map((each) => visible(String(each))) }
}

/** Follows the one reference that a schema may have; its own title goes before. */
function resolve(schema: unknown, root: JsonSchema): JsonSchema {
  if (!isObject(schema)) return {}
  const { $ref } = schema
  const definitions = (root.$defs ?? {}) as Record<string, unknown>
  const target = typeof $ref === 'string' ? definitions[$ref.slice('#/$defs/'.length)] : undefined
  return isObject(target) ? { ...target, ...schema } : schema
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

/** What hides or turns text around would let a value read as another. */
function visible(value: string): string {
  return value.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}')
}
