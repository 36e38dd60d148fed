/** What holds for every command, read off the tree of commands: a new one is held to it by being there. */
import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import type { Command } from 'commander'
import { beforeAll, describe, expect, test } from 'vitest'
import { createContext } from '../../src/cli/context.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { displayWidth } from '../../src/cli/text.ts'
import { createDatabase } from '../support/database.ts'
import { createPerson } from '../support/person.ts'
import { createIdp } from './support.ts'

const database = await createDatabase()
const idp = createIdp(database.url, {
  ISSUER: 'https://id.example.org',
  SECRET_KEY: 'a-secret-that-only-tests-know-0123456789',
})

type Leaf = { path: string[]; command: Command }
const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() }
const program = buildProgram(createContext({ ...streams, env: {} }, () => async () => {}))
const leaves = (command: Command, path: string[] = []): Leaf[] =>
  command.commands.length === 0
    ? [{ path, command }]
    : command.commands.flatMap((child) => leaves(child, [...path, child.name()]))
const commands = leaves(program).filter(({ path }) => path[0] !== 'help')
const nameOf = ({ path }: Leaf) => path.join(' ')
const takes = ({ command }: Leaf, flag: string) => command.options.some(({ long }) => long === flag)

test('every noun has the verbs that make sense for it', () => {
  const nouns = {
    clients: 'create list get update rotate-secret disable enable delete test',
    users: 'create list get update disable enable delete recover import export',
    apis: 'create list get update delete',
    roles: 'create list get update delete grant revoke',
    permissions: 'list',
    groups: 'create list get update delete add remove',
    providers: 'create list get update delete test',
    invites: 'create list get revoke',
    sessions: 'list revoke',
    grants: 'list revoke',
    keys: 'list rotate retire',
    audit: 'tail search export',
    mail: 'test list retry',
    backup: 'create verify restore',
    blocks: 'add list get remove',
    settings: 'get update',
    webhooks: 'create list get update delete test',
    'webhooks deliveries': 'list replay',
    'registration-tokens': 'create list revoke',
    exchanges: 'allow list remove',
    issuers: 'create list delete',
    'metadata-hosts': 'add list remove',
  }
  const there = commands.map(nameOf)
  const promised = Object.entries(nouns).flatMap(([noun, verbs]) =>
    verbs.split(' ').map((verb) => `${noun} ${verb}`),
  )
  expect(promised.filter((name) => !there.includes(name))).toEqual([])
})

test('data is JSON where it is asked for; only files and scripts are not', () => {
  const others = ['users export', 'audit export', 'completion']
  expect(
    commands
      .filter((leaf) => !takes(leaf, '--json'))
      .map(nameOf)
      .toSorted(),
  ).toEqual(others.toSorted())
})

const lists = commands.filter(({ path }) => ['list', 'search'].includes(path.at(-1) ?? ''))

test.each(lists.map((leaf) => [nameOf(leaf), leaf] as const))(
  '%s prints its version, ids alone, or a table',
  async (_, leaf) => {
    expect(takes(leaf, '--quiet')).toBe(true)
    const told = await idp([...leaf.path, '--json'])
    expect(told.code).toBe(0)
    const { version, ...lists } = JSON.parse(told.stdout)
    expect(version).toBe(1)
    expect(Object.values(lists).filter(Array.isArray)).toHaveLength(1)
    const quiet = await idp([...leaf.path, '--quiet'])
    expect(quiet.code).toBe(0)
    expect(quiet.stdout).not.toMatch(/^[A-Z]{2,}|[{}]/m)
    expect((await idp([...leaf.path, '--no-such-flag'])).code).toBe(2)
    const shown = (await idp(leaf.path, { terminal: { columns: 80 } })).stdout
    for (const line of stripVTControlCharacters(shown).split('\n'))
      expect(displayWidth(line)).toBeLessThanOrEqual(80)
  },
)

