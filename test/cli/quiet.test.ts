/** `--quiet` where there are lists: ids alone, fit for `xargs`. */
import { expect, test } from 'vitest'
import { createDatabase } from '../support/database.ts'
import { createPerson } from '../support/person.ts'
import { createIdp } from './support.ts'

const database = await createDatabase()
const idp = createIdp(database.url, { ISSUER: 'https://id.example.org' })
const { id: accountId } = await createPerson({ database }, { username: 'ada' })

for (const command of [
  [
    'clients',
    'create',
    'Cloud',
    '--client-id',
    'cloud',
    '--preset',
    'generic',
    '--redirect-uri',
    'https://cloud.example.org/cb',
  ],
  ['apis', 'create', 'https://notes.example.org', '--scope', 'notes:read'],
  ['metadata-hosts', 'add', 'claude.ai', '--scope', 'openid'],
  ['groups', 'create', 'Staff'],
])
  expect((await idp(command)).code).toBe(0)

test.each([
  ['clients', ['cloud']],
  ['apis', ['https://notes.example.org']],
  ['metadata-hosts', ['claude.ai']],
  ['groups', ['Staff']],
  ['roles', ['admin', 'user']],
  ['users', ['ada']],
  ['registration-tokens', []],
  ['issuers', []],
  ['keys', []],
  ['invites', []],
  ['blocks', []],
  ['sessions', []],
  ['grants', []],
  ['mail', []],
  ['webhooks', []],
  ['providers', []],
])('%s list', async (noun, ids) => {
  const { code, stdout, stderr } = await idp([noun, 'list', '--quiet'])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout.split('\n').filter((line) => line !== '')).toEqual(expect.arrayContaining(ids))
  if (ids.length === 0) expect(stdout).toBe('')
})

test('audit search', async () => {
  const { stdout } = await idp(['audit', 'search', '--quiet', '--account', accountId])
  expect(stdout).toMatch(/^([0-9a-f-]{36}\n)+$/)
})
