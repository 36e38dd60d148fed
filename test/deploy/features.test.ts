/** The table of features in the README against the tree: tests that exist, flags and settings that are read. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { createContext } from '../../src/cli/context.ts'
import { buildProgram } from '../../src/cli/program.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const section = read('README.md').split('## What the protocol offers')[1]?.split('\n## ')[0] ?? ''
const rows = section
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(1)
  .map((line) => line.slice(2, -2).split(' | '))

const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() }
const program = buildProgram(createContext({ ...streams, env: {} }, () => async () => {}))
const flagsOf = (command: Command): string[] => [
  ...command.options.flatMap(({ flags }) => flags.match(/--[a-z-]+/g) ?? []),
  ...command.commands.flatMap(flagsOf),
]
const flags = new Set(flagsOf(program))
const settings = read('deploy/env.example')

test('the table is there', () => {
  expect(rows.length).toBeGreaterThan(15)
  expect(new Set(rows.map(([feature]) => feature)).size).toBe(rows.length)
})

test.each(rows)('%s: specified, turned on by what exists, proven by tests that exist', (...row) => {
  expect(row).toHaveLength(4)
  const [, specification, switches = '', proof = ''] = row
  expect(specification).not.toBe('')
  for (const [flag] of switches.matchAll(/--[a-z-]+/g)) expect([...flags]).toContain(flag)
  for (const [setting] of switches.matchAll(/\b[A-Z]+_[A-Z_]+\b/g))
    expect(settings).toContain(setting)
  const files = [...proof.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => String(path))
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) expect([file, existsSync(join(root, file))]).toEqual([file, true])
})
