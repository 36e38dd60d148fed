/** A mailbox that is proven late: what the registration may still do then. */
import { expect, test } from 'vitest'
import { disableAccount, findByIdentifier } from '../../src/accounts/accounts.ts'
import { createBrowser } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin, database } = server
const app = await createApp(server)

test('AC-20: a proven registration signs nobody in whose account was switched off meanwhile', async () => {
  const visitor = createBrowser(server)
  const signIn = await visitor.get(app.begin().url)
  const form = await visitor.follow(signIn, 'register')
  const proof = await visitor.press(form, 'continue', {
    username: 'latecomer',
    email: 'latecomer@example.org',
    password: 'quiet winter morning walk',
  })
  const elsewhere = createBrowser(server)
  const link = await elsewhere.get(`${origin}${await server.mailedLink('latecomer@example.org')}`)
  expect((await elsewhere.press(link, 'continue')).status).toBe(200)
  const account = await findByIdentifier(database.db, 'latecomer')
  await disableAccount(database.db, account?.id ?? '', 'a test', { kind: 'operator' })

  const late = await visitor.get(proof.url)
  expect(late.status).toBe(403)
  const { rows } = await database.pool.query(
    `select type from audit_events where account_id = $1 and type = 'sign_in.succeeded'`,
    [account?.id],
  )
  expect(rows).toEqual([])
})
