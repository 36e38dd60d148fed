import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readPhrases } from '../../src/views/phrases.ts'

const root = join(import.meta.dirname, '../../views')
const phrases = readPhrases(join(root, 'locales'))

type Tree = { [key: string]: string | Tree }

function flatten(tree: Tree, prefix = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string][] =>
    typeof value === 'string' ? [[prefix + key, value]] : flatten(value, `${prefix}${key}.`),
  )
}

function read(locale: string): Map<string, string> {
  const text = readFileSync(join(root, 'locales', `${locale}.json`), 'utf8')
  return new Map(flatten(JSON.parse(text)))
}

const plural = /_(one|other)$/
const english = read('en')
const chinese = read('zh-CN')
const keysOf = (texts: Map<string, string>) =>
  [...new Set([...texts.keys()].map((key) => key.replace(plural, '')))].sort()
const slotsOf = (text: string) => [...new Set(text.match(/\{\{\w+\}\}/g))].sort()

test('both languages say the same things', () => {
  expect(keysOf(chinese)).toEqual(keysOf(english))
})

test('both languages fill the same slots, in every plural form that each has', () => {
  for (const [key, text] of chinese) {
    const base = key.replace(plural, '')
    const other = english.get(`${base}_other`) ?? english.get(base) ?? ''
    expect(slotsOf(text), key).toEqual(slotsOf(other))
  }
  for (const key of english.keys()) {
    if (key.endsWith('_one')) expect(english.has(key.replace('_one', '_other')), key).toBe(true)
  }
  expect([...chinese.keys()].filter((key) => key.endsWith('_one'))).toEqual([])
})

test('Chinese is written in Chinese', () => {
  const foreign = [...chinese].filter(([, text]) => !/\p{Script=Han}/u.test(text))
  expect(foreign.map(([key]) => key)).toEqual(['time.clock'])
  for (const [key, text] of chinese) expect(text, key).not.toMatch(/[,!?;]|\p{Script=Han}[.:]/u)
})

test('a list in Chinese has a space around Latin names alone', () => {
  const { list } = phrases['zh-CN']
  expect(list(['Cloudreve', 'Notes'])).toBe('Cloudreve 和 Notes')
  expect(list(['Notes', '云盘'])).toBe('Notes 和云盘')
  expect(list(['云盘', '图书馆'])).toBe('云盘和图书馆')
})

test('no phrase shouts, blames or says oops', () => {
  for (const [key, text] of english) expect(text, key).not.toMatch(/!|\boops|\binvalid|\bsorry/i)
})

test('every phrase is used, and every phrase used exists', () => {
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.eta'))
    .map((file) => readFileSync(join(root, file), 'utf8'))
  sources.push(readFileSync(join(root, '../src/views.ts'), 'utf8'))
  sources.push(readFileSync(join(root, '../src/views/phrases.ts'), 'utf8'))
  sources.push(readFileSync(join(root, '../src/registration/read.ts'), 'utf8'))
  sources.push(readFileSync(join(root, '../src/api/registrations.ts'), 'utf8'))
  const code = sources.join('\n')
  // Keys stand in quotes; `prefix.${value}.rest` stands for every key of that shape.
  const literal = new Set(code.match(/(?<=['`])[a-z][\w-]*(\.[\w-]+)+(?=['`])/g))
  const shapes = [...code.matchAll(/`([a-z][\w-]*\.[^`]*)`/g)].map(
    ([, shape = '']) =>
      new RegExp(`^${shape.replaceAll('.', '\\.').replace(/\$\{[^}]*\}/g, '[\\w-]+')}$`),
  )
  const keys = keysOf(english)
  const unused = keys.filter((key) => !literal.has(key) && !shapes.some((shape) => shape.test(key)))
  expect(unused).toEqual([])
  const rooms = new Set(keys.map((key) => key.split('.')[0]))
  const unknown = [...literal].filter((key) => rooms.has(key.split('.')[0]) && !keys.includes(key))
  expect(unknown).toEqual([])
})

test('durations are words, rounded up', () => {
  const { duration } = phrases.en
  const words = [0, 1, 42.2, 90, 91, 3600, 5400, 5401].map(duration)
  expect(words).toEqual([
    '1 second',
    '1 second',
    '43 seconds',
    '90 seconds',
    '2 minutes',
    '60 minutes',
    '90 minutes',
    '2 hours',
  ])
  expect(phrases['zh-CN'].duration(91)).toBe('2 分钟')
})

test('a Chinese name stands in a Chinese sentence without gaps, a Latin one with them', () => {
  const { t } = phrases['zh-CN']
  expect(t('common.continueTo', { app: '云盘' })).toBe('继续前往云盘')
  expect(t('common.continueTo', { app: 'Cloudreve' })).toBe('继续前往 Cloudreve')
})
