/** Taking the own data along, and leaving: a week for second thoughts, then nothing is left (AD-13, AC-28). */
import { beforeAll, expect, test } from 'vitest'
import { eraseDue } from '../../src/accounts/leaving.ts'
import { createKeyring } from '../../src/crypto.ts'
import type { Visitor } from '../../src/demo/visitor.ts'
import { createInvite, findInvite } from '../../src/invites/invites.ts'
import { ageSessions, isSignedIn, mailTo, signedIn } from '../support/account.ts'
import { authorize, createBrowser, createPerson, type Person, password } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

async function leave(browser: Visitor, { username }: Person) {
  const form = await browser.get(`${server.origin}/account/delete`)
  return browser.press(form, 'continue', { username })
}

async function afterAWeek(): Promise<number> {
  await server.database.pool.query(
    `update accounts set deletion_due_at = deletion_due_at - interval '7 days'`,
  )
  return eraseDue(server.database.db)
}

test('the download holds what is known of the person, and no secret', async () => {
  const person = await createPerson(server)
  const app = await createApp(server)
  await authorize(createBrowser(server), app, person)
  const browser = await signedIn(server, person)
  const file = await browser.get(`${server.origin}/account/data/download`)
  expect(file.headers.get('content-disposition')).toContain(`${person.username}.json`)
  const data = JSON.parse(file.body)
  expect(data.account).toMatchObject({ id: person.id, email: person.email })
  expect(data.sessions).toHaveLength(2)
  expect(data.connected_apps).toHaveLength(1)
  expect(data.events.length).toBeGreaterThan(2)
  expect(file.body).not.toMatch(/argon2|hash|sealed|secret/i)
  await ageSessions(server, 15)
  const late = await browser.get(`${server.origin}/account/data/download`)
  expect(late.url).toContain('/sign-in/')
})

test('leaving signs out everywhere at once, and a sign-in within the week takes it back', async () => {
  const person = await createPerson(server)
  const app = await createApp(server)
  const other = createBrowser(server)
  const { answer } = await authorize(other, app, person, { scope: 'openid offline_access' })
  const browser = await signedIn(server, person)
  expect((await leave(browser, person)).body).toContain('Your account will be deleted')
  expect(await isSignedIn(server, browser)).toBe(false)
  expect(await isSignedIn(server, other)).toBe(false)
  expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
  await mailTo(server, person.email, /to be deleted in seven days/)
  expect(await eraseDue(server.database.db)).toBe(0)
  expect(await isSignedIn(server, await signedIn(server, person))).toBe(true)
  expect(await afterAWeek()).toBe(0)
})

test('after the week nothing of the person is left, and whoever comes again is somebody new (AC-28)', async () => {
  const person = await createPerson(server, { username: 'leaver' })
  const app = await createApp(server)
  await authorize(createBrowser(server), app, person)
  const keyring = createKeyring(server.config.secretKeys)
  const { invite } = await createInvite(
    { db: server.database.db, keyring },
    { uses: 2, lifetimeSeconds: null, roles: [], email: person.email, note: 'for the leaver' },
    { actor: { kind: 'operator' } },
  )
  await leave(await signedIn(server, person), person)
  expect(await afterAWeek()).toBe(1)
  // An invitation that was theirs alone lets nobody in.
  const left = await findInvite(server.database.db, invite.id)
  expect(left).toMatchObject({ email: null, note: null, state: 'revoked' })
  const { rows: tables } = await server.database.pool.query(
    `select table_name, column_name from information_schema.columns
      where table_schema = 'public' and column_name in ('account_id', 'login_account_id', 'session_account_id')`,
  )
  for (const { table_name: table, column_name: column } of tables) {
    if (['audit_events', 'logout_deliveries'].includes(table)) continue
    const { rows } = await server.database.pool.query(
      `select 1 from ${table} where ${column} = $1`,
      [person.id],
    )
    expect(rows, `${table}.${column}`).toEqual([])
  }
  const { rows } = await server.database.pool.query(
    `select 1 from audit_events where account_id = $1 and (address is not null or detail::text like '%leaver%')`,
    [person.id],
  )
  expect(rows).toEqual([])
  const again = await createPerson(server, { username: 'leaver' })
  expect(again.id).not.toBe(person.id)
  const { answer } = await authorize(createBrowser(server), app, again)
  const { body } = await app.userinfo(answer.body.access_token)
  expect((body as Record<string, unknown>).sub).toBe(again.id)
})

test('nothing is left of how they came, either: their name and network at the beginning of the registration', async () => {
  const { pool } = server.database
  const browser = createBrowser(server)
  const fields = { username: 'comer', email: 'comer@example.org', password }
  const form = await browser.get(`${server.origin}/register`)
  const proof = await browser.press(form, 'continue', fields)
  await browser.press(proof, 'continue', { code: await server.mailedCode(fields.email) })
  const traces = () =>
    pool.query("select type from audit_events where detail::text like '%comer%' order by 1")
  expect((await traces()).rows).toContainEqual({ type: 'registration.started' })
  const person = { ...fields, id: '' }
  await leave(await signedIn(server, person), person)
  expect(await afterAWeek()).toBe(1)
  expect((await traces()).rows).toEqual([])
})

test('the last admin stays; of two who leave at once one stays', async () => {
  const [one, two] = [
    await createPerson(server, { roles: ['admin'] }),
    await createPerson(server, { roles: ['admin'] }),
  ]
  const browsers = [await signedIn(server, one), await signedIn(server, two)] as const
  const done = await Promise.all([leave(browsers[0], one), leave(browsers[1], two)])
  expect(done.map(({ status }) => status).toSorted()).toEqual([200, 422])
  expect(done.find(({ status }) => status === 422)?.error).toContain('only admin')
})

test('leaving asks for the username, a recent sign-in and the proof of our page', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  const form = await browser.get(`${server.origin}/account/delete`)
  expect((await browser.press(form, 'continue', { username: 'somebody' })).status).toBe(422)
  const forged = { username: person.username, csrf: 'x' }
  expect((await browser.press(form, 'continue', forged)).status).toBe(403)
  await ageSessions(server, 40)
  const late = await browser.press(form, 'continue', { username: person.username })
  expect(late.url).toContain('/sign-in/')
  expect(await isSignedIn(server, browser)).toBe(true)
})
