/** `idp sessions`: seeing who is signed in, and ending it. */
import { beforeEach, describe, expect, test } from 'vitest'
import { randomToken, sha256 } from '../../src/crypto.ts'
import { createDatabase } from '../support/database.ts'
import { createPerson } from '../support/person.ts'
import { createIdp } from './support.ts'

const database = await createDatabase()
const { db, pool, url } = database
const idp = createIdp(url, { ISSUER: 'https://id.example.org', SUDO_USER: 'night-admin' })

const ada = await createPerson({ database }, { username: 'ada' })
const bob = await createPerson({ database }, { username: 'bob' })
for (const [name, more] of [
  ['Cloud', ['--backchannel-logout-uri', 'https://cloud.example.org/logout']],
  ['Wiki', []],
] as const) {
  const flags = ['--preset', 'generic', '--redirect-uri', 'https://cloud.example.org/cb']
  expect(
    (await idp(['clients', 'create', name, '--client-id', name.toLowerCase(), ...flags, ...more]))
      .code,
  ).toBe(0)
}

async function startSession(accountId: string, signedInAt: string, ...clientIds: string[]) {
  const uid = randomToken()
  await db
    .insertInto('sessions')
    .values({
      uid,
      idHash: sha256(uid),
      previousIdHash: null,
      rotatedAt: null,
      idSealed: null,
      accountId,
      signedInAt: new Date(signedInAt),
      acr: '1fa',
      amr: ['pwd'],
      authorizations: JSON.stringify(Object.fromEntries(clientIds.map((id) => [id, {}]))),
      createdAt: new Date(signedInAt),
      expiresAt: new Date('2099-01-01T00:00:00Z'),
    })
    .execute()
  return uid
}

let first = ''
let second = ''
let third = ''
beforeEach(async () => {
  await pool.query('truncate sessions, grants, logout_deliveries, audit_events')
  first = await startSession(ada.id, '2026-01-01T10:00:00Z', 'cloud', 'wiki')
  second = await startSession(ada.id, '2026-01-02T10:00:00Z', 'wiki')
  third = await startSession(bob.id, '2026-01-03T10:00:00Z', 'cloud')
})

const json = async (argv: string[]) => {
  const { code, stdout, stderr } = await idp([...argv, '--json'])
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}
const quiet = async (...argv: string[]) =>
  (await idp(['sessions', 'list', '-q', ...argv])).stdout.trim().split('\n').filter(Boolean)

describe('sessions list', () => {
  test('shows everybody, the newest first, of one person or at one app', async () => {
    expect(await quiet()).toEqual([third, second, first])
    expect(await quiet('--account', 'ada')).toEqual([second, first])
    expect(await quiet('--client', 'Cloud')).toEqual([third, first])
    expect(await quiet('--account', 'ada', '--client', 'cloud')).toEqual([first])
    expect(await quiet('--limit', '1')).toEqual([third])
  })

  test('gives programs what a session is, and nothing that signs anybody in', async () => {
    const { version, sessions } = await json(['sessions', 'list', '--account', 'bob'])
    expect(version).toBe(1)
    expect(sessions).toEqual([
      {
        session: third,
        account_id: bob.id,
        username: 'bob',
        signed_in_at: '2026-01-03T10:00:00.000Z',
        expires_at: '2099-01-01T00:00:00.000Z',
        acr: '1fa',
        amr: ['pwd'],
        clients: ['cloud'],
      },
    ])
  })

  test('shows people a table', async () => {
    const { stdout } = await idp(['sessions', 'list'])
    expect(stdout).toMatch(/^USERNAME +SIGNED IN +ENDS +APPS +SESSION\n/)
    expect(stdout).toMatch(/^ada +2026-01-01 10:00 UTC +2099-01-01 00:00 UTC +cloud wiki +\S+$/m)
  })

  test('says in words whom and what it does not find', async () => {
    expect(await idp(['sessions', 'list', '--account', 'nobody'])).toMatchObject({ code: 3 })
    expect(await idp(['sessions', 'list', '--client', 'Clodu'])).toMatchObject({ code: 3 })
    expect(await idp(['sessions', 'list', '--limit', 'all'])).toMatchObject({ code: 2 })
  })
})

