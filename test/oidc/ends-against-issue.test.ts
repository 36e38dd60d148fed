/** RC-19: an app that is deleted, or switched off, while its codes, devices and refreshes are being redeemed: nothing lives on. */
import { describe, expect, test } from 'vitest'
import { deleteClient, disableClient } from '../../src/clients/client-life.ts'
import { askForCode, connect, poll } from '../support/device.ts'
import { startNodes } from '../support/nodes.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'

const actor = { kind: 'operator' } as const
const device = 'urn:ietf:params:oauth:grant-type:device_code'

describe.each([
  ['one node', 1],
  ['two nodes', 2],
])('on %s', async (_, count) => {
  const server = await startNodes(count)
  const { db, pool } = server.database
  const person = await createPerson(server)
  const visitor = createBrowser(server)

  test.each([
    ['deleted', deleteClient],
    ['switched off', disableClient],
  ])('an app that is %s against what it redeems at that moment', async (_way, end) => {
    for (let round = 0; round < rounds; round++) {
      const app = await createApp(server, {
        grantTypes: ['authorization_code', 'refresh_token', device],
      })
      const { request, code } = await obtainCode(visitor, app, person)
      const { answer } = await authorize(visitor, app, person)
      const shown = await askForCode(app)
      await connect(visitor, shown, person)
      const [, ...answers] = await Promise.all([
        end(db, app.id, { actor }),
        app.redeem(request, code),
        app.refresh(answer.body.refresh_token),
        poll(app, shown),
      ])
      for (const { status, body } of answers) {
        expect(status).toBeLessThan(500)
        if (body.access_token === undefined) continue
        expect((await app.userinfo(body.access_token)).status).toBe(401)
        expect((await app.refresh(body.refresh_token)).status).toBeGreaterThanOrEqual(400)
      }
      const { rows } = await pool.query(
        `select count(*)::int as count from access_tokens t join grants g on g.id = t.grant_id
         where t.client_id = $1`,
        [app.id],
      )
      expect(rows).toEqual([{ count: 0 }])
    }
  })
})
