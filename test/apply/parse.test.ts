/** The file of `idp apply` as a text: what is read, and in which line each mistake stands. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { toInput } from '../../src/apply/client-fields.ts'
import { clientEntry, fileJsonSchema } from '../../src/apply/document.ts'
import { parseFile } from '../../src/apply/parse.ts'
import { noPolicy } from '../../src/clients/policy.ts'
import { settingMembers } from '../../src/clients/protocol-settings.ts'

const mistakesOf = (text: string) => {
  const parsed = parseFile(text)
  return parsed.ok ? [] : parsed.mistakes
}

test('YAML and JSON say the same', () => {
  const yaml =
    'version: 1\nclients:\n  - name: Wiki\n    redirect_uris: [https://wiki.example.org/cb]\n'
  const json = JSON.stringify({
    version: 1,
    clients: [{ name: 'Wiki', redirect_uris: ['https://wiki.example.org/cb'] }],
  })
  expect(parseFile(yaml)).toEqual(parseFile(json))
  expect(parseFile(yaml)).toMatchObject({ ok: true })
})

test('every mistake is told at once, with its line and its place', () => {
  const text = [
    'version: 1',
    'clients:',
    '  - name: Wiki',
    '    redirect_url: https://wiki.example.org/cb',
    '    refresh_idle: soon',
    '  - preset: spa',
    'group:',
    '  - name: Staff',
  ].join('\n')
  expect(mistakesOf(text)).toEqual([
    { line: 5, where: 'clients[0].refresh_idle', message: expect.any(String) },
    { line: 4, where: 'clients[0].redirect_url', message: 'is not known here' },
    { line: 6, where: 'clients[1].name', message: expect.any(String) },
    { line: 8, where: 'group', message: 'is not known here' },
  ])
})

test.each([
  ['no version', 'clients: []', 'version'],
  ['another version', 'version: 2', 'version'],
  ['a list', '- 1', ''],
  ['nothing', '', ''],
])('%s is refused', (_, text, where) => {
  expect(mistakesOf(text)).toMatchObject([{ where }])
})

test('what is no YAML is refused with its line', () => {
  expect(mistakesOf('version: 1\nclients: [')).toMatchObject([{ line: 2 }])
  expect(mistakesOf('version: 1\nversion: 1')).toMatchObject([{ line: 2 }])
})

test('a secret in clear is refused, and not repeated', () => {
  const mistakes = mistakesOf('version: 1\nclients:\n  - name: Wiki\n    secret: hunter2hunter2\n')
  expect(mistakes).toMatchObject([{ line: 4, where: 'clients[0].secret' }])
  expect(JSON.stringify(mistakes)).not.toContain('hunter2')
})

test('aliases that grow without end are refused', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
  for (const [name, before] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf'])
    bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`)
  expect(mistakesOf(bomb.join('\n'))).toMatchObject([{ message: expect.stringMatching(/alias/i) }])
})

test('two of one name are refused', () => {
  const text = [
    'version: 1',
    'clients:',
    '  - name: Wiki',
    '  - name: WIKI',
    'roles:',
    '  - name: editor',
    '  - { name: editor, client: wiki }',
    '  - name: editor',
  ].join('\n')
  expect(mistakesOf(text)).toEqual([
    { line: 4, where: 'clients[1]', message: 'is named like clients[0]' },
    { line: 8, where: 'roles[2]', message: 'is named like roles[0]' },
  ])
})

test('whatever an admin can set on an app can stand in the file', () => {
  const fields = Object.keys(clientEntry.shape)
  expect(fields).toEqual(expect.arrayContaining(Object.values(settingMembers)))
  const sample = Object.fromEntries(
    fields.map((field) => [
      field,
      /lifetime|refresh_(idle|total)|max_age/.test(field) ? '5m' : 'x',
    ]),
  )
  const input = Object.keys(toInput(sample as never))
  expect(input).toEqual(expect.arrayContaining(Object.keys(noPolicy)))
  expect(input).toEqual(expect.arrayContaining(Object.keys(settingMembers)))
})

test('editors are given the schema that the file is held to', () => {
  const path = new URL('../../deploy/apply.schema.json', import.meta.url)
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(fileJsonSchema())),
  )
})