describe('sessions revoke', () => {
  test('signs one person out everywhere and says who is being told', async () => {
    const { code, stderr } = await idp(['sessions', 'revoke', '--account', 'ada'])
    expect(code).toBe(0)
    expect(stderr).toBe(
      'Signed out ada everywhere. Sessions: 2; grants with their tokens: 0.\nBeing told by the server: cloud.\n',
    )
    expect(await quiet()).toEqual([third])
    const { rows } = await pool.query('select * from audit_events')
    expect(rows).toMatchObject([
      {
        type: 'sessions.revoked',
        actor_kind: 'operator',
        actor_id: 'night-admin',
        account_id: ada.id,
        detail: { sessions: 2, told: ['cloud'] },
      },
    ])
  })

  test('signs everybody out of one app, who stay signed in here', async () => {
    expect(await json(['sessions', 'revoke', '--client', 'Cloud'])).toEqual({
      version: 1,
      sessions: 2,
      grants: 0,
      told: ['cloud'],
    })
    expect(await quiet('--client', 'cloud')).toEqual([])
    expect(await quiet()).toHaveLength(3)
  })

  test('ends one session, which then is not there any more', async () => {
    expect((await idp(['sessions', 'revoke', first])).code).toBe(0)
    expect(await quiet()).toEqual([third, second])
    expect((await idp(['sessions', 'revoke', first])).code).toBe(3)
  })

  test('has nothing to do the second time, and never does everything by a slip', async () => {
    await idp(['sessions', 'revoke', '--account', 'ada'])
    const again = await idp(['sessions', 'revoke', '--account', 'ada'])
    expect(again).toMatchObject({ code: 0, stderr: 'Nothing to end for ada everywhere.\n' })
    expect((await idp(['sessions', 'revoke'])).code).toBe(2)
    expect(await quiet()).toEqual([third])
  })
})

describe('clients', () => {
  test('say how they are told, and a frame must be the app’s own', async () => {
    const update = (...flags: string[]) => idp(['clients', 'update', 'Wiki', ...flags])
    const frame = 'https://cloud.example.org/frame'
    expect((await idp(['clients', 'get', 'Wiki'])).stdout).toMatch(
      /Told at sign-out +no: it keeps its own session/,
    )
    expect((await update('--frontchannel-logout-uri', frame)).code).toBe(0)
    expect((await idp(['clients', 'get', 'Wiki'])).stdout).toContain(
      `by the browser (front-channel): ${frame}`,
    )
    const { client } = await json(['clients', 'get', 'Wiki'])
    expect(client).toMatchObject({
      frontchannel_logout_uri: frame,
      frontchannel_logout_session_required: true,
    })
    expect((await idp(['clients', 'get', 'Cloud'])).stdout).toContain(
      'by us (back-channel): https://cloud.example.org/logout',
    )

    const inside = await update('--backchannel-logout-uri', 'http://127.0.0.1:8080/logout')
    expect(inside.stderr).toContain('ALLOW_PRIVATE_TARGETS names 127.0.0.1:8080.')
    expect((await update('--no-backchannel-logout-uri')).stderr).not.toContain('ALLOW_PRIVATE')

    for (const wrong of ['https://evil.example.org/frame', 'http://cloud.example.org/frame', 'x']) {
      const { code, stderr } = await update('--frontchannel-logout-uri', wrong)
      expect(code).toBe(5)
      expect(stderr).toContain('frontchannel_logout_uri (--frontchannel-logout-uri)')
    }
    expect((await update('--no-frontchannel-logout-uri')).code).toBe(0)
    expect((await json(['clients', 'get', 'Wiki'])).client).not.toHaveProperty(
      'frontchannel_logout_uri',
    )
  })
})
