/** Every act on one's own account by a program: done, and refused. What each answers is held to the OpenAPI document. */
import { beforeAll, describe, expect, test } from 'vitest'
import { isSignedIn, mailTo } from '../support/account.ts'
import { auditOf } from '../support/audit.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { codeOf } from '../support/factors.ts'
import { giveIdentity } from '../support/identities.ts'
import { createProgram, expectSeen, type OperationId, type Signed } from '../support/own-api.ts'
import { createBrowser, obtainCode, signInAt } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let api: ReturnType<typeof createProgram>
let me: Signed
let other: Signed
const codeIn = /^ {4}(\d{6})$/m
const another = 'quite another password'

beforeAll(async () => {
  server = await startTestServer({ crontab: '' })
  api = createProgram(server)
  me = await api.newcomer()
  other = await api.newcomer()
})

const call = (id: OperationId, asked = {}, token = me.token) => api.call(id, token, asked)
const codesOf = (body: { errors: { field: string; code: string }[] }) =>
  body.errors.map(({ field, code }) => `${field} ${code}`)

describe('profile', () => {
  test('is read and changed; what is not named stays, and null takes away', async () => {
    const before = await call('readAccount')
    expect(before.body).toMatchObject({ id: me.person.id, email: me.person.email, zoneinfo: null })
    const address = { country: 'China', locality: 'Guiyang' }
    const json = {
      givenName: 'Ada',
      zoneinfo: 'Asia/Shanghai',
      phoneNumber: '+86 10 6554 0000',
      address,
    }
    const { status, body, headers } = await call('changeProfile', { json })
    expect(status).toBe(200)
    const phoneNumber = '+861065540000'
    expect(body).toEqual({ ...before.body, ...json, phoneNumber, picture: null })
    expect(headers.get('etag')).not.toBe(before.headers.get('etag'))
    const less = { zoneinfo: null, address: { country: null }, name: ' ' }
    expect((await call('changeProfile', { json: less })).body).toMatchObject({
      zoneinfo: null,
      address: { locality: 'Guiyang' },
      name: me.person.username,
      givenName: 'Ada',
    })
  })

  test('is refused as a whole when a part of it is wrong, and what is unknown there', async () => {
    const json = { givenName: 'Grace', locale: 'tlh', zoneinfo: 'Mars', phoneNumber: '12' }
    const { status, body } = await call('changeProfile', { json })
    expect([status, body.code]).toEqual([400, 'invalid_request'])
    expect(codesOf(body)).toEqual([
      'locale locale_unknown',
      'zoneinfo zoneinfo_unknown',
      expect.stringMatching(/^phoneNumber /),
    ])
    const username = await call('changeProfile', {
      json: { username: 'root', email: 'x@example.org' },
    })
    expect(codesOf(username.body)).toEqual(['username unknown_field', 'email unknown_field'])
    expect((await call('readAccount')).body.givenName).toBe('Ada')
  })

  test('changed in two places at once loses nothing: who read it before is told (If-Match)', async () => {
    const etag = (await call('readAccount')).headers.get('etag') ?? ''
    const tries = ['one', 'two', 'three'].map((familyName) =>
      call('changeProfile', { json: { familyName }, headers: { 'if-match': etag } }),
    )
    const statuses = (await Promise.all(tries)).map(({ status }) => status).sort()
    expect(statuses).toEqual([200, 412, 412])
  })

  test('takes a picture, drawn anew, and lets it go', async () => {
    const { default: sharp } = await import('sharp')
    const body = await sharp({
      create: { width: 40, height: 30, channels: 3, background: '#a00' },
    })
      .png()
      .toBuffer()
    expect((await call('setPicture', { bytes: { type: 'image/png', body } })).status).toBe(204)
    const { picture } = (await call('readAccount')).body
    expect((await fetch(picture)).headers.get('content-type')).toBe('image/webp')
    const svg = { type: 'image/svg+xml', body: Buffer.from('<svg onload="alert(1)"/>') }
    expect((await call('setPicture', { bytes: svg })).body.code).toBe('picture_unusable')
    const html = { type: 'text/html', body }
    expect((await call('setPicture', { bytes: html })).status).toBe(415)
    expect((await call('removePicture')).status).toBe(204)
    expect((await call('readAccount')).body.picture).toBeNull()
    expect((await fetch(picture)).status).toBe(404)
  })
})

