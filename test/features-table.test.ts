/**
 * What deploy/protocol.md, accounts.md and admin.md say is offered, against the tree: tests that exist, flags and settings
 * that are read, commands that can be typed, members of discovery that are there, all of them. And the README leads to each
 * chapter of the protocol.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { createContext } from '../src/cli/context.ts'
import { buildProgram } from '../src/cli/program.ts'
import { createApi } from '../src/clients/apis.ts'
import { addMetadataHost } from '../src/clients/metadata-hosts.ts'
import { makeToken } from './support/registration.ts'
import { createApp } from './support/relying-party.ts'
import { startTestServer } from './support/server.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const protocol = read('deploy/protocol.md')
const readme = read('README.md').split('## What the protocol offers')[1]?.split('\n## ')[0] ?? ''
const settings = read('deploy/env.example')

const rowsOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '))
const chapters = protocol.split('\n## ').slice(1)
const titleOf = (chapter: string) => chapter.split('\n')[0] ?? ''
const ofFeatures = chapters.filter((chapter) => titleOf(chapter) !== 'What discovery says')
const rows = ofFeatures.flatMap(rowsOf).filter(([feature]) => feature !== 'feature')
const named = rowsOf(chapters.find((chapter) => !ofFeatures.includes(chapter)) ?? '').slice(1)

const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() }
const program = buildProgram(createContext({ ...streams, env: {} }, () => async () => {}))
const ownFlags = (command: Command): string[] =>
  command.options.flatMap(({ flags }) => flags.match(/--[a-z-]+/g) ?? [])
const allFlags = (command: Command): string[] => [
  ...ownFlags(command),
  ...command.commands.flatMap(allFlags),
]
const flags = new Set(allFlags(program))

/** The command of a line, found word by word. */
function commandOf(words: string[]): Command {
  let command = program
  for (const word of words) {
    const next = command.commands.find((known) => known.name() === word)
    if (!next) break
    command = next
  }
  return command
}

describe('each feature', () => {
  test('stands there once', () => {
    expect(rows.length).toBeGreaterThan(45)
    expect(new Set(rows.map(([feature]) => feature)).size).toBe(rows.length)
    for (const chapter of ofFeatures)
      expect([titleOf(chapter), rowsOf(chapter).length > 1]).toEqual([titleOf(chapter), true])
  })

  test.each(rows)('%s: turned on by what exists, proven by tests that exist', (...row) => {
    expect(row).toHaveLength(5)
    const [, specification, status, switches = '', proof = ''] = row
    expect(specification).not.toBe('')
    expect(status).toMatch(/^(always on|per client|off until (set up|an admin opens it))$/)
    holdToTree(switches, proof)
  })
})

const others = ['accounts', 'admin'].map((name) => read(`deploy/${name}.md`))
const otherRows = others.flatMap((text) =>
  text
    .split('\n## ')
    .slice(1)
    .flatMap(rowsOf)
    .filter(([feature]) => feature !== 'feature'),
)

test.each(otherRows)('%s: turned on by what exists, proven by tests that exist', (...row) => {
  expect(row).toHaveLength(3)
  const [, switches = '', proof = ''] = row
  expect(switches).not.toBe('')
  holdToTree(switches, proof)
})

/** Throws when a flag, setting, command or test that is named is not there. */
function holdToTree(switches: string, proof: string): void {
  for (const [flag] of switches.matchAll(/--[a-z-]+/g)) expect([...flags]).toContain(flag)
  for (const [setting] of switches.matchAll(/\b[A-Z]+_[A-Z_]+\b/g))
    expect(settings).toContain(setting)
  for (const [, words = ''] of switches.matchAll(/`idp ([a-z -]+)/g)) {
    const command = commandOf(words.split(' '))
    expect([words, command.commands.length]).toEqual([words, 0])
  }
  const files = [...proof.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => String(path))
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) expect([file, existsSync(join(root, file))]).toEqual([file, true])
}

const examples = [
  ...[protocol, ...others].join('\n').matchAll(/^npx idp (.+?)(?: +#.*| >.*)?$/gm),
].map(([, line]) => line)

test('there are commands to copy', () => expect(examples.length).toBeGreaterThan(30))

test.each(examples)('can be typed: idp %s', (line = '') => {
  const words = line.match(/"[^"]*"|\S+/g) ?? []
  const command = commandOf(words)
  expect(command.commands).toEqual([])
  const given = words.filter((word) => word.startsWith('--'))
  for (const flag of given) expect(ownFlags(command)).toContain(flag)
  const places = command.registeredArguments.filter(({ required }) => required)
  expect(words.length).toBeGreaterThanOrEqual(places.length)
})

test('the README has a line for each chapter, and no other', () => {
  const links = [...readme.matchAll(/\| \[([^\]]+)\]\(deploy\/protocol\.md#([a-z0-9-]+)\) \|/g)]
  expect(links.map(([, title]) => title)).toEqual(ofFeatures.map(titleOf))
  for (const [, title = '', anchor] of links) {
    const expected = title
      .toLowerCase()
      .replace(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-')
    expect(anchor).toBe(expected)
  }
})

describe('discovery', async () => {
  const server = await startTestServer({
    env: {
      CLIENT_CERT_HEADER: 'x-client-cert',
      MTLS_ORIGIN: 'https://mtls.example.com',
      TRUSTED_PROXIES: '127.0.0.0/8,::1',
    },
  })
  const { db } = server.database
  const operator = { actor: { kind: 'operator' } } as const
  // What an admin can open is open.
  await makeToken(server)
  await addMetadataHost(db, { host: 'a.example.com', scopes: ['openid'], apis: [] }, operator)
  const schema = { type: 'object', properties: { note: { type: 'string' } } }
  const type = { name: 'note_share', schema }
  await createApi(
    db,
    { identifier: 'https://api.example.com', scopes: ['read'], authorizationType: type },
    operator,
  )
  await createApp(server, { preset: 'native', firstParty: true, authorizationChallenge: true })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const answer = await fetch(`${server.origin}/.well-known/openid-configuration`)
  const metadata = (await answer.json()) as Record<string, unknown>
  const listed = named.flatMap(([members = '']) =>
    [...members.matchAll(/`([a-z_]+)`/g)].map(([, member]) => String(member)),
  )

  test('each member is about a feature, and what is listed is there', () => {
    expect(listed.toSorted()).toEqual(Object.keys(metadata).toSorted())
    const features = rows.map(([feature]) => feature)
    for (const [, feature] of named) expect(features).toContain(feature)
  })

  test('each address that is to be copied is one of its endpoints', () => {
    const endpoints = Object.values(metadata).filter((value) => typeof value === 'string')
    const paths = [...protocol.matchAll(/https:\/\/id\.example\.org(\/oauth2\/[a-z-]+)/g)]
    expect(paths.length).toBeGreaterThan(10)
    for (const [, path] of paths) expect(endpoints).toContain(`${server.origin}${path}`)
  })
})
