/** Who gets into which operation on accounts: made of the table itself, so that a new one is in it. */
import { decodeJwt, importJWK, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { allOperations } from '../../src/api/doors.ts'
import { createApi } from '../../src/clients/apis.ts'
import { addPasskey, createPasskeyOptions } from '../../src/credentials/add-passkey.ts'
import { loadSigningKeys } from '../../src/oidc/signing-keys.ts'
import { ageSessions } from '../support/account.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { giveAuthenticator, keyringOf } from '../support/factors.ts'
import { giveIdentity } from '../support/identities.ts'
import {
  createProgram,
  expectSeen,
  nowhere,
  type OperationId,
  operationOf,
  type Signed,
} from '../support/own-api.ts'
import { obtainCode, password } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let api: ReturnType<typeof createProgram>
let other: Signed
const another = 'quite another password'

beforeAll(async () => {
  server = await startTestServer({ crontab: '' })
  api = createProgram(server)
  other = await api.newcomer()
})

const call = (id: OperationId, asked = {}, token = other.token) => api.call(id, token, asked)

const ids = Object.keys(allOperations) as OperationId[]
const accountIds = ids.filter((id) => operationOf(id).scope === 'account')
const withId = accountIds.filter((id) => operationOf(id).path.includes('{id}'))

/** A body that its schema takes, so that a refusal is about who asks. */
const bodies: Partial<Record<OperationId, unknown>> = {
  changeProfile: {},
  changePassword: { newPassword: another },
  beginAddressChange: { email: 'matrix@example.net' },
  confirmAddressChange: { code: '123456' },
  addAuthenticator: { ticket: 'x', code: '123456' },
  renameAuthenticator: { name: 'x' },
  addPasskey: { answer: {} },
  renamePasskey: { name: 'x' },
  askDeletion: { username: 'x' },
}

describe('nobody else gets in: every operation', () => {
  const bad = new Map<string, string | undefined>()
  let lesser: string

  beforeAll(async () => {
    const { person, browser } = await api.newcomer()
    const own = await api.ours()
    const plain = await obtainCode(browser, own, person, { scope: 'openid profile' })
    const { body } = await own.redeem(plain.request, plain.code)
    const files = 'https://files.example.org'
    const operator = { actor: { kind: 'operator' as const } }
    await createApi(server.database.db, { identifier: files, scopes: ['files:read'] }, operator)
    const both = await createApp(server, { scope: 'openid files:read admin:read' })
    const at = async (resource: string, scope: string) => {
      const got = await obtainCode(browser, both, person, { scope, resource })
      return String((await both.redeem(got.request, got.code, { resource })).body.access_token)
    }
    const gone = await api.newcomer()
    await server.database.pool.query("update accounts set status = 'disabled' where id = $1", [
      gone.person.id,
    ])
    const short = await api.newcomer()
    bad.set('no token', undefined)
    bad.set('an ID token', body.id_token)
    bad.set('a token of userinfo', body.access_token)
    bad.set('a token for another API', await at(files, 'openid files:read'))
    bad.set('a token of a disabled account', gone.token)
    bad.set('a token that has expired', await expired(short))
    lesser = await at(api.resource, 'openid admin:read')
  })

  /** Signed as ours are, and over. */
  async function expired({ token }: Signed): Promise<string> {
    const { keys } = await loadSigningKeys(server.database.db, keyringOf(server))
    const key = keys.find(({ alg }) => alg === 'ES256')
    const now = Math.floor(Date.now() / 1000)
    const again = (exp: number) =>
      importJWK(key as never, 'ES256').then((signer) =>
        new SignJWT({ ...decodeJwt(token), exp })
          .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: String(key?.kid) })
          .sign(signer),
      )
    // Nothing but its time is wrong with it.
    expect((await call('readAccount', {}, await again(now + 60))).status).toBe(200)
    return again(now - 1)
  }

  test.each(accountIds)('%s', async (id) => {
    const asked = { json: bodies[id], params: { id: nowhere } }
    for (const [kind, token] of bad) {
      const { status, body } = await api.call(id, token, asked)
      expect([kind, status, body.code]).toEqual([
        kind,
        401,
        token ? 'invalid_token' : 'token_required',
      ])
    }
    const { status, body } = await api.call(id, lesser, asked)
    expect([status, body.code]).toEqual([403, 'insufficient_scope'])
  })
})