describe('password', () => {
  test('is changed: the new one signs in, every other session has ended, this token goes on', async () => {
    const { person, browser, token } = await api.newcomer()
    const elsewhere = createBrowser(server)
    const theirs = await api.tokenOf(person, elsewhere)
    const json = { newPassword: another }
    expect((await call('changePassword', { json }, token)).status).toBe(204)
    expect(await isSignedIn(server, elsewhere)).toBe(false)
    expect(await isSignedIn(server, browser)).toBe(true)
    expect((await call('readAccount', {}, theirs)).body.code).toBe('invalid_token')
    expect((await call('readAccount', {}, token)).status).toBe(200)
    const fresh = createBrowser(server)
    await signInAt(fresh, await fresh.get(`${server.origin}/sign-in`), {
      ...person,
      password: another,
    })
    expect(await isSignedIn(server, fresh)).toBe(true)
  })

  test('is asked for where a program brings it: a wrong one is invalid_credentials, and counted', async () => {
    const { person, token } = await api.newcomer()
    const change = (currentPassword: string) =>
      call('changePassword', { json: { newPassword: another, currentPassword } }, token)
    const wrong = await change('not the one')
    expect([wrong.status, wrong.body.code]).toEqual([403, 'invalid_credentials'])
    const counted = async () =>
      (await auditOf(server.database.db, 'sign_in.refused')).filter(
        ({ accountId }) => accountId === person.id,
      ).length
    expect(await counted()).toBe(1)
    expect((await change(person.password)).status).toBe(204)
    expect((await change(person.password)).body.code).toBe('invalid_credentials')
  })

  test('is not changed to one that is too short, or made of the own name', async () => {
    for (const [newPassword, code] of [
      ['', 'password_required'],
      ['short', 'password_too_short'],
      [`${me.person.username}1`, 'password_personal'],
    ] as const) {
      const { body } = await call('changePassword', { json: { newPassword } })
      expect(codesOf(body)).toEqual([`newPassword ${code}`])
    }
  })
})

describe('address', () => {
  test('is changed once the new mailbox is proven; five wrong codes end it', async () => {
    const { person, token } = await api.newcomer()
    const email = `next-${person.username}@example.net`
    const begun = await call('beginAddressChange', { json: { email } }, token)
    expect(begun.status).toBe(202)
    expect(begun.body).toMatchObject({
      state: 'open',
      maskedEmail: expect.not.stringContaining(email),
    })
    expect((await call('readAddressChange', {}, token)).body).toMatchObject({ state: 'open' })
    expect((await call('sendAddressMail', {}, token)).body.retryAfter).toBeGreaterThan(50)
    const wrong = await call('confirmAddressChange', { json: { code: '000000' } }, token)
    expect(codesOf(wrong.body)).toEqual(['code code_wrong'])
    const code = await mailTo(server, email, codeIn)
    const race = Array.from({ length: 5 }, () =>
      call('confirmAddressChange', { json: { code } }, token),
    )
    const done = (await Promise.all(race)).filter(({ status }) => status === 204)
    expect(done).toHaveLength(1)
    expect((await call('readAccount', {}, token)).body.email).toBe(email)
    await mailTo(server, person.email, /has another address now/)
    for (const id of ['readAddressChange', 'sendAddressMail', 'cancelAddressChange'] as const) {
      expect((await call(id, {}, token)).body.code).toBe('address_change_gone')
    }
  })

  test('of somebody else is asked for like any other, and told to whoever reads its mail alone', async () => {
    const { token } = await api.newcomer()
    const known = await call('beginAddressChange', { json: { email: other.person.email } }, token)
    const unknown = await call(
      'beginAddressChange',
      { json: { email: 'nobody@example.net' } },
      token,
    )
    expect(Object.keys(known.body)).toEqual(Object.keys(unknown.body))
    expect(known.status).toBe(unknown.status)
    expect((await call('cancelAddressChange', {}, token)).status).toBe(204)
    expect((await call('confirmAddressChange', { json: { code: '123456' } }, token)).status).toBe(
      404,
    )
  })

  test('that somebody proved meanwhile is theirs: email_already_exists', async () => {
    const [one, two] = [await api.newcomer(), await api.newcomer()]
    const email = `both-${one.person.username}@example.net`
    await call('beginAddressChange', { json: { email } }, one.token)
    const code = await mailTo(server, email, codeIn)
    await server.database.db
      .updateTable('accounts')
      .set({ email, emailCanonical: email })
      .where('id', '=', two.person.id)
      .execute()
    const { status, body } = await call('confirmAddressChange', { json: { code } }, one.token)
    expect([status, body.code]).toEqual([409, 'email_already_exists'])
  })

  test('is refused where it is none, or the same', async () => {
    for (const [email, code] of [
      ['', 'email_required'],
      ['ada', 'email_invalid'],
      [me.person.email, 'email_same'],
    ] as const) {
      const { body } = await call('beginAddressChange', { json: { email } })
      expect(codesOf(body)).toEqual([`email ${code}`])
    }
  })
})