describe('what cannot be taken back', () => {
  /** A thing to delete, and how to see that it is still there; what hangs on another stands before it. */
  const doomed: Record<string, { args: string[]; seen: string[]; by: string }> = {
    'exchanges remove': {
      args: ['cloud', '--audience', 'https://a.example.org'],
      seen: ['exchanges', 'list', '-q'],
      by: 'cloud https://a.',
    },
    'issuers delete': {
      args: ['https://ci.example.org'],
      seen: ['issuers', 'list', '-q'],
      by: 'https://ci.',
    },
    'service-settings delete': {
      args: ['ada', 'cloud'],
      seen: ['service-settings', 'get', 'ada', 'cloud'],
      by: 'quota',
    },
    'clients delete': { args: ['cloud'], seen: ['clients', 'list', '-q'], by: 'cloud' },
    'apis delete': {
      args: ['https://a.example.org'],
      seen: ['apis', 'list', '-q'],
      by: 'https://a.',
    },
    'metadata-hosts remove': {
      args: ['claude.ai'],
      seen: ['metadata-hosts', 'list', '-q'],
      by: 'claude.ai',
    },
    'users delete': { args: ['ada'], seen: ['users', 'get', 'ada', '--json'], by: 'active' },
    'users reset-factors': { args: ['ada'], seen: ['users', 'list', '-q'], by: 'ada' },
    'roles delete': { args: ['editor'], seen: ['roles', 'list', '-q'], by: 'editor' },
    'groups delete': { args: ['Staff'], seen: ['groups', 'list', '-q'], by: 'Staff' },
    'providers delete': { args: ['work'], seen: ['providers', 'list', '-q'], by: 'work' },
    'webhooks delete': { args: ['HOOK'], seen: ['webhooks', 'list', '-q'], by: 'HOOK' },
  }
  /** These ask only where something would be lost; test/cli/apis.test.ts and test/backup/backup.test.ts see to it. */
  const sometimes = ['apis update', 'backup restore']
  let hook = ''

  beforeAll(async () => {
    await createPerson({ database }, { username: 'ada' })
    const run = async (line: string, stdin = '') => {
      const ran = await idp(line.split(' '), { stdin })
      expect([line, ran.code, ran.stderr]).toEqual([line, 0, ran.stderr])
      return ran.stdout
    }
    await run('apis create https://a.example.org --scope a:read')
    await run(
      'clients create Cloud --client-id cloud --preset generic --redirect-uri https://c.example.org/cb',
    )
    await run('exchanges allow cloud --audience https://a.example.org --scope a:read')
    await run(
      'issuers create https://ci.example.org --jwks-uri https://ci.example.org/keys --client cloud --scope a:read',
    )
    await run('metadata-hosts add claude.ai --scope openid')
    await run('roles create editor --permission read:notes')
    await run('groups create Staff')
    await run(
      'providers create work --issuer https://up.example.org --client-id us --client-secret-file -',
      'an upstream secret',
    )
    await run('service-settings set ada cloud -', '{"quota": 1}')
    hook = JSON.parse(await run('webhooks create https://crm.example.org/hook --event * --json'))
      .webhook.id
  })

  test('is everything that has --yes, and every delete', () => {
    const asking = commands.filter((leaf) => takes(leaf, '--yes')).map(nameOf)
    expect(asking.toSorted()).toEqual([...Object.keys(doomed), ...sometimes].toSorted())
    for (const { path } of commands.filter(({ path }) => path.at(-1) === 'delete'))
      expect(asking).toContain(path.join(' '))
  })

  test.each(Object.keys(doomed))(
    '%s asks at a terminal, and needs --yes elsewhere',
    async (name) => {
      const { args = [], seen = [], by = '' } = doomed[name] ?? {}
      const real = (text: string) => text.replace('HOOK', hook)
      const argv = [...name.split(' '), ...args.map(real)]
      const alone = await idp(argv)
      expect([alone.code, alone.stdout]).toEqual([2, ''])
      expect(alone.stderr).toContain('--yes')
      const doubtful = await idp(argv, { terminal: { typed: 'perhaps\n' } })
      expect([doubtful.code, doubtful.stderr]).toEqual([1, expect.stringContaining('[y/N]')])
      expect((await idp(seen)).stdout).toContain(real(by))
    },
  )

  test.each(Object.keys(doomed))('%s says that it was done, and ends with 0', async (name) => {
    const { args = [] } = doomed[name] ?? {}
    const argv = [...name.split(' '), ...args.map((text) => text.replace('HOOK', hook))]
    const ran = await idp([...argv, '--yes', '--json'])
    expect([ran.code, JSON.parse(ran.stdout).version]).toEqual([0, 1])
  })
})
