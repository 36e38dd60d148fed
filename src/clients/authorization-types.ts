/**
 * Types of authorization details (RFC 9396): what may be asked for at an API beyond scopes, as a JSON Schema (2020-12)
 * that an admin gives. It judges what strangers send, so it may neither fetch anything nor take long, and what it does
 * not name is refused (§5).
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { type Problem, shorten } from './rules/problem.ts'
import { longestMatched, patternProblem } from './safe-patterns.ts'
import { isScopeToken } from './scopes.ts'

export type JsonSchema = { [keyword: string]: unknown }
export type AuthorizationType = { name: string; schema: JsonSchema }

const longestSchema = 16_384
const deepestSchema = 10

/** Where schemas stand inside a schema; everything else is data or a plain rule. */
const mapsOfSchemas = ['properties', '$defs', 'dependentSchemas']
const listsOfSchemas = ['allOf', 'anyOf', 'oneOf', 'prefixItems']
const singleSchemas = [
  'items',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'contains',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
]
/** References that lead elsewhere or around, and rules whose cost nobody can tell. */
const refused = [
  '$id',
  '$anchor',
  '$dynamicRef',
  '$dynamicAnchor',
  '$recursiveRef',
  '$recursiveAnchor',
  '$vocabulary',
  '$async',
  'patternProperties',
  'format',
]

/** Everything that is wrong with a type as an admin gave it. `schema` is what was parsed. */
export function checkAuthorizationType({ name, schema }: AuthorizationType): Problem[] {
  const problem = (field: string, code: string, message: string, fix: string) => ({
    field,
    code,
    message,
    fix,
  })
  const problems: Problem[] = []
  if (!isScopeToken(name)) {
    const fix = 'Use letters, digits and punctuation, such as payment_initiation, or a URI.'
    problems.push(
      problem('authorization_type', 'type_malformed', `${shorten(name)} is not a name`, fix),
    )
  }
  const add = (message: string, fix: string) =>
    problems.push(problem('schema', 'schema_refused', message, fix))
  if (!isObject(schema)) {
    add('is not a JSON object', 'Give a JSON Schema such as {"type": "object", "properties": {…}}.')
    return problems
  }
  if (JSON.stringify(schema).length > longestSchema) {
    add(`is longer than ${longestSchema} characters`, 'Describe less.')
    return problems
  }
  const found = [...flawsOf(schema, '#', 0)]
  for (const flaw of found) add(flaw, 'See `idp apis update --help`.')
  if (found.length === 0) {
    try {
      compileType({ name, schema })
    } catch (error) {
      add(
        `is not a JSON Schema (2020-12): ${(error as Error).message.slice(0, 200)}`,
        'Mend it and try again.',
      )
    }
  }
  return problems
}

function* flawsOf(schema: unknown, path: string, depth: number): Generator<string> {
  if (typeof schema === 'boolean') return
  if (!isObject(schema)) return yield `has something at ${path} that is no schema`
  if (depth > deepestSchema) return yield `is nested more than ${deepestSchema} deep`
  for (const keyword of refused) {
    if (keyword in schema) yield `uses ${keyword} at ${path}, which is not allowed here`
  }
  const { $ref, $defs, pattern, maxLength, type } = schema
  if (depth === 0 && type !== undefined && type !== 'object')
    yield 'does not describe an object at its root'
  if (depth > 0 && $defs !== undefined) yield `has $defs at ${path}; they belong to the root`
  if ($ref !== undefined && (typeof $ref !== 'string' || !/^#\/\$defs\/[\w-]+$/.test($ref))) {
    yield `refers to ${shorten(String($ref))} at ${path}; only #/$defs/NAME of its own may be`
  }
  // One definition that leads to another could lead around, or twice as far at each step.
  if ($ref !== undefined && path.startsWith('#/$defs')) yield `refers on from ${path}`
  if (pattern !== undefined) {
    const wrong = patternProblem(String(pattern))
    if (wrong) yield `has a pattern at ${path} that ${wrong}`
    if (typeof maxLength !== 'number' || maxLength > longestMatched) {
      yield `has a pattern at ${path} without a maxLength of ${longestMatched} or less`
    }
  }
  for (const [inner, at] of innerSchemas(schema)) yield* flawsOf(inner, `${path}/${at}`, depth + 1)
}

function* innerSchemas(schema: JsonSchema): Generator<[unknown, string]> {
  for (const name of mapsOfSchemas) {
    const map = schema[name]
    if (isObject(map)) for (const key of Object.keys(map)) yield [map[key], `${name}/${key}`]
  }
  for (const name of listsOfSchemas) {
    const list = schema[name]
    if (Array.isArray(list))
      for (const [index, inner] of list.entries()) yield [inner, `${name}/${index}`]
  }
  for (const name of singleSchemas) if (name in schema) yield [schema[name], name]
}

/** Judges a whole detail, its `type` included. Throws for a schema that is none. */
export function compileType({ name, schema }: AuthorizationType): ValidateFunction {
  const ajv = new Ajv2020({
    strict: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    ownProperties: true,
    logger: false,
  })
  const { properties = {} } = schema as { properties?: JsonSchema }
  return ajv.compile(
    closed({ ...schema, type: 'object', properties: { ...properties, type: { const: name } } }),
  )
}

/** Members that nobody described are refused, unless the schema itself says what is to become of them. */
function closed(schema: JsonSchema): JsonSchema {
  const { properties, items, $defs } = schema
  const next = { ...schema }
  if (isObject($defs)) next.$defs = closedAll($defs)
  if (isObject(items)) next.items = closed(items)
  if (!isObject(properties)) return next
  next.properties = closedAll(properties)
  const open = 'additionalProperties' in schema || 'unevaluatedProperties' in schema
  return open ? next : { ...next, unevaluatedProperties: false }
}

function closedAll(schemas: JsonSchema): JsonSchema {
  const entries = Object.entries(schemas)
  return Object.fromEntries(
    entries.map(([name, inner]) => [name, isObject(inner) ? closed(inner) : inner]),
  )
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Every type with the API it belongs to. */
export async function listAuthorizationTypes(
  db: Db,
): Promise<(AuthorizationType & { api: { identifier: string; name: string } })[]> {
  const { rows } = await sql<{
    name: string
    schema: JsonSchema
    identifier: string
    apiName: string
  }>`
    select t.name, t.schema, a.identifier, a.name as api_name
    from authorization_types t join apis a on a.identifier = t.api_identifier order by t.name`.execute(
    db,
  )
  return rows.map(({ name, schema, identifier, apiName }) => ({
    name,
    schema,
    api: { identifier, name: apiName },
  }))
}

/** Those of `names` that no API of the client has. */
export async function unknownTypes(
  db: Db,
  names: readonly string[] | null | undefined,
  apis: readonly { identifier: string }[],
): Promise<Problem[]> {
  if (!names || names.length === 0) return []
  const own = new Set(apis.map(({ identifier }) => identifier))
  const known = (await listAuthorizationTypes(db)).filter(({ api }) => own.has(api.identifier))
  return names
    .filter((name) => !known.some((type) => type.name === name))
    .map((name) => ({
      field: 'authorization_details_types',
      code: 'type_unknown',
      message: `names ${shorten(name)}, which none of its APIs has`,
      fix: 'See `idp apis get IDENTIFIER`, and give it the API with --api.',
    }))
}
