/** The demo registers its apps on a database that has them already, however often. */
import { expect, test } from 'vitest'
import { findStoredClient, secretMatches } from '../../src/clients/clients.ts'
import { registerApps } from '../../src/demo/register.ts'
import { createDatabase } from '../support/database.ts'

const { db } = await createDatabase()
const issuer = 'http://localhost:3000'
const origin = 'http://localhost:3001'

test('a second start finds the same apps, with new secrets, and the old ones work a while', async () => {
  const before = await registerApps(db, { issuer, origin })
  const after = await registerApps(db, { issuer, origin })

  for (const which of ['first', 'second'] as const) {
    expect(after[which].clientId).toBe(before[which].clientId)
    expect(after[which].clientSecret).not.toBe(before[which].clientSecret)
    const stored = await findStoredClient(db, after[which].clientId)
    for (const { clientSecret } of [before[which], after[which]]) {
      expect(stored && secretMatches(stored, clientSecret)).toBe(true)
    }
  }
})

test('what was changed meanwhile is set right again', async () => {
  const { first } = await registerApps(db, { issuer, origin })
  await db
    .updateTable('clients')
    .set({ firstParty: true })
    .where('id', '=', first.clientId)
    .execute()

  await registerApps(db, { issuer, origin })

  expect((await findStoredClient(db, first.clientId))?.firstParty).toBe(false)
})

test('a demo at another port is two other apps, and leaves these alone', async () => {
  const here = await registerApps(db, { issuer, origin })
  const there = await registerApps(db, { issuer, origin: 'http://localhost:4001' })

  expect(there.first).toMatchObject({ name: 'Demo app 4001', url: 'http://localhost:4001' })
  const stored = await findStoredClient(db, here.first.clientId)
  expect(stored?.metadata.redirect_uris).toEqual(['http://localhost:3001/callback'])
})
