/** A mailbox that is proven late: what the registration may still do then. */
import { expect, test } from 'vitest'
import { disableAccount, enableAccount, findByIdentifier } from '../../src/accounts/accounts.ts'
import { createBrowser, createPerson, stepwise } from '../support/person.ts'
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

test('OI-11: what was written while an account was being switched off does not come back with it', async () => {
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  const page = await visitor.get(app.begin().url)
  // The last request of the sign-in reads the account, then waits; meanwhile an admin switches it off.
  const proven = await stepwise(visitor).press(page, 'continue', {
    identifier: person.username,
    password: person.password,
  })
  await database.pool.query(`
    create function switch_account_off() returns trigger language plpgsql as $$
      begin
        update accounts set status = 'disabled' where id = new.account_id;
        return new;
      end $$`)
  await database.pool.query(
    'create trigger switch_off before insert on sessions for each row execute function switch_account_off()',
  )
  await visitor.get(proven.url)
  await database.pool.query('drop trigger switch_off on sessions')
  const { rows } = await database.pool.query('select uid from sessions where account_id = $1', [
    person.id,
  ])
  expect(rows).toHaveLength(1)

  expect(await enableAccount(database.db, person.id, { kind: 'operator' })).toBe(true)
  expect((await visitor.get(app.begin().url)).body).toContain('id="password"')
})
