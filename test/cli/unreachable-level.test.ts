/** A level that nobody can reach is said to whoever asks userinfo for it, and found by the test of the client. */
import { expect, test } from 'vitest'
import { unreachableLevel } from '../../src/cli/unreachable-level.ts'
import { levels } from '../../src/clients/levels.ts'
import { startTestServer } from '../support/server.ts'
import { createIdp } from './support.ts'

const server = await startTestServer()
const idp = createIdp(server.database.url, { ISSUER: server.origin })

test('what is offered decides', () => {
  const missing = (acr: (typeof levels)[number] | null, ...offered: ('password' | 'passkey')[]) =>
    unreachableLevel({ userinfoAcr: acr }, offered)
  expect(missing('2fa', 'password')).toBe('2fa')
  expect(missing('phr', 'password')).toBe('phr')
  expect(missing('2fa', 'password', 'passkey')).toBeUndefined()
  expect(missing('1fa', 'password')).toBeUndefined()
  expect(missing(null)).toBeUndefined()
})

test.each(levels)(
  'userinfo that asks for %s: a warning with its fix exactly where it is lost',
  async (level) => {
    const lost = unreachableLevel({ userinfoAcr: level }) !== undefined
    const flags = ['--preset', 'generic', '--redirect-uri', 'http://127.0.0.1:9/cb']
    const made = await idp(['clients', 'create', `App ${level}`, ...flags, '--userinfo-acr', level])
    expect(made.code, made.stderr).toBe(0)
    expect(made.stderr.includes(`nobody can sign in as strongly as ${level}`)).toBe(lost)
    expect(made.stderr.includes('--userinfo-acr any')).toBe(lost)
    const changed = await idp(['clients', 'update', `App ${level}`, '--userinfo-max-age', '1h'])
    expect(changed.stderr.includes('Warning: nobody')).toBe(lost)
    const { stdout } = await idp(['clients', 'test', `App ${level}`, '--json'])
    const { checks } = JSON.parse(stdout) as { checks: { check: string; status: string }[] }
    const found = checks.filter(({ check }) => check === 'somebody can reach userinfo')
    expect(found.map(({ status }) => status)).toEqual(lost ? ['failed'] : [])
  },
)
