/** Coming in by invitation: by the mailed link, inside an app's request, by JSON, and what guessers find. */
import { expect, test } from 'vitest'
import { createKeyring } from '../../src/crypto.ts'
import { createInvite, findInvite } from '../../src/invites/invites.ts'
import { listMailbox } from '../../src/mail/mailbox.ts'
import { createBrowser, password } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({
  env: { REGISTRATION: 'invite', SUPPORT_EMAIL: 'help@example.org', LIMIT_FACTOR: '1' },
})
const { origin, config } = server
const { db } = server.database
const keyring = createKeyring(config.secretKeys)
const by = { actor: { kind: 'operator' } } as const
const invite = (more: Partial<Parameters<typeof createInvite>[1]> = {}) =>
  createInvite({ db, keyring }, { uses: 1, lifetimeSeconds: 3600, roles: [], ...more }, by)

/** The one that names `about`: the newest may be on its way still. */
async function mailTo(address: string, about = '') {
  for (let attempt = 0; attempt < 100; attempt++) {
    const mail = (await listMailbox(config.dataDir)).find(
      ({ to, text }) => to === address && text.includes(about),
    )
    if (mail) return mail
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no mail to ${address}`)
}

test('a mailed invitation: its link fills the code in, opening it spends nothing, going back keeps it', async () => {
  const email = 'mei@example.org'
  const { invite: made, code } = await invite({ email, sendIn: 'zh-CN', roles: ['reader'] })
  const mail = await mailTo(email)
  expect(mail.subject).toContain('邀请')
  expect(mail.text).toContain(code)
  const link = /http\S+invite=\S+/.exec(mail.text)?.[0] ?? ''
  const visitor = createBrowser(server)
  await createBrowser(server).get(link)
  const form = await visitor.get(link)
  expect(form.body).toContain(`value="${code}"`)
  const proof = await visitor.press(form, 'continue', { username: 'mei', email, password })
  expect(proof.url).toMatch(/\/verify-email$/)
  expect(await findInvite(db, made.id)).toMatchObject({ used: 1 })
  const back = await visitor.get(`${origin}/register`)
  expect(back.body).toContain(`value="${code}"`)
  const again = await visitor.press(back, 'continue', { username: 'mei_chen', email, password })
  expect(again.url).toMatch(/\/verify-email$/)
  expect(await findInvite(db, made.id)).toMatchObject({ used: 1 })
  const proof2 = await mailTo(email, 'mei_chen')
  const done = await visitor.press(again, 'continue', {
    code: /^ +(\d{6})$/m.exec(proof2.text)?.[1] ?? '',
  })
  expect(done.error).toBeUndefined()
  const roles = await db.selectFrom('accountRoles').select('role').execute()
  expect(roles).toEqual([{ role: 'reader' }])
})

test('inside an app’s request the form asks for the code, and keeps what was typed', async () => {
  const { code } = await invite()
  const app = await createApp(server)
  const request = app.begin()
  const visitor = createBrowser(server)
  const signIn = await visitor.get(request.url)
  const form = await visitor.follow(signIn, 'register')
  expect(form.body).toContain('help@example.org')
  const without = await visitor.press(form, 'continue', {
    username: 'ben',
    email: 'ben@example.org',
    password,
  })
  expect([without.status, without.body]).toEqual([422, expect.stringContaining('id="error"')])
  const proof = await visitor.press(without, 'continue', { invite: code, password })
  expect(proof.url).toMatch(/\/verify-email$/)
})

test('by JSON: `invite` is a field like any other', async () => {
  const { code } = await invite()
  const post = (json: object) =>
    fetch(`${origin}/api/registrations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(json),
    })
  const person = { username: 'jon', email: 'jon@example.org', password }
  const without = await post(person)
  expect([without.status, await without.json()]).toMatchObject([
    400,
    { errors: [{ field: 'invite', code: 'invite_required' }] },
  ])
  expect((await post({ ...person, invite: code })).status).toBe(202)
})

test('guessers are stopped after ten wrong codes, and a right one does not count', async () => {
  const { code } = await invite({ uses: 20 })
  const from = (last: number) => ({ 'x-forwarded-for': `192.0.2.${last}` })
  const limited = await startTestServer({
    database: server.database,
    dataDir: config.dataDir,
    env: { REGISTRATION: 'invite', LIMIT_FACTOR: '1', TRUSTED_PROXIES: '127.0.0.1' },
  })
  const ask = (invite: string, username: string, last: number) =>
    fetch(`${limited.origin}/api/registrations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...from(last) },
      body: JSON.stringify({ username, email: `${username}@example.org`, password, invite }),
    }).then(({ status }) => status)
  for (let index = 0; index < 3; index++) expect(await ask(code, `right${index}`, 7)).toBe(202)
  for (let index = 0; index < 10; index++) expect(await ask('WRONG', `wrong${index}`, 7)).toBe(400)
  expect(await ask('WRONG', 'wrong11', 7)).toBe(429)
  expect(await ask(code, 'right11', 7)).toBe(429)
  expect(await ask(code, 'right12', 8)).toBe(202)
})
