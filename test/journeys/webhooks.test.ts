/** A service beside us hears of a person's first day, while the person waits for nothing. */
import { expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { createKeyring } from '../../src/crypto.ts'
import { grantRole, revokeRole } from '../../src/roles/holders.ts'
import { createRole } from '../../src/roles/roles.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { eventually } from '../support/logout-app.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'
import { startReceiver } from '../support/webhook-receiver.ts'

const receiver = await startReceiver()
const server = await startTestServer({ env: { ALLOW_PRIVATE_TARGETS: receiver.target } })
const { db } = server.database
const by = { actor: { kind: 'operator' } } as const

test('account, session, grant and role: each is told once, by ids alone', async () => {
  const keyring = createKeyring(server.config.secretKeys)
  const { secret } = await createWebhook({ db, keyring }, { url: receiver.url, events: ['*'] }, by)
  receiver.secret = secret
  const person = await createPerson(server)
  const app = await createApp(server)
  await authorize(createBrowser(server), app, person)
  await createRole(db, { name: 'editor' }, by)
  const holder = { kind: 'account', id: person.id } as const
  await grantRole(db, 'editor', holder, by)
  await revokeRole(db, 'editor', holder, by)
  await disableAccount(db, person.id, 'a test', by.actor)
  const heard = await eventually(() => (receiver.heard.length >= 6 ? receiver.heard : undefined))
  expect(heard.map(({ problem }) => problem)).toEqual(heard.map(() => undefined))
  const types = heard.map(({ message }) => (message as { type: string }).type)
  expect(types.toSorted()).toEqual([
    'account.created',
    'account.disabled',
    'grant.created',
    'role.added',
    'role.removed',
    'session.created',
  ])
  for (const { message } of heard)
    expect((message as { data: object }).data).toMatchObject({ account_id: person.id })
  for (const told of [person.username, person.email])
    expect(JSON.stringify(heard)).not.toContain(told)
})
