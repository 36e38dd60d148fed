import { expect, test } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { createOutput, type Output } from '../../src/cli/output.ts'
import { cutTo, didYouMean, displayWidth, padTo, printable } from '../../src/cli/text.ts'

function written(
  write: (out: Output) => void,
  shape: { isTTY?: boolean; columns?: number } = {},
  env: Record<string, string> = {},
): { stdout: string; stderr: string } {
  const lines = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      lines[name] += text
      return true
    },
    ...shape,
  })
  write(createOutput({ stdout: stream('stdout'), stderr: stream('stderr'), env } as unknown as Io))
  return lines
}

const rows = [
  ['Cloud', 'cloud-abcdefgh', 'https://cloud.example.org/a/rather/long/address'],
  ['云盘文件', 'files-abcdefgh', 'https://files.example.org'],
]
const table = (out: Output) => out.table(['NAME', 'CLIENT ID', 'APP'], rows)

test('Chinese and emoji take two cells, accents and joined marks none of their own', () => {
  expect(displayWidth('云盘')).toBe(4)
  expect(displayWidth('e\u0301te\u0301')).toBe(3)
  expect(displayWidth('🔑 ok')).toBe(5)
  expect(padTo('云', 4)).toBe('云  ')
  expect(cutTo('云盘文件', 5)).toBe('云盘…')
  expect(cutTo('short', 5)).toBe('short')
})

test('columns stand under their headings whatever the script', () => {
  const lines = written(table).stdout.trimEnd().split('\n')
  const starts = lines.map((line) =>
    displayWidth(line.slice(0, line.search(/CLIENT|cloud-|files-/))),
  )
  expect(new Set(starts).size).toBe(1)
})

test('a terminal’s table fits its width; a pipe gets all of it', () => {
  const narrow = written(table, { isTTY: true, columns: 48 }, { NO_COLOR: '1' })
    .stdout.trimEnd()
    .split('\n')
  for (const line of narrow) expect(displayWidth(line)).toBeLessThanOrEqual(48)
  expect(narrow[1]).toContain('…')
  expect(written(table).stdout).toContain('https://cloud.example.org/a/rather/long/address')
})

test('colour only at a terminal, and not with NO_COLOR', () => {
  expect(written(table, { isTTY: true }).stdout).toContain('\x1b[1m')
  expect(written(table, { isTTY: true }, { NO_COLOR: '1' }).stdout).not.toContain('\x1b')
  expect(written(table, { isTTY: true }, { TERM: 'dumb' }).stdout).not.toContain('\x1b')
  expect(written(table).stdout).not.toContain('\x1b')
})

test('what people are called cannot steer the terminal', () => {
  const name = 'evil\x1b[2Jname\u202e\nnext'
  expect(printable(name)).toBe('evil�[2Jname��next')
  for (const { stdout } of [
    written((out) => out.table(['NAME'], [[name]])),
    written((out) => out.fields([['Name', name]])),
  ]) {
    for (const sign of ['\x1b', '\u202e']) expect(stdout).not.toContain(sign)
  }
})

test('JSON carries its version and nothing stands beside it', () => {
  const { stdout, stderr } = written((out) => out.json({ clients: [] }))
  expect(JSON.parse(stdout)).toEqual({ version: 1, clients: [] })
  expect(stderr).toBe('')
})

test('fields without a value are left out, lists stand below each other', () => {
  const { stdout } = written((out) =>
    out.fields([
      ['A', '1'],
      ['Missing', undefined],
      ['List', ['x', 'y']],
    ]),
  )
  expect(stdout).toBe('A        1\nList     x\n         y\n')
})

test('the nearest word is offered, and none when nothing is near', () => {
  expect(didYouMean('nextclod', ['grafana', 'nextcloud'])).toBe('nextcloud')
  expect(didYouMean('GRAF', ['grafana', 'nextcloud'])).toBe('grafana')
  expect(didYouMean('zzz', ['grafana', 'nextcloud'])).toBeUndefined()
  expect(didYouMean('x', [])).toBeUndefined()
})
