/** `idp completion`: what the Tab key offers, asked of real shells where they are installed. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runWith } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'idp-completion-'))
// Stands for the real one, which would ask the database.
writeFileSync(
  join(folder, 'idp'),
  '#!/bin/sh\n[ "$1 $2" = "clients list" ] && echo cloud-7 && echo wiki-9\n',
  { mode: 0o755 },
)

async function scriptFor(shell: string): Promise<string> {
  const { code, stdout } = await runWith(['completion', shell], {})
  expect(code).toBe(0)
  return stdout
}

const bash = await scriptFor('bash')

function offered(...words: string[]): string[] {
  const script = `${bash}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_idp; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', script], {
    encoding: 'utf8',
    env: { PATH: `${folder}:${process.env.PATH}` },
  })
  expect([status, stderr]).toEqual([0, ''])
  return stdout.trim().split('\n')
}

test.each([
  [['idp', 'us'], ['users']],
  [['idp', 'users', 'imp'], ['import']],
  [['idp', 'users', 'import', '--on'], ['--on-conflict']],
  [['idp', 'users', 'import', 'people.jsonl', '--dry'], ['--dry-run']],
  [['idp', 'completion', 'f'], ['fish']],
  [['idp', 'sessions', 'list', '--client', 'cl'], ['cloud-7']],
  [['idp', 'clients', 'get', 'w'], ['wiki-9']],
  [['idp', 'audit', 'tail', '--account', 'users', '--fol'], ['--follow']],
])('bash offers for %j: %j', (words, expected) => {
  expect(offered(...words)).toEqual(expected)
})

test.each(['zsh', 'fish'])('%s reads its script, where it is installed', async (shell) => {
  const script = await scriptFor(shell)
  expect(script).toContain('on-conflict')
  const there = spawnSync(shell, ['--version']).status === 0
  const { status, stderr } = there
    ? spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' })
    : { status: 0, stderr: '' }
  expect([status, stderr]).toEqual([0, ''])
})

test('another shell is wrong use', async () => {
  const { code, stderr } = await runWith(['completion', 'tcsh'], {})
  expect([code, stderr.includes('fish')]).toEqual([2, true])
})
