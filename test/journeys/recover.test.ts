/** Break-glass: a link from the operator, for somebody who has lost the password and gets no mail. */
import { expect, test } from 'vitest'
import { sha256 } from '../../src/crypto.ts'
import { createIdp } from '../cli/support.ts'
import { isSignedIn, signedIn } from '../support/account.ts'
import { createBrowser, createPerson } from '../support/person.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { pool } = server.database
const idp = createIdp(server.database.url, { ISSUER: server.origin, SUDO_USER: 'night-admin' })
const next = 'a quiet harbour in the north'

async function linkFor(username: string, ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await idp(['users', 'recover', username, ...flags])
  expect([code, stderr]).toEqual([0, expect.stringContaining('works once')])
  return stdout.trim()
}

test('AD-06: looking spends nothing, the person chooses, everybody else is signed out, and nobody is signed in by it', async () => {
  const person = await createPerson(server)
  const elsewhere = await signedIn(server, person)
  const link = await linkFor(person.username)
  for (const language of ['en', 'zh-CN']) {
    const browser = createBrowser(server, language)
    for (let looks = 0; looks < 3; looks++) {
      const page = await browser.get(link)
      expect([page.status, page.body.includes('new_password')]).toEqual([200, true])
    }
  }
  expect(await isSignedIn(server, elsewhere)).toBe(true)

  const browser = createBrowser(server)
  const weak = await browser.press(await browser.get(link), 'continue', {
    new_password: 'password',
  })
  expect(weak.status).toBe(422)
  const done = await browser.press(weak, 'continue', { new_password: next })
  expect(done.body).toContain('Your password is changed')
  expect(await isSignedIn(server, browser)).toBe(false)
  expect(await isSignedIn(server, elsewhere)).toBe(false)
  expect(await isSignedIn(server, await signedIn(server, { ...person, password: next }))).toBe(true)
  expect((await createBrowser(server).get(link)).status).toBe(410)

  const { rows } = await pool.query(
    `select type, actor_kind, actor_id, detail::text from audit_events where account_id = $1 and type in ('account.recovery_linked', 'password.reset') order by id`,
    [person.id],
  )
  expect(rows).toMatchObject([
    { type: 'account.recovery_linked', actor_kind: 'operator', actor_id: 'night-admin' },
    { type: 'password.reset', actor_kind: 'person' },
  ])
  const token = new URL(link).searchParams.get('token') ?? ''
  expect(JSON.stringify(rows)).not.toContain(token)
  expect(server.log.join('')).not.toContain(token)
})

test('RC-09: of many at once one spends it', async () => {
  const person = await createPerson(server)
  const link = await linkFor(person.username)
  const browsers = Array.from({ length: Math.min(rounds, 20) }, () => createBrowser(server))
  const pages = await Promise.all(browsers.map((browser) => browser.get(link)))
  const done = await Promise.all(
    pages.map((page, index) => browsers[index]?.press(page, 'continue', { new_password: next })),
  )
  expect(done.filter((page) => page?.status === 200)).toHaveLength(1)
})

test('a newer link ends the older, time ends it too, and at rest there is only its hash', async () => {
  const person = await createPerson(server)
  const [older, newer] = [
    await linkFor(person.username),
    await linkFor(person.username, '--expires', '1m'),
  ]
  expect((await createBrowser(server).get(older)).status).toBe(410)
  expect((await createBrowser(server).get(newer)).status).toBe(200)
  const token = new URL(newer).searchParams.get('token') ?? ''
  const { rows } = await pool.query('select * from mail_proofs where account_id = $1', [person.id])
  expect(rows).toMatchObject([{ token_hash: sha256(token) }])
  expect(JSON.stringify(rows)).not.toContain(token)
  await pool.query(`update mail_proofs set proof_expires_at = now() where account_id = $1`, [
    person.id,
  ])
  expect((await createBrowser(server).get(newer)).status).toBe(410)
})

test('nobody gets one for an account that is off, or for longer than a day', async () => {
  const person = await createPerson(server)
  expect((await idp(['users', 'recover', person.username, '--expires', '25h'])).code).toBe(2)
  expect((await idp(['users', 'recover', 'nobody'])).code).toBe(3)
  await idp(['users', 'disable', person.username])
  const refused = await idp(['users', 'recover', person.username])
  expect([refused.code, refused.stdout, refused.stderr.includes('users enable')]).toEqual([
    5,
    '',
    true,
  ])
})

test('a programme reads the link as JSON', async () => {
  const person = await createPerson(server)
  const { stdout } = await idp(['users', 'recover', person.username, '--json'])
  expect(JSON.parse(stdout)).toEqual({
    version: 1,
    recovery: {
      username: person.username,
      link: expect.stringContaining('token='),
      expires_at: expect.any(String),
    },
  })
})
