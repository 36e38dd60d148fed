/** What people say of themselves: kept, shown to apps, refused in words, and nobody else's to change. */
import { beforeAll, expect, test } from 'vitest'
import { signedIn } from '../support/account.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

test('what is saved is shown again, and apps that may see it get it', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  const form = await browser.get(`${server.origin}/account/profile`)
  const fields = {
    name: 'Ada <b>King</b>',
    given_name: 'Ada',
    family_name: 'King',
    locale: 'zh-CN',
    zoneinfo: 'Europe/London',
    phone_number: '+44 20 7946 0000',
    locality: 'London',
  }
  const saved = await browser.press(form, 'continue', fields)
  expect(saved.url).toBe(`${server.origin}/account/profile`)
  expect(saved.body).toContain('资料已保存')
  expect(saved.body).not.toContain('<b>King</b>')
  expect(saved.body).toContain('value="London"')
  const app = await createApp(server)
  const scope = 'openid profile'
  const { answer } = await authorize(createBrowser(server), app, person, { scope })
  const { body } = await app.userinfo(answer.body.access_token)
  expect(body).toMatchObject({
    name: 'Ada <b>King</b>',
    given_name: 'Ada',
    family_name: 'King',
    locale: 'zh-CN',
    zoneinfo: 'Europe/London',
  })
})

test('what breaks a rule is refused at its field, and nothing of it is kept', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  const form = await browser.get(`${server.origin}/account/profile`)
  for (const wrong of [
    { phone_number: '12' },
    { given_name: '' },
    { name: 'a\u202eb' },
    { name: 'x'.repeat(101) },
    { locale: 'tlh' },
    { zoneinfo: 'Mars/Olympus' },
  ]) {
    const refused = await browser.press(form, 'continue', { family_name: 'Changed', ...wrong })
    expect(refused.status, JSON.stringify(wrong)).toBe(422)
  }
  const { rows } = await server.database.pool.query(
    'select family_name from accounts where id = $1',
    [person.id],
  )
  expect(rows[0].family_name).not.toBe('Changed')
})

test('fields that are not on the form change nothing (AC-25, IN-04)', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  const form = await browser.get(`${server.origin}/account/profile`)
  await browser.press(form, 'continue', {
    email: 'mallory@example.org',
    email_verified: 'true',
    username: 'mallory',
    id: 'x',
    status: 'disabled',
    roles: 'admin',
    picture_url: 'https://evil.example/x.png',
  })
  const { rows } = await server.database.pool.query('select * from accounts where id = $1', [
    person.id,
  ])
  expect(rows[0]).toMatchObject({
    email: person.email,
    username: person.username,
    status: 'active',
    picture_url: null,
  })
})
