/** Apps in memory: no flood of unknown ids costs the others their place. */
import { expect, test, vi } from 'vitest'
import { createClient } from '../../src/clients/create-client.ts'
import { createClientCache } from '../../src/oidc/client-cache.ts'
import { createDatabase } from '../support/database.ts'

const { db, pool } = await createDatabase()
const { id } = await makeApp('App')

async function makeApp(name: string) {
  const made = await createClient(
    db,
    { name, preset: 'generic', redirectUris: ['https://app.example.com/cb'] },
    { actor: { kind: 'operator' } },
  )
  if (!made.ok) throw new Error('no app')
  return made.client
}

test('DS-07: six thousand unknown ids drive no app out of memory, and are asked for once each', async () => {
  const cache = createClientCache(db)
  expect((await cache.client(id))?.id).toBe(id)
  const connect = vi.spyOn(pool, 'connect')
  for (let n = 0; n < 6000; n++) await cache.client(`unknown-${n}`)
  expect(connect).toHaveBeenCalledTimes(6000)
  expect((await cache.client(id))?.id).toBe(id)
  expect(await cache.client('unknown-5999')).toBeUndefined()
  expect(connect).toHaveBeenCalledTimes(6000)
  connect.mockRestore()
})

test('an app that was unknown is found once everything is forgotten', async () => {
  const cache = createClientCache(db)
  const later = await makeApp('Later')
  await db
    .updateTable('clients')
    .set({ disabledAt: new Date() })
    .where('id', '=', later.id)
    .execute()
  expect(await cache.client(later.id)).toBeUndefined()
  await db.updateTable('clients').set({ disabledAt: null }).where('id', '=', later.id).execute()
  expect(await cache.client(later.id)).toBeUndefined()
  cache.forget()
  expect((await cache.client(later.id))?.id).toBe(later.id)
})