test("another person's things are not there", async () => {
  const { db, pool } = server.database
  const owner = await api.newcomer()
  await giveAuthenticator(server, owner.person)
  const device = createAuthenticator(server.origin)
  const party = { id: 'localhost', name: 'x', origin: server.origin }
  const { id: accountId, username } = owner.person
  const account = { id: accountId, username, name: username }
  const options = await createPasskeyOptions(db, party, { account, boundTo: 'test' })
  await addPasskey(db, party, {
    accountId,
    boundTo: 'test',
    answer: device.create(options as never),
  })
  await pool.query(
    `insert into remembered_devices (token_hash, account_id, factor, expires_at)
      values (decode(repeat('cd', 32), 'hex'), $1, 'totp', now() + interval '1 day')`,
    [accountId],
  )
  const first = async (list: OperationId, member: string) =>
    (await call(list, {}, owner.token)).body[member][0].id as string
  const theirs: Partial<Record<OperationId, string>> = {
    renameAuthenticator: await first('listAuthenticators', 'authenticators'),
    removeAuthenticator: await first('listAuthenticators', 'authenticators'),
    renamePasskey: await first('listPasskeys', 'passkeys'),
    removePasskey: await first('listPasskeys', 'passkeys'),
    endSession: await first('listSessions', 'sessions'),
    forgetBrowser: await first('listRememberedBrowsers', 'browsers'),
    unlinkIdentity: await giveIdentity(server, owner.person),
    disconnectApp: (await call('listApps', {}, owner.token)).body.apps[0]?.id ?? 'nothing',
  }
  expect(Object.keys(theirs).sort()).toEqual([...withId].sort())
  // Of an app that both use only the own part ends.
  for (const id of withId.filter((each) => each !== 'disconnectApp')) {
    const asked = { params: { id: theirs[id] ?? '' }, json: bodies[id] }
    expect((await api.call(id, other.token, asked)).status, id).toBe(404)
  }
  await call(
    'disconnectApp',
    { params: { id: theirs.disconnectApp ?? '' } },
    (await api.newcomer()).token,
  )
  expect((await call('listAuthenticators', {}, owner.token)).body.authenticators).toHaveLength(1)
  expect((await call('listPasskeys', {}, owner.token)).body.passkeys).toHaveLength(1)
  expect((await call('listSessions', {}, owner.token)).body.sessions).toHaveLength(1)
  expect((await call('listRememberedBrowsers', {}, owner.token)).body.browsers).toHaveLength(1)
})

test('every sensitive operation asks for a recent sign-in, by RFC 9470, and takes it', async () => {
  const { person, browser } = await api.newcomer()
  await ageSessions(server, 11)
  const old = await api.tokenOf(person, browser)
  const sensitive = accountIds.filter((id) => operationOf(id).sensitive)
  expect(sensitive.length).toBeGreaterThan(14)
  for (const id of accountIds) {
    const asked = { json: bodies[id], params: { id: nowhere } }
    if (!sensitive.includes(id)) {
      // What an old sign-in is enough for stays so.
      if (operationOf(id).method === 'get')
        expect((await api.call(id, old, asked)).status, id).not.toBe(401)
      continue
    }
    const { status, body, headers } = await api.call(id, old, asked)
    expect([id, status, body.code]).toEqual([id, 401, 'insufficient_user_authentication'])
    expect(headers.get('www-authenticate')).toContain('max_age="600"')
  }
  const page = await browser.get(
    (await api.ours()).begin({ scope: 'openid account', resource: api.resource, max_age: '600' })
      .url,
  )
  const again = await browser.press(page, 'continue', { identifier: person.username, password })
  expect(again.url).toContain('code=')
  const fresh = await api.tokenOf(person, browser)
  expect((await call('downloadAccount', {}, fresh)).status).toBe(200)
})

test('every operation has been seen to refuse', () => {
  expectSeen('refused', api.seen, 'account', 'security')
})
