import { expect, test } from 'vitest'
import { exitCodes } from '../../src/cli/errors.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { url, db } = await createDatabase()
const idp = createIdp(url, { SECRET_KEY: 'a-secret-that-only-tests-know-0123456789' })

test('create tells code and link once; list and get never do; revoke ends it', async () => {
  const made = await idp([
    ...['invites', 'create', '--uses', '30', '--expires', '30d', '--role', 'student'],
    ...['--note', 'class 4b', '--json'],
  ])
  expect(made.code).toBe(0)
  const { invite } = JSON.parse(made.stdout)
  expect(invite).toMatchObject({
    uses: 30,
    used: 0,
    state: 'open',
    roles: ['student'],
    email: null,
  })
  expect(invite.link).toBe(`http://localhost:3000/register?invite=${invite.code}`)

  const list = await idp(['invites', 'list'])
  expect(list.stdout).toMatch(new RegExp(`${invite.id} +open +0 of 30 .*student +class 4b`))
  const got = await idp(['invites', 'get', invite.id, '--json'])
  expect(JSON.parse(got.stdout).invite).toMatchObject({ id: invite.id, note: 'class 4b' })
  for (const { stdout, stderr } of [list, got]) expect(stdout + stderr).not.toContain(invite.code)

  expect((await idp(['invites', 'revoke', invite.id])).stderr).toContain('0 of 30')
  expect((await idp(['invites', 'revoke', invite.id])).stderr).toContain('already')
  expect((await idp(['invites', 'list', '--json'])).stdout).toContain('"revoked"')
  expect(await auditOf(db, 'invite.revoked')).toMatchObject([{ actorKind: 'operator' }])
})

test('one bound to an address can be sent: the mail waits, without the code', async () => {
  const sent = await idp(['invites', 'create', '--email', 'mei@example.org', '--send', '--json'])
  const { invite } = JSON.parse(sent.stdout)
  expect(sent.stderr + JSON.stringify(invite)).toContain('mei@example.org')
  const jobs = await db
    .selectFrom('graphile_worker._private_jobs' as never)
    .selectAll()
    .execute()
  expect(JSON.stringify(jobs)).toContain(invite.id)
  expect(JSON.stringify(jobs)).not.toContain(invite.code)
})

test.each([
  [['create', '--uses', '0'], exitCodes.usage],
  [['create', '--expires', 'soon'], exitCodes.usage],
  [['create', '--send'], exitCodes.usage],
  [['create', '--email', 'nobody'], exitCodes.refused],
  [['create', '--role', 'No Role'], exitCodes.refused],
  [['get', 'nothing'], exitCodes.notFound],
  [['revoke', 'nothing'], exitCodes.notFound],
])('invites %j ends with %i', async (argv, code) => {
  expect((await idp(['invites', ...argv])).code).toBe(code)
})
