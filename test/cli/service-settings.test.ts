/** `idp service-settings`: what an app keeps about one of its people, by an operator's hand. */
import { expect, test } from 'vitest'
import { createAccount } from '../../src/accounts/accounts.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { url, db } = await createDatabase()
const idp = createIdp(url, { SUDO_USER: 'night-admin' })
const address = { email: 'ada@example.org', canonical: 'ada@example.org' }
await createAccount(db, { username: 'ada', passwordHash: 'hash', address }, { kind: 'operator' })
await idp(['clients', 'create', 'Robot', '--preset', 'service'])
const place = ['ada', 'Robot']

test('are set from a file or standard input, shown, replaced and taken away', async () => {
  const set = await idp(['service-settings', 'set', ...place, '-'], { stdin: '{"quota": 5}' })
  expect(set, set.stderr).toMatchObject({ code: 0 })
  const shown = await idp(['service-settings', 'get', ...place])
  expect(JSON.parse(shown.stdout)).toEqual({ quota: 5 })
  const again = ['service-settings', 'set', ...place, '-', '--json']
  expect(JSON.parse((await idp(again, { stdin: '{"quota":5}' })).stdout)).toMatchObject({
    changed: false,
  })
  expect((await idp(['service-settings', 'delete', ...place, '--yes'])).code).toBe(0)
  const none = await idp(['service-settings', 'get', ...place, '--json'])
  expect(JSON.parse(none.stdout)).toEqual({ version: 1, settings: {} })
})

test.each([
  ['{', 2],
  ['[1]', 5],
  [JSON.stringify({ x: 'x'.repeat(5000) }), 5],
])('what is no small object is refused, by its exit code', async (stdin, code) => {
  expect((await idp(['service-settings', 'set', ...place, '-'], { stdin })).code).toBe(code)
})

test('nobody’s are not found', async () => {
  expect((await idp(['service-settings', 'get', 'nobody', 'Robot'])).code).toBe(3)
  expect((await idp(['service-settings', 'get', 'ada', 'Nothing'])).code).toBe(3)
})
