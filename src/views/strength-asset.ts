/**
 * The script that judges a password while it is typed: zxcvbn-ts as it comes, the beginnings of its word lists, and our own
 * words for what it finds (views/assets/strength.js). Put together when a browser first asks for it: whoever only signs in
 * never does, and nothing of it stays in memory before that.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The lists are sorted by how often a word is used; what comes later weighs much and says little. */
const longestList = 10_000

const lists = {
  passwords: ['@zxcvbn-ts/language-common', 'passwords.json.mjs'],
  words: ['@zxcvbn-ts/language-en', 'commonWords.json.mjs'],
  names: ['@zxcvbn-ts/language-en', 'firstnames.json.mjs'],
} as const

const packages = ['@zxcvbn-ts/core', '@zxcvbn-ts/language-common', '@zxcvbn-ts/language-en']

function fileOf(name: string, file: string): string {
  return join(dirname(fileURLToPath(import.meta.resolve(name))), file)
}

/** `hash` changes with every part of it; `body` reads and writes a few hundred kilobytes. */
export function readStrengthScript(directory: string): { hash: string; body(): Buffer } {
  const own = readFileSync(join(directory, 'strength.js'))
  const versions = packages.map((name) => readFileSync(fileOf(name, '../package.json')))
  const hash = createHash('sha256').update(own).update(String(longestList))
  for (const version of versions) hash.update(version)
  return { hash: hash.digest('hex').slice(0, 16), body: () => compose(own) }
}

function compose(own: Buffer): Buffer {
  const core = readFileSync(fileOf('@zxcvbn-ts/core', 'zxcvbn-ts.js'), 'utf8')
  const graphs = literalIn(fileOf('@zxcvbn-ts/language-common', 'adjacencyGraphs.json.mjs'), '{')
  const dictionary = Object.fromEntries(
    Object.entries(lists).map(([name, [from, file]]) => [
      name,
      shorten(listIn(fileOf(from, file))),
    ]),
  )
  return Buffer.from(
    [
      'const scope = {};',
      `(function () {${core.replace(/\n\/\/# sourceMappingURL=.*$/m, '')}}).call(scope);`,
      `const graphs = ${graphs};`,
      `const lists = ${JSON.stringify(dictionary)};`,
      String(own),
    ].join('\n'),
  )
}

/** A list front-coded: a capital for how many letters are kept of the word before, then the rest of the word. */
function listIn(path: string): string {
  const [, literal] = /decompress\(("(?:[^"\\]|\\.)*")\)/.exec(readFileSync(path, 'utf8')) ?? []
  if (literal === undefined) throw new Error(`${path} holds no list`)
  return JSON.parse(literal)
}

function shorten(list: string): string {
  return new RegExp(`^(?:[A-Z][^A-Z]*){0,${longestList}}`).exec(list)?.[0] ?? ''
}

/** The value that the module begins with, as JSON. */
function literalIn(path: string, first: string): string {
  const text = readFileSync(path, 'utf8')
  const literal = text.slice(text.indexOf(first), text.lastIndexOf(';\n\nexport'))
  JSON.parse(literal)
  return literal
}
