/** Schemas of authorization details: what an admin may give, and that no text of a stranger's makes them slow. */
import { expect, test } from 'vitest'
import {
  checkAuthorizationType,
  compileType,
  type JsonSchema,
} from '../../src/clients/authorization-types.ts'
import { longestMatched, patternProblem } from '../../src/clients/safe-patterns.ts'

const name = 'payment'
const flaws = (schema: unknown) =>
  checkAuthorizationType({ name, schema: schema as JsonSchema }).map(({ message }) => message)

const payment = {
  title: 'A payment',
  type: 'object',
  required: ['amount'],
  properties: {
    amount: { $ref: '#/$defs/amount' },
    iban: { type: 'string', pattern: '^[A-Z]{2}[0-9A-Z]+$', maxLength: 34 },
    lines: {
      type: 'array',
      maxItems: 5,
      items: { type: 'object', properties: { of: { type: 'string' } } },
    },
  },
  $defs: { amount: { type: 'object', properties: { value: { type: 'string', maxLength: 20 } } } },
}

test('a schema with parts of its own and a pattern is taken, and judges whole details', () => {
  expect(flaws(payment)).toEqual([])
  const judge = compileType({ name, schema: payment })
  const good = { type: name, amount: { value: '12.00' }, iban: 'DE02', lines: [{ of: 'x' }] }
  expect(judge(good)).toBe(true)
  for (const wrong of [
    { ...good, type: 'other' },
    { ...good, unknown: 1 },
    { ...good, amount: { value: '1', unknown: 1 } },
    { ...good, lines: [{ of: 'x', unknown: 1 }] },
    { ...good, iban: 'de' },
    { ...good, iban: 'D'.repeat(35) },
    { type: name },
    JSON.parse(`{"type":"${name}","amount":{},"__proto__":{"x":1}}`),
  ]) {
    expect([wrong, judge(wrong)]).toEqual([wrong, false])
  }
})

test.each<[string, unknown, string]>([
  ['nothing', null, 'is not a JSON object'],
  ['a list', [], 'is not a JSON object'],
  ['a string at its root', { type: 'string' }, 'does not describe an object'],
  ['a reference elsewhere', { properties: { a: { $ref: 'https://evil.example/s' } } }, 'refers to'],
  ['a reference to a file', { properties: { a: { $ref: 'file:///etc/passwd' } } }, 'refers to'],
  ['a reference to itself', { properties: { a: { $ref: '#' } } }, 'refers to'],
  ['a definition that refers on', { $defs: { a: { $ref: '#/$defs/a' } } }, 'refers on'],
  ['a reference to nothing', { properties: { a: { $ref: '#/$defs/b' } } }, 'is not a JSON Schema'],
  ['a name of its own', { $id: 'https://example.com' }, 'uses $id'],
  ['a format', { properties: { a: { format: 'email' } } }, 'uses format'],
  ['members by pattern', { patternProperties: { '(a+)+$': {} } }, 'uses patternProperties'],
  ['a rule that does not exist', { maxLenght: 3 }, 'is not a JSON Schema'],
  ['a rule of the wrong kind', { properties: { a: { maxLength: 'x' } } }, 'is not a JSON Schema'],
  ['a pattern without a length', { properties: { a: { pattern: '^a$' } } }, 'without a maxLength'],
  [
    'a slow pattern',
    { properties: { a: { pattern: '^(a+)+$', maxLength: 99 } } },
    'repeats a group',
  ],
  ['another draft', { $schema: 'http://json-schema.org/draft-04/schema#' }, 'is not a JSON Schema'],
])('a schema with %s is refused', (_, schema, words) => {
  expect(flaws(schema).join('\n')).toContain(words)
})

test('a schema that is too long or too deep is refused', () => {
  expect(flaws({ description: 'x'.repeat(17_000) })[0]).toContain('is longer')
  let deep: JsonSchema = {}
  for (let n = 0; n < 2000; n++) deep = { not: deep }
  expect(flaws(deep)[0]).toContain('nested')
})

test('a property may have the name of a keyword', () => {
  expect(flaws({ properties: { format: { type: 'string' }, $id: { type: 'string' } } })).toEqual([])
})

test.each(['a b', '', 'x'.repeat(101), 'é'])('a type may not be called “%s”', (wrong) => {
  expect(checkAuthorizationType({ name: wrong, schema: {} })).toMatchObject([
    { field: 'authorization_type' },
  ])
})

test.each([
  '^(a+)+$',
  '^(a|aa)+$',
  '^([a-z]+)*$',
  '^((a)+)+$',
  '(?=a+)a',
  '^(a)\\1$',
  '^(?<x>a)\\k<x>$',
  '^a*b*c*d*$',
  'a*b*c*',
  '^a|b*c*d*$',
  '^\\[(a+)+[x]$',
  '^(a?){50}$',
  '[',
  'x'.repeat(201),
])('the pattern %s is refused', (pattern) => {
  expect(patternProblem(pattern)).toBeTypeOf('string')
})

test.each([
  ['^[A-Z]{3}$', 'EUR'],
  ['^\\d+\\.\\d{2}$', '12.50'],
  ['^(?:[0-9]{2}-){2}[0-9]{4}$', '01-02-2026'],
  ['^[a-z]*[a-z]*[a-z]*!$', ''],
  ['^\\(?\\d+\\)?$', '(12)'],
  ['[a-z]+[a-z]+!', ''],
  ['^\\p{Lu}+$', 'ÄB'],
])('the pattern %s is taken, and quick whatever it judges', (pattern, right) => {
  expect(patternProblem(pattern)).toBeUndefined()
  const judge = new RegExp(pattern, 'u')
  if (right) expect(judge.test(right)).toBe(true)
  const before = performance.now()
  for (const letter of 'aA0(-')
    expect(judge.test(`${letter.repeat(longestMatched - 1)}?`)).toBe(false)
  expect(performance.now() - before).toBeLessThan(200)
})
