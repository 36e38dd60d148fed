/** Requests of clients that cannot prove who they are keep rows for strangers, so they are counted (DS-07). */
import { expect, test } from 'vitest'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({ env: { LIMIT_FACTOR: '0.05' } })
const spa = await createApp(server, { preset: 'spa' })
const web = await createApp(server, { preset: 'web' })

const pushed = async (app: typeof spa) =>
  (await app.post('par', Object.fromEntries(app.begin().parameters))).status

test('DS-07: a stranger may push a few requests a minute as a public client, and no more rows are kept', async () => {
  const statuses = []
  for (let n = 0; n < 9; n++) statuses.push(await pushed(spa))
  expect(statuses).toEqual([201, 201, 201, 201, 201, 201, 429, 429, 429])
  const { rows } = await server.database.pool.query(
    'select count(*)::int as count from pushed_authorization_requests',
  )
  expect(rows[0].count).toBe(6)
  // Whoever proves who they are goes on.
  expect(await pushed(web)).toBe(201)
})

test('DS-07: a native sign-in that only begins keeps a row, and a stranger may begin a few a minute', async () => {
  const settings = { firstParty: true, authorizationChallenge: true }
  const native = await createApp(server, { preset: 'native', ...settings })
  const { parameters } = native.begin()
  parameters.delete('redirect_uri')
  const statuses = []
  for (let n = 0; n < 9; n++) {
    const fields = Object.fromEntries(parameters)
    statuses.push((await native.post('authorize-challenge', fields)).status)
  }
  expect(statuses).toEqual([403, 403, 403, 403, 403, 403, 429, 429, 429])
  const { rows } = await server.database.pool.query(
    'select count(*)::int as count from auth_sessions',
  )
  expect(rows[0].count).toBe(6)
})
