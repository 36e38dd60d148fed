/**
 * Requests that were read before something ended and are written after it. Nothing that has ended comes back
 * with them: no session, no grant, no token (RC-03, RC-14).
 */
import { expect, test } from 'vitest'
import { disableAccount, enableAccount } from '../../src/accounts/accounts.ts'
import { disableClient } from '../../src/clients/client-life.ts'
import { holdTable } from '../support/hold.ts'
import { authorize, createBrowser, createPerson, stepwise } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db, pool } = server.database
const operator = { kind: 'operator' } as const
const house = await createApp(server, { firstParty: true })

async function signedIn(scope = 'openid offline_access') {
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  const { answer } = await authorize(visitor, house, person, { scope })
  return { person, visitor, tokens: answer.body }
}

/** Runs `meanwhile` after the request was read and before it is written. */
async function late<T>(
  table: string,
  request: () => Promise<T>,
  meanwhile: () => Promise<unknown>,
) {
  const held = await holdTable(pool, table)
  const answer = request()
  try {
    await held.waiters(1)
    await meanwhile()
  } finally {
    await held.release()
  }
  return answer
}

test('RC-14: an authorize that is written after the sign-out brings neither session nor tokens back', async () => {
  const { person, visitor } = await signedIn('openid')
  const other = await createApp(server, { firstParty: true })
  const confirm = await visitor.get(house.logoutUrl())
  const request = other.begin({ scope: 'openid' })
  const slow = stepwise(visitor)
  const page = await late(
    'authorization_codes',
    () => slow.get(request.url),
    () => stepwise(visitor).press(confirm, 'continue'),
  )
  const { rows } = await pool.query('select 1 from sessions where account_id = $1', [person.id])
  expect(rows).toEqual([])
  expect((await visitor.get(other.begin().url)).body).toContain('id="password"')
  const { code } = other.answerOf(request, page)
  expect((await other.redeem(request, code)).body.error).toBe('invalid_grant')
})

test('RC-03: an authorize that widens a grant does not bring it back after its revocation', async () => {
  const { visitor, tokens } = await signedIn()
  const request = house.begin({ scope: 'openid email offline_access' })
  const page = await late(
    'authorization_codes',
    () => visitor.get(request.url),
    () => house.revoke(tokens.refresh_token),
  )
  expect((await house.userinfo(tokens.access_token)).status).toBe(401)
  expect((await house.refresh(tokens.refresh_token)).body.error).toBe('invalid_grant')
  const { code } = house.answerOf(request, page)
  expect((await house.redeem(request, code)).status).toBe(400)
  // Asking again is all it takes.
  const again = house.begin()
  const { code: next } = house.answerOf(again, await visitor.get(again.url))
  expect((await house.redeem(again, next)).status).toBe(200)
})

test('RC-03: a refresh that is written after the revocation leaves nothing alive', async () => {
  const { tokens } = await signedIn()
  const { rows } = await pool.query('select id from grants where client_id = $1', [house.id])
  const answer = await late(
    'access_tokens',
    () => house.refresh(tokens.refresh_token),
    // What the revocation endpoint writes; the endpoint itself would wait for the same table.
    () => pool.query('delete from grants where id = any($1)', [rows.map(({ id }) => id)]),
  )
  expect((await house.userinfo(answer.body.access_token)).status).toBe(401)
  expect((await house.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
})

test('RC-03, OI-11: a refresh that is written after the account was disabled leaves nothing alive, nor after it is enabled', async () => {
  const { person, tokens } = await signedIn()
  const answer = await late(
    'access_tokens',
    () => house.refresh(tokens.refresh_token),
    () => disableAccount(db, person.id, 'left', operator),
  )
  expect((await house.userinfo(answer.body.access_token)).status).toBe(401)
  await enableAccount(db, person.id, operator)
  expect((await house.userinfo(answer.body.access_token)).status).toBe(401)
  expect((await house.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
})

test('RC-03: a redemption that is written after the app was disabled leaves nothing alive', async () => {
  const doomed = await createApp(server, { firstParty: true })
  const { visitor } = await signedIn()
  const request = doomed.begin()
  const { code } = doomed.answerOf(request, await visitor.get(request.url))
  const answer = await late(
    'access_tokens',
    () => doomed.redeem(request, code),
    () => disableClient(db, doomed.id, { actor: operator }),
  )
  expect((await doomed.userinfo(answer.body.access_token)).status).toBe(401)
})

test('TK-02: a replay that arrives while the code is being redeemed leaves nothing alive', async () => {
  const { visitor } = await signedIn()
  const request = house.begin()
  const { code } = house.answerOf(request, await visitor.get(request.url))
  const held = await holdTable(pool, 'access_tokens')
  const redemptions = [house.redeem(request, code), house.redeem(request, code)]
  await held.waiters(1)
  await held.release()
  const answers = await Promise.all(redemptions)
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
  const won = answers.find(({ status }) => status === 200)
  await expect.poll(async () => (await house.userinfo(won?.body.access_token)).status).toBe(401)
})