describe('authenticators and recovery codes', () => {
  test('are set up by a first code, with recovery codes once, and then ask for two factors', async () => {
    const { person, browser, token } = await api.newcomer()
    const { body: setUp } = await call('beginAuthenticator', {}, token)
    expect(setUp.uri).toMatch(/^otpauth:\/\/totp\//)
    const json = { ticket: setUp.ticket, code: codeOf(setUp.secret), name: 'Phone' }
    const wrong = await call('addAuthenticator', { json: { ...json, code: '12' } }, token)
    expect(codesOf(wrong.body)).toEqual(['code set_up_code_wrong'])
    const stolen = await call('addAuthenticator', { json }, other.token)
    expect(codesOf(stolen.body)).toEqual(['ticket set_up_expired'])
    const race = Array.from({ length: 10 }, () => call('addAuthenticator', { json }, token))
    const made = (await Promise.all(race)).filter(({ status }) => status === 201)
    expect(new Set(made.map(({ body }) => body.id)).size).toBe(1)
    expect(made.filter(({ body }) => body.recoveryCodes)).toHaveLength(1)
    const { id } = made[0]?.body ?? {}
    const { authenticators } = (await call('listAuthenticators', {}, token)).body
    expect(authenticators).toMatchObject([{ id, name: 'Phone' }])

    // The sign-in behind this token had one factor.
    const weak = await call('renewRecoveryCodes', {}, token)
    expect([weak.status, weak.body.code]).toEqual([401, 'insufficient_user_authentication'])
    expect(weak.headers.get('www-authenticate')).toMatch(
      /error="insufficient_user_authentication".*acr_values="2fa"/,
    )
    const strong = await stepUp({ person, browser, token }, setUp.secret)
    expect(
      (await call('renameAuthenticator', { params: { id }, json: { name: 'Old phone' } }, strong))
        .status,
    ).toBe(204)
    const named = await call('renameAuthenticator', { params: { id }, json: { name: ' ' } }, strong)
    expect(named.status).toBe(400)
    const { body: codes } = await call('renewRecoveryCodes', {}, strong)
    expect(codes.codes).toHaveLength(10)
    await server.database.pool.query(
      `insert into authenticators (id, account_id, name, secret_sealed, last_step)
        select gen_random_uuid(), $1, 'x', '\\x00', 0 from generate_series(1, 4)`,
      [person.id],
    )
    const { body: sixth } = await call('beginAuthenticator', {}, strong)
    const full = { ticket: sixth.ticket, code: codeOf(sixth.secret) }
    expect((await call('addAuthenticator', { json: full }, strong)).status).toBe(409)
    expect((await call('countRecoveryCodes', {}, strong)).body).toMatchObject({ left: 10 })
    expect((await call('removeAuthenticator', { params: { id } }, strong)).status).toBe(204)
    expect((await call('removeAuthenticator', { params: { id } }, strong)).body.code).toBe(
      'authenticator_gone',
    )
    expect(
      (await call('renameAuthenticator', { params: { id }, json: { name: 'x' } }, strong)).status,
    ).toBe(404)
  })
})

/** The same person in the same browser, asked for two factors. */
async function stepUp({ person, browser }: Signed, secret: string): Promise<string> {
  const own = await api.ours()
  const request = own.begin({
    scope: 'openid account',
    resource: api.resource,
    claims: JSON.stringify({ id_token: { acr: { essential: true, values: ['2fa'] } } }),
  })
  await server.database.pool.query('update authenticators set last_step = last_step - 10')
  let page = await browser.get(request.url)
  if (!page.url.includes('code='))
    page = await browser.press(page, 'continue', { code: codeOf(secret) })
  expect(page.url, `${person.username} steps up`).toContain('code=')
  const { code } = own.answerOf(request, page)
  const { body } = await own.redeem(request, code, { resource: api.resource })
  return String(body.access_token)
}

describe('passkeys', () => {
  test('are made from options and an answer, once, listed, renamed and removed', async () => {
    const { token } = await api.newcomer()
    const device = createAuthenticator(server.origin)
    const { body: options } = await call('passkeyOptions', {}, token)
    expect(options).toMatchObject({ rp: { id: 'localhost' }, user: { id: expect.any(String) } })
    const answer = JSON.parse(device.create(options as never))
    const race = Array.from({ length: 5 }, () => call('addPasskey', { json: { answer } }, token))
    const answers = await Promise.all(race)
    const [made, ...more] = answers.filter(({ status }) => status === 201)
    expect(more).toEqual([])
    const { id } = made?.body ?? {}
    expect((await call('listPasskeys', {}, token)).body.passkeys).toMatchObject([{ id }])
    const rename = { params: { id }, json: { name: 'Laptop' } }
    expect((await call('renamePasskey', rename, token)).status).toBe(204)
    expect(
      (await call('renamePasskey', { params: { id }, json: { name: '' } }, token)).status,
    ).toBe(400)
    expect((await call('removePasskey', { params: { id } }, token)).status).toBe(204)
    expect((await call('removePasskey', { params: { id } }, token)).body.code).toBe('passkey_gone')
  })

  test('of a challenge of somebody else, or with something wrong, are refused', async () => {
    const device = createAuthenticator(server.origin)
    const { body: theirs } = await call('passkeyOptions', {}, other.token)
    const answer = JSON.parse(device.create(theirs as never))
    const stolen = await call('addPasskey', { json: { answer } })
    expect(codesOf(stolen.body)).toEqual(['answer passkey_expired'])
    const { body: mine } = await call('passkeyOptions')
    const evil = JSON.parse(device.create(mine as never, { origin: 'https://evil.example' }))
    expect(codesOf((await call('addPasskey', { json: { answer: evil } })).body)).toEqual([
      'answer passkey_refused',
    ])
    expect(codesOf((await call('addPasskey', { json: { answer: {} } })).body)).toEqual([
      'answer passkey_refused',
    ])
  })

  test('the last way in stays', async () => {
    const { person, token } = await api.newcomer()
    const device = createAuthenticator(server.origin)
    const { body: options } = await call('passkeyOptions', {}, token)
    const answer = JSON.parse(device.create(options as never))
    const { body } = await call('addPasskey', { json: { answer } }, token)
    await server.database.pool.query('update accounts set password_hash = null where id = $1', [
      person.id,
    ])
    const kept = await call('removePasskey', { params: { id: body.id } }, token)
    expect([kept.status, kept.body.code]).toEqual([409, 'last_way_in'])
  })
})

describe('accounts elsewhere', () => {
  test('are listed and unlinked; the last way in stays', async () => {
    const { person, token } = await api.newcomer()
    const [first, second] = [await giveIdentity(server, person), await giveIdentity(server, person)]
    const { identities } = (await call('listIdentities', {}, token)).body
    expect(identities.map(({ id }: { id: string }) => id).sort()).toEqual([first, second].sort())
    const unlink = (id: string) => call('unlinkIdentity', { params: { id } }, token)
    expect((await unlink(first)).status).toBe(204)
    expect((await unlink(first)).body.code).toBe('identity_gone')
    await server.database.pool.query('update accounts set password_hash = null where id = $1', [
      person.id,
    ])
    const kept = await unlink(second)
    expect([kept.status, kept.body.code]).toEqual([409, 'last_way_in'])
  })
})

describe('sessions, browsers and apps', () => {
  test('are listed, this one marked; one and all others are ended', async () => {
    const { person, browser, token } = await api.newcomer()
    const [phone, tablet] = [createBrowser(server), createBrowser(server)]
    await api.tokenOf(person, phone)
    await api.tokenOf(person, tablet)
    const { sessions } = (await call('listSessions', {}, token)).body
    expect(sessions).toHaveLength(3)
    expect(sessions.filter((each: { current: boolean }) => each.current)).toHaveLength(1)
    const ended = sessions.find((each: { current: boolean }) => !each.current)
    expect((await call('endSession', { params: { id: ended.id } }, token)).status).toBe(204)
    expect((await call('endSession', { params: { id: ended.id } }, token)).body.code).toBe(
      'session_gone',
    )
    expect((await call('endOtherSessions', {}, token)).body).toEqual({ ended: 1 })
    expect(
      await Promise.all([browser, phone, tablet].map((each) => isSignedIn(server, each))),
    ).toEqual([true, false, false])
    expect((await call('readAccount', {}, token)).status).toBe(200)
  })

  test('a remembered browser is listed and forgotten', async () => {
    await server.database.pool.query(
      `insert into remembered_devices (token_hash, account_id, factor, user_agent, expires_at)
        values (decode(repeat('ab', 32), 'hex'), $1, 'totp', 'Mozilla Firefox/1', now() + interval '1 day')`,
      [me.person.id],
    )
    const { browsers } = (await call('listRememberedBrowsers')).body
    expect(browsers).toMatchObject([{ browser: 'Firefox' }])
    const params = { id: browsers[0].id }
    expect((await call('forgetBrowser', { params }, other.token)).body.code).toBe('browser_gone')
    expect((await call('forgetBrowser', { params })).status).toBe(204)
    expect((await call('listRememberedBrowsers')).body.browsers).toEqual([])
  })

  test('an app is listed and taken leave of: its tokens end', async () => {
    const { person, browser, token } = await api.newcomer()
    const cloud = await createApp(server, { name: `Cloud ${person.username}` })
    const { request, code } = await obtainCode(browser, cloud, person, { scope: 'openid profile' })
    const { body } = await cloud.redeem(request, code)
    const { apps } = (await call('listApps', {}, token)).body
    const { id } = apps.find(({ name }: { name: string }) => name.startsWith('Cloud'))
    expect((await call('disconnectApp', { params: { id } }, other.token)).body.code).toBe(
      'app_gone',
    )
    expect((await call('disconnectApp', { params: { id } }, token)).status).toBe(204)
    expect((await cloud.userinfo(body.access_token)).status).toBe(401)
  })
})

describe('activity, download and leaving', () => {
  test('what has happened is told in words, a page at a time', async () => {
    const { body, status } = await call('listActivity')
    expect(status).toBe(200)
    expect(body.events.at(-1)).toMatchObject({ kind: 'created', text: expect.stringMatching(/\w/) })
    const before = body.events[0].id
    const rest = (await call('listActivity', { query: { before } })).body.events
    expect(rest).toEqual(body.events.slice(1))
    const chinese = await call('listActivity', { headers: { 'accept-language': 'zh-CN' } })
    expect(chinese.body.events[0].text).toMatch(/\p{Script=Han}/u)
    for (const query of [{ before: 'x' }, { after: before }]) {
      expect((await call('listActivity', { query })).status).toBe(400)
    }
    const theirs = await call('listActivity', { query: { before } }, other.token)
    const ids = new Set(body.events.map(({ id }: { id: string }) => id))
    expect(theirs.body.events.filter(({ id }: { id: string }) => ids.has(id))).toEqual([])
  })

  test('everything is downloaded, without secrets', async () => {
    const { body, headers } = await call('downloadAccount')
    expect(body).toMatchObject({ account: { id: me.person.id } })
    expect(JSON.stringify(body)).not.toContain('argon2')
    expect(headers.get('content-disposition')).toContain('attachment')
  })

  test('leaving needs the own username, ends every token, and is taken back', async () => {
    const { person, browser, token } = await api.newcomer()
    const wrong = await call('askDeletion', { json: { username: 'somebody' } }, token)
    expect(codesOf(wrong.body)).toEqual(['username username_other'])
    expect((await call('cancelDeletion', {}, token)).body.code).toBe('deletion_not_asked')
    const asked = await call('askDeletion', { json: { username: person.username } }, token)
    expect([asked.status, asked.body]).toEqual([202, { days: 7 }])
    expect((await call('readAccount', {}, token)).body.code).toBe('invalid_token')
    const again = await api.tokenOf(person, browser)
    expect((await call('readAccount', {}, again)).body.deletionDueAt).toBeNull()
    await server.database.pool.query(
      "update accounts set deletion_due_at = now() + interval '1 day' where id = $1",
      [person.id],
    )
    expect((await call('cancelDeletion', {}, again)).status).toBe(204)
    expect((await call('readAccount', {}, again)).body.deletionDueAt).toBeNull()
  })

  test('the last admin stays', async () => {
    const admin = await api.newcomer({ roles: ['admin'] })
    const { person, token } = admin
    const { status, body } = await call(
      'askDeletion',
      { json: { username: person.username } },
      token,
    )
    expect([status, body.code]).toEqual([409, 'last_admin'])
  })
})

test('every operation has been seen to succeed; account-matrix.test.ts sees each refuse', () => {
  expectSeen('done', api.seen, 'account', 'security')
})
