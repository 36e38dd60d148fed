/** What an operator says about second factors: for everybody, for one app, and for who has lost theirs. */
import { expect, test } from 'vitest'
import { createClient } from '../../src/clients/create-client.ts'
import { readSignInPolicy } from '../../src/credentials/policy-setting.ts'
import { renewRecoveryCodes } from '../../src/credentials/recovery-codes.ts'
import { createClientCheck } from '../../src/oidc/validate-client.ts'
import { auditOf } from '../support/audit.ts'
import { createHolder, keyringOf } from '../support/factors.ts'
import { startTestServer } from '../support/server.ts'
import { createIdp } from './support.ts'

const server = await startTestServer()
const { db, url } = server.database
const idp = createIdp(url, { ISSUER: server.origin, SUDO_USER: 'night-admin' })

test('settings: what is named changes, the rest stays, and who did it is kept', async () => {
  expect((await idp(['settings', 'get'])).stdout).toContain('enrolled')
  const changed = await idp([
    'settings',
    'update',
    '--second-factor',
    'always',
    '--second-factors',
    'totp, mail-code',
    '--json',
  ])
  expect(JSON.parse(changed.stdout).settings).toEqual({
    second_factor: 'always',
    second_factors: ['totp', 'mail-code'],
    remember_days: 30,
    breached_passwords: null,
    audit_retention_days: 400,
    brand_name: null,
    support_email: null,
  })
  await idp(['settings', 'update', '--remember-days', '0'])
  expect(await readSignInPolicy(db)).toMatchObject({ when: 'always', rememberDays: 0 })
  const [event] = await auditOf(db, 'settings.changed')
  expect(event?.actorId).toBe('night-admin')
})

test.each([
  [['--second-factor', 'sometimes']],
  [['--second-factors', 'totp,password']],
  [['--remember-days', '366']],
  [['--breached-passwords', 'perhaps']],
  [['--breached-passwords', 'https://a:b@ranges.example.org/']],
  [[]],
])('settings update %j is refused in words', async (flags) => {
  const { code, stderr } = await idp(['settings', 'update', ...flags])
  expect(code).toBe(2)
  expect(stderr).not.toBe('')
})

test('an app may have it otherwise, and go back to what holds for all', async () => {
  const input = { name: 'Bank', preset: 'web', redirectUris: ['https://bank.example.com/cb'] }
  const made = await createClient(db, input, {
    actor: { kind: 'operator' },
    engineCheck: createClientCheck(server.origin),
  })
  expect(made.ok).toBe(true)
  const flags = ['--second-factor', 'always', '--second-factors', 'totp,passkey']
  expect((await idp(['clients', 'update', 'Bank', ...flags])).code).toBe(0)
  const { stdout } = await idp(['clients', 'get', 'Bank', '--json'])
  expect(JSON.parse(stdout).client).toMatchObject({
    second_factor: 'always',
    second_factors: ['totp', 'passkey'],
  })
  await idp([
    'clients',
    'update',
    'Bank',
    '--second-factor',
    'default',
    '--second-factors',
    'default',
  ])
  expect((await idp(['clients', 'get', 'Bank', '--json'])).stdout).not.toContain('second_factor')
})

test('users get shows what somebody has; reset-factors takes all of it away once somebody has said yes', async () => {
  const person = await createHolder(server)
  await renewRecoveryCodes({ db, keyring: keyringOf(server) }, person.id)
  const shown = await idp(['users', 'get', person.username])
  expect(shown.stdout).toMatch(/totp[\s\S]*recovery-code/)
  const asked = await idp(['users', 'reset-factors', person.username])
  expect(asked.code).not.toBe(0)
  const done = await idp(['users', 'reset-factors', person.username, '--yes', '--json'])
  expect(JSON.parse(done.stdout).removed).toMatchObject({ authenticators: 1, recovery_codes: 10 })
  const after = await idp(['users', 'get', person.username])
  expect(after.stdout).not.toMatch(/totp|recovery-code/)
  const [event] = await auditOf(db, 'factors.reset')
  expect(event).toMatchObject({ accountId: person.id, actorId: 'night-admin' })
  expect((await idp(['users', 'reset-factors', 'nobody', '--yes'])).code).toBe(3)
})
