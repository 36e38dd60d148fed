import { expect, test } from 'vitest'
import { exitCodes } from '../../src/cli/errors.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { url, db } = await createDatabase()
const idp = createIdp(url)

test('blocks are added, listed, shown and lifted, by id or network', async () => {
  const made = await idp([
    'blocks',
    'add',
    '203.0.113.7',
    '--reason',
    'stuffing',
    '--expires',
    '7d',
    '--json',
  ])
  const { block } = JSON.parse(made.stdout)
  expect(block).toMatchObject({
    network: '203.0.113.7/32',
    scope: 'entry',
    kind: 'rule',
    live: true,
  })
  expect((await idp(['blocks', 'list'])).stdout).toMatch(
    /203\.0\.113\.7\/32 +\w+ +blocked +entry +stuffing/,
  )
  expect((await idp(['blocks', 'get', '203.0.113.7'])).stdout).toContain(block.id)
  expect((await idp(['blocks', 'remove', '203.0.113.7'])).stderr).toContain('Lifted')
  expect((await idp(['blocks', 'list'])).stderr).toContain('Nothing')
  expect(await auditOf(db, 'block.removed')).toMatchObject([{ actorKind: 'operator' }])
})

test.each([
  [['add', '203.0.113.7'], exitCodes.usage],
  [['add', '203.0.113.7', '--reason', 'x', '--expires', 'soon'], exitCodes.usage],
  [['add', '0.0.0.0/0', '--reason', 'x'], exitCodes.refused],
  [['add', '127.0.0.1', '--reason', 'x'], exitCodes.refused],
  [['get', 'nothing'], exitCodes.notFound],
  [['remove', 'nothing'], exitCodes.notFound],
])('blocks %j ends with %i', async (argv, code) => {
  const { code: ended, stderr } = await idp(['blocks', ...argv])
  expect([ended, stderr]).toEqual([code, expect.stringMatching(/\w/)])
})
