/** `idp grants`: what apps hold of people, and the end of it. */
import { expect, test } from 'vitest'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'
import { createIdp } from './support.ts'

const server = await startTestServer()
const idp = createIdp(server.database.url, { ISSUER: server.origin, SUDO_USER: 'night-admin' })
const app = await createApp(server)

const list = async (...flags: string[]) =>
  JSON.parse((await idp(['grants', 'list', '--json', ...flags])).stdout).grants

test('a grant is seen, ended by its id, and its refresh token is dead at once', async () => {
  const ada = await createPerson(server, { username: 'ada' })
  const bob = await createPerson(server, { username: 'bob' })
  const scope = 'openid offline_access'
  const { answer } = await authorize(createBrowser(server), app, ada, { scope })
  await authorize(createBrowser(server), app, bob, { scope })

  const [grant, ...others] = await list('--account', 'ada', '--client', app.id)
  expect(others).toEqual([])
  expect(grant).toMatchObject({ username: 'ada', client_id: app.id, offline: true })
  expect(grant.scopes).toContain('offline_access')
  expect(await list('--offline')).toHaveLength(2)
  const { stdout } = await idp(['grants', 'list'], { terminal: { columns: 200 } })
  expect(stdout).toContain('ada')

  expect((await idp(['grants', 'revoke', 'no-such-grant'])).code).toBe(3)
  expect((await idp(['grants', 'revoke'])).code).toBe(2)
  const { code, stderr } = await idp(['grants', 'revoke', grant.grant])
  expect([code, stderr]).toEqual([0, expect.stringContaining('Ended 1')])
  expect(await list('--account', 'ada')).toEqual([])
  expect(await list('--account', 'bob')).toHaveLength(1)
  const refreshed = await app.refresh(String(answer.body.refresh_token))
  expect(refreshed.body).toMatchObject({ error: 'invalid_grant' })

  const { rows } = await server.database.pool.query(
    "select actor_id, account_id, client_id, detail from audit_events where type = 'grants.revoked'",
  )
  expect(rows).toEqual([
    {
      actor_id: 'night-admin',
      account_id: ada.id,
      client_id: app.id,
      detail: { grants: 1 },
    },
  ])

  expect((await idp(['grants', 'revoke', '--client', app.id, '--json'])).stdout).toContain(
    '"revoked": 1',
  )
  expect(await list()).toEqual([])
})
