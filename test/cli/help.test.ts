import { PassThrough } from 'node:stream'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { createContext } from '../../src/cli/context.ts'
import { exitCodes } from '../../src/cli/errors.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { runWith } from './support.ts'

const io = {
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  env: {},
}
const program = buildProgram(createContext(io, () => async () => {}))

function leaves(command: Command, path: string[] = []): { path: string[]; command: Command }[] {
  return command.commands.length === 0
    ? [{ path, command }]
    : command.commands.flatMap((child) => leaves(child, [...path, child.name()]))
}
const commands = leaves(program).filter(({ path }) => path[0] !== 'help')

test('the commands of the contract are there', () => {
  const names = commands.map(({ path }) => path.join(' '))
  const promised = [
    ...[
      'create',
      'list',
      'get',
      'update',
      'rotate-secret',
      'disable',
      'enable',
      'delete',
      'test',
    ].map((verb) => `clients ${verb}`),
    ...['create', 'list', 'get', 'disable', 'enable'].map((verb) => `users ${verb}`),
    ...['create', 'list', 'get', 'delete'].map((verb) => `apis ${verb}`),
    'migrate status',
    'migrate up',
  ]
  expect(names).toEqual(expect.arrayContaining(promised))
})

test.each(commands)(
  '$path is explained, with an example that parses',
  async ({ path, command }) => {
    const { code, stdout, stderr } = await runWith([...path, '--help'], {})
    expect([code, stderr]).toEqual([0, ''])
    expect(command.summary()).not.toBe('')
    expect(stdout).toMatch(/\n {2}# \S.*\n {2}\$ idp /)
    for (const [, flags] of stdout.matchAll(/^ {2}\$ idp (.*)$/gm)) {
      const known = leaves(program).find(
        ({ path: other }) => flags?.startsWith(`${other.join(' ')} `) || flags === other.join(' '),
      )
      expect(known, flags).toBeDefined()
      for (const [flag] of flags?.matchAll(/(?<= )--[a-z-]+/g) ?? []) {
        expect(
          known?.command.options.map(({ long }) => long),
          flags,
        ).toContain(flag)
      }
    }
  },
)

test('no flag takes a secret as its value (AD-09)', () => {
  for (const { command } of commands) {
    for (const { long, flags } of command.options) {
      // What takes a file takes no secret.
      if (long?.endsWith('-file')) continue
      if (/secret|password(?!s)|token$|key$/.test(long ?? '')) expect(flags).not.toMatch(/[<[]/)
    }
  }
})

test('the top groups commands, shows how to begin and names every exit code', async () => {
  const { code, stdout } = await runWith(['--help'], {})
  expect(code).toBe(0)
  for (const heading of ['Apps:', 'People:', 'Running:', 'Examples:', 'Exit codes:'])
    expect(stdout).toContain(heading)
  for (const number of Object.values(exitCodes))
    expect(stdout).toMatch(new RegExp(`\\b${number} [a-z]`))
  expect(stdout).toContain('idp clients create Cloud --preset cloudreve-pro')
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
})

test('without a command it says what there is, as wrong use', async () => {
  for (const argv of [[], ['clients']]) {
    const { code, stdout, stderr } = await runWith(argv, {})
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('Usage: idp')
  }
})

test('the version is the package’s', async () => {
  expect((await runWith(['--version'], {})).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})
