/** `idp keys`: what a person and a program read, how each command ends, and whose secret it takes. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { readSecretKeys } from '../../src/config/commands.ts'
import { createKeyring } from '../../src/crypto.ts'
import { keyTimes } from '../../src/oidc/key-times.ts'
import { signingAlgorithms } from '../../src/oidc/signing-keys.ts'
import { age, oneOfEach, statesOf } from '../oidc/signing-keys.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const secret = 'Zf0r-tests-4nd-long-enough-to-be-one'
const { url, db } = await createDatabase()
const idp = createIdp(url, { SECRET_KEY: secret, JWKS_MAX_AGE: '3600', SUDO_USER: 'night-admin' })
const keys = { db, keyring: createKeyring([secret]), jwksMaxAgeSeconds: 3600 }
const nowhere = mkdtempSync(join(tmpdir(), 'idp-keys-'))
afterAll(() => rmSync(nowhere, { recursive: true, force: true }))

let of: Awaited<ReturnType<typeof oneOfEach>>
beforeEach(async () => {
  of = await oneOfEach(keys)
})

test('list shows every key, its state, since and until when', async () => {
  const { code, stdout } = await idp(['keys', 'list'])
  expect(code).toBe(0)
  const [heading, ...lines] = stdout.trimEnd().split('\n')
  expect(heading).toMatch(/^KEY +ALG +STATE +SINCE +UNTIL$/)
  expect(lines).toHaveLength(8)
  const lineOf = (kid: string) => lines.find((line) => line.startsWith(kid))
  const at = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`
  const shows = (words: string) => new RegExp(`^\\S+ +ES256 +${words} ${at}$`)
  expect(lineOf(of.next)).toMatch(shows(`next +${at} +may sign from`))
  expect(lineOf(of.current)).toMatch(shows(`current +${at} +signs until`))
  expect(lineOf(of.previous)).toMatch(shows(`previous +${at} +published until`))
  expect(lineOf(of.retired)).toMatch(shows(`retired +${at} +known at sign-out until`))
})

test('list takes no secret, and as JSON shows none', async () => {
  const { code, stdout } = await idp(['keys', 'list', '--json'], { env: { SECRET_KEY: '' } })
  expect(code).toBe(0)
  const answer = JSON.parse(stdout)
  expect(answer).toMatchObject({ version: 1 })
  const current = answer.keys.find((key: { kid: string }) => key.kid === of.current)
  expect(current).toEqual({
    kid: of.current,
    alg: 'ES256',
    state: 'current',
    since: current.activated_at,
    until: new Date(Date.parse(current.activated_at) + keyTimes.signs * 1000).toISOString(),
    published_at: expect.any(String),
    activated_at: expect.any(String),
    stopped_at: null,
  })
})

test('a rotation that comes too early is refused with exit code 5 and the time', async () => {
  const { code, stdout, stderr } = await idp(['keys', 'rotate', '--alg', 'ES256'])
  expect([code, stdout]).toEqual([5, ''])
  const listed = JSON.parse((await idp(['keys', 'list', '--json'])).stdout)
  const next = listed.keys.find((key: { kid: string }) => key.kid === of.next)
  const [, from = ''] = /may sign from (\S+ \S+) UTC \(in 60 minutes\)/.exec(stderr) ?? []
  const told = Date.parse(`${from.replace(' ', 'T')}Z`)
  expect(told - Date.parse(next.until)).toBeGreaterThanOrEqual(0)
  expect(told - Date.parse(next.until)).toBeLessThan(1000)
  expect(stderr).toContain('idp keys rotate --now')
  expect((await statesOf(db))[of.next]).toBe('next')
})

test('rotate lets the next key sign, in every algorithm or in one', async () => {
  await age(db, 4000)
  const one = await idp(['keys', 'rotate', '--alg', 'ES256', '--json'])
  expect(one.code, one.stderr).toBe(0)
  expect(JSON.parse(one.stdout)).toEqual({
    version: 1,
    rotated: [{ alg: 'ES256', kid: of.next, replaced: of.current }],
  })
  await age(db, 4000)
  const all = await idp(['keys', 'rotate'])
  expect(all.code, all.stderr).toBe(0)
  expect(all.stdout).toContain('SIGNED BEFORE')
  for (const alg of signingAlgorithms) expect(all.stdout).toMatch(new RegExp(`^${alg} `, 'm'))
  const events = await auditOf(db, 'signing_key.promoted')
  expect(events.at(-1)).toMatchObject({ actorKind: 'operator', actorId: 'night-admin' })
})

test('rotate --now replaces a leaked key at once and removes it, however young the next is', async () => {
  const { code, stdout, stderr } = await idp([
    'keys',
    'rotate',
    '--now',
    '--alg',
    'ES256',
    '--json',
  ])
  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout).rotated).toEqual([{ alg: 'ES256', kid: of.next, replaced: of.current }])
  expect(stderr).toContain('3600 s')
  const states = await statesOf(db)
  expect(states).not.toHaveProperty(of.current)
  expect(states).toMatchObject({ [of.next]: 'current', [of.previous]: 'previous' })
})

test.each([
  ['next', 5, 'is the next ES256 key'],
  ['current', 5, 'idp keys rotate --alg ES256'],
  ['previous', 5, 'may be alive until'],
  ['retired', 0, 'had left the key set already'],
] as const)('retire of a %s key ends with %i', async (state, expected, words) => {
  const { code, stderr } = await idp(['keys', 'retire', of[state]])
  expect(code).toBe(expected)
  expect(stderr).toContain(words)
  expect((await statesOf(db))[of[state]]).toBe(state)
})

test('retire takes out what is over; with --now whatever leaked', async () => {
  await age(db, keyTimes.published, of.previous)
  const over = await idp(['keys', 'retire', of.previous, '--json'])
  expect(over.code, over.stderr).toBe(0)
  expect(JSON.parse(over.stdout).retired).toMatchObject({ kid: of.previous, removed: false })
  const leaked = await idp(['keys', 'retire', of.current, '--now', '--json'])
  expect(JSON.parse(leaked.stdout).retired).toMatchObject({ kid: of.current, successor: of.next })
  expect(await statesOf(db)).not.toHaveProperty(of.current)
})

test('an unknown key ends with 3 and the nearest one, also with --now', async () => {
  for (const more of [[], ['--now']]) {
    const { code, stderr } = await idp(['keys', 'retire', of.previous.slice(0, -2), ...more])
    expect(code).toBe(3)
    expect(stderr).toContain(`Did you mean ${of.previous}?`)
  }
})

test('an unknown algorithm is wrong use', async () => {
  expect((await idp(['keys', 'rotate', '--alg', 'HS256'])).code).toBe(2)
})

const production = { ISSUER: 'https://id.example.org', SECRET_KEY: '' }
test.each([
  ['production without one', production, 'SECRET_KEY: needed here, the same as the server has'],
  ['loopback without one', { SECRET_KEY: '', DATA_DIR: nowhere }, 'holds none'],
  ['another one', { SECRET_KEY: 'y'.repeat(8) + secret }, 'SECRET_KEY does not open the signing'],
  ['a weak one', { SECRET_KEY: 'short' }, 'SECRET_KEY: too weak'],
])('to rotate takes the server’s secret; %s ends with 2 in words', async (_, env, words) => {
  for (const argv of [
    ['keys', 'rotate', '--now'],
    ['keys', 'retire', of.previous, '--now'],
  ]) {
    const { code, stderr } = await idp(argv, { env })
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
  }
  expect((await statesOf(db))[of.current]).toBe('current')
})

test('on loopback the secret is the one that the server keeps in DATA_DIR', async () => {
  const dataDir = mkdtempSync(join(nowhere, 'data-'))
  writeFileSync(join(dataDir, 'secret-key'), secret)
  const env = { SECRET_KEY: '', DATA_DIR: dataDir }
  expect((await idp(['keys', 'rotate', '--now', '--alg', 'ES256'], { env })).code).toBe(0)
})

test('before the first start a command may make it, as that start would, and beside no other database', () => {
  const dataDir = mkdtempSync(join(nowhere, 'data-'))
  const first = { mayBeFirst: true }
  expect(() => readSecretKeys({ DATA_DIR: dataDir, DATABASE_URL: url }, first)).toThrow(
    'SECRET_KEY',
  )
  expect(() => readSecretKeys({ DATA_DIR: dataDir })).toThrow('SECRET_KEY')
  expect(() => readSecretKeys({ DATA_DIR: dataDir, ...production }, first)).toThrow('SECRET_KEY')
  expect(readdirSync(dataDir)).toEqual([])
  const made = readSecretKeys({ DATA_DIR: dataDir }, first)
  expect(made[0]?.length).toBeGreaterThan(40)
  expect(readSecretKeys({ DATA_DIR: dataDir })).toEqual(made)
})

test('where no server has ever run there is nothing to list', async () => {
  const fresh = await createDatabase()
  const { code, stdout, stderr } = await createIdp(fresh.url)(['keys', 'list'])
  expect([code, stdout]).toEqual([0, ''])
  expect(stderr).toContain('no keys yet')
})
