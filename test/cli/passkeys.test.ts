/** `idp passkeys` and what it changes: the move to another domain, and the passkeys of a person. */
import { expect, test } from 'vitest'
import { addPasskey, createPasskeyOptions } from '../../src/credentials/add-passkey.ts'
import { auditOf } from '../support/audit.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { makePasskey, optionsOf } from '../support/passkeys.ts'
import { createBrowser, createPerson, signInAt } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'
import { createIdp } from './support.ts'

const server = await startTestServer()
const { db } = server.database
const idp = createIdp(server.database.url, { ISSUER: server.origin })
const passkeys = (...argv: string[]) => idp(['passkeys', ...argv])

test('related origins stand at the well-known address, and nowhere when there are none', async () => {
  const wellKnown = () => fetch(`${server.origin}/.well-known/webauthn`)
  expect((await wellKnown()).status).toBe(404)
  const added = await passkeys('allow-origin', 'https://id.example.org', '--json')
  expect([added.code, JSON.parse(added.stdout)]).toEqual([
    0,
    { version: 1, changed: true, origin: 'https://id.example.org' },
  ])
  const answer = await wellKnown()
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  expect(await answer.json()).toEqual({ origins: ['https://id.example.org'] })
  expect((await passkeys('allow-origin', 'https://id.example.org')).stderr).toContain('already')
  expect((await passkeys('remove-origin', 'https://id.example.org')).code).toBe(0)
  expect((await passkeys('remove-origin', 'https://id.example.org')).code).toBe(3)
  expect((await wellKnown()).status).toBe(404)
  expect(await auditOf(db, 'passkey_origin.added')).toHaveLength(1)
  expect(await auditOf(db, 'passkey_origin.removed')).toHaveLength(1)
})

test.each(['http://id.example.org', 'https://id.example.org/', 'https://10.0.0.1', 'id', ''])(
  'what is no origin is refused: %s',
  async (origin) => {
    expect((await passkeys('allow-origin', origin)).code).toBe(2)
  },
)

test('after a move the passkeys of the old domain go on working, and of no other', async () => {
  const person = await createPerson(server)
  const old = { id: 'id.old.example', name: 'Old', origin: 'https://id.old.example' }
  const given = { accountId: person.id, boundTo: 'session before' }
  const before = createAuthenticator(old.origin)
  const account = { ...person, name: person.username }
  const options = await createPasskeyOptions(db, old, { account, boundTo: given.boundTo })
  await addPasskey(db, old, { ...given, answer: before.create(options) })

  // The same authenticator, which now talks to the new address.
  const app = await createApp(server)
  const browser = createBrowser(server)
  const signIn = async () => {
    const page = await browser.get(app.begin().url)
    const asked = await optionsOf(browser, page)
    const answer = before.get(asked, { origin: server.origin })
    return { rpId: asked.rpId, page: await browser.press(page, 'with-passkey', { answer }) }
  }
  expect((await signIn()).page.status).toBe(422)
  const kept = await passkeys('keep-domain', 'id.old.example')
  expect(kept.code).toBe(0)
  expect(kept.stderr).toContain(JSON.stringify({ origins: [server.origin] }))
  const { rpId, page } = await signIn()
  expect(rpId).toBe('id.old.example')
  expect(page.url).toContain('/consent')
  const shown = JSON.parse((await passkeys('domain', '--json')).stdout)
  expect(shown).toMatchObject({
    domain: 'id.old.example',
    domains: [{ domain: 'id.old.example', passkeys: 1 }],
  })
  expect((await passkeys('keep-domain', 'id.old.example')).stderr).toContain('already')
  expect((await passkeys('keep-domain', 'localhost')).code).toBe(0)
  expect(JSON.parse((await passkeys('domain', '--json')).stdout).domain).toBe('localhost')
  for (const wrong of ['https://id.old.example', '10.0.0.1', 'com', '']) {
    expect((await passkeys('keep-domain', wrong)).code, wrong).toBe(2)
  }
})

test('users get shows the passkeys of a person', async () => {
  const person = await createPerson(server)
  const browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${server.origin}/sign-in?to=passkeys`), person)
  await makePasskey(server, browser, createAuthenticator(server.origin))
  const { stdout } = await idp(['users', 'get', person.username, '--json'])
  expect(JSON.parse(stdout).user.passkeys).toMatchObject([
    { name: '', domain: 'localhost', backed_up: true, last_used_at: null },
  ])
  expect((await idp(['users', 'get', person.username])).stdout).toContain('unnamed, since')
})
