/** The house keeps its own rules; each rule is also shown that it would notice. */
import { describe, expect, test } from 'vitest'
import {
  findBareSuppressions,
  findBarrels,
  findClasses,
  findClimbingImports,
  findDefaultExports,
  findEnvironmentReaders,
  findHttpInRooms,
  findLeftOpen,
  findMissingCaptions,
  importsOf,
  ladder,
  readSource,
  readSources,
  roomOf,
  type Source,
  starters,
} from './support/architecture.ts'

const house = readSources('src')
// This file and its support speak of what they forbid.
const tests = readSources('test').filter(({ path }) => !/\barchitecture\b/.test(path))

test('the sources are found', () => {
  expect(house.map(({ path }) => path)).toContain('src/http/listen.ts')
  expect(tests.length).toBeGreaterThan(10)
})

describe('imports only go down the ladder, and every room is on it', () => {
  test('in this house', () => {
    expect(findClimbingImports(house)).toEqual([])
  })

  const clients = (text: string): Source[] => [{ path: 'src/clients/a.ts', text }]
  test.each([
    ['upward', `import { x } from '../oidc/b.ts'`],
    ['to a room of the same rung', `import { x } from '../sessions/b.ts'`],
    ['a type', `import type { X } from '../pages/b.ts'`],
    ['over several lines', `import {\n  x,\n  y,\n} from '../app.ts'`],
    ['by passing on', `export { x } from '../main.ts'`],
    ['for its effects', `import '../server.ts'`],
    ['when it runs', `const x = await import('../demo/b.ts')`],
    ['from the tests', `import { x } from '../../test/support/server.ts'`],
    ['from outside', `import { x } from '../../../elsewhere/b.ts'`],
  ])('%s is noticed', (_, text) => {
    expect(findClimbingImports(clients(text))).toHaveLength(1)
  })

  test('a room that nobody placed is noticed', () => {
    const source = { path: 'src/utils/a.ts', text: '' }
    expect(findClimbingImports([source])).toEqual([
      'src/utils/a.ts: the room "utils" is not on the ladder',
    ])
  })

  test('downward, inside the room, packages and what comments mention are allowed', () => {
    const text = `import { x } from '../database/b.ts'\nimport { y } from './c.ts'\nimport pg from 'pg'\n// import { z } from '../app.ts'`
    expect(findClimbingImports(clients(text))).toEqual([])
    expect(importsOf(clients(text)[0] as Source)).toHaveLength(3)
  })

  test('a file and the folder of its name are one room', () => {
    expect(roomOf('src/views.ts')).toBe(roomOf('src/views/phrases.ts'))
    const text = `import { phrases } from './views/phrases.ts'`
    expect(findClimbingImports([{ path: 'src/views.ts', text }])).toEqual([])
  })
})

test('the README shows this very ladder', () => {
  const { text } = readSource('README.md')
  const shown = text.split('```').find((block) => block.startsWith('\nerrors '))
  const rooms = ladder.map((row) => row.filter((room) => !starters.includes(room)).join(' '))
  expect(shown?.trim().split('\n')).toEqual(rooms.filter((row) => row !== ''))
})

const rules: [string, (sources: Source[]) => string[], Source[], Source[]][] = [
  [
    'rooms hold no HTTP',
    findHttpInRooms,
    house,
    [
      { path: 'src/accounts/a.ts', text: `import type { Context } from 'koa'` },
      { path: 'src/registration/a.ts', text: `import { request } from 'node:http'` },
    ],
  ],
  ['no file is a barrel', findBarrels, house, [{ path: 'src/clients/index.ts', text: '' }]],
  [
    'nothing is exported without a name',
    findDefaultExports,
    house,
    [
      { path: 'src/a.ts', text: 'export default 1' },
      { path: 'src/b.ts', text: 'const x = 1\nexport { x as default }' },
    ],
  ],
  [
    'no class but errors',
    findClasses,
    house,
    [
      { path: 'src/a.ts', text: 'export class Store {\n}' },
      { path: 'src/b.ts', text: 'class Store extends Map {\n}' },
      { path: 'src/c.ts', text: 'abstract class Store<T> {}' },
    ],
  ],
  [
    'the environment enters at known doors',
    findEnvironmentReaders,
    house,
    [
      { path: 'src/oidc/a.ts', text: 'const x = process.env.X' },
      { path: 'src/oidc/b.ts', text: `const x = process['env'].X` },
      { path: 'src/oidc/c.ts', text: 'const { env } = process' },
    ],
  ],
  [
    'every file says on top what it promises',
    findMissingCaptions,
    house,
    [
      { path: 'src/a.ts', text: `import pg from 'pg'` },
      { path: 'src/b.ts', text: '/** */\nconst x = 1' },
      { path: 'src/c.ts', text: '// a remark\nconst x = 1' },
    ],
  ],
  [
    'no test is left out and nothing is put off',
    findLeftOpen,
    [...house, ...tests],
    [
      { path: 'test/a.ts', text: `test.skip('x', () => {})` },
      { path: 'test/b.ts', text: `describe.only('x', () => {})` },
      { path: 'src/c.ts', text: '// TODO: later' },
    ],
  ],
  [
    'no check is switched off without a reason',
    findBareSuppressions,
    [...house, ...tests],
    [
      { path: 'src/a.ts', text: '// @ts-expect-error\nconst x: number = ""' },
      { path: 'src/b.ts', text: 'const x = y as any' },
    ],
  ],
]

describe.each(rules)('%s', (_, find, sources, offenders) => {
  test('in this house', () => {
    expect(find(sources)).toEqual([])
  })

  test.each(offenders.map((offender) => [offender.text.split('\n')[0], offender] as const))(
    '%s is noticed',
    (_, offender) => {
      expect(find([offender])).toHaveLength(1)
    },
  )
})

test('errors are allowed to be classes, and doors to speak HTTP', () => {
  expect(
    findClasses([{ path: 'src/a.ts', text: 'export class AError extends Error {\n}' }]),
  ).toEqual([])
  expect(findHttpInRooms([{ path: 'src/pages/a.ts', text: `import Koa from 'koa'` }])).toEqual([])
})
