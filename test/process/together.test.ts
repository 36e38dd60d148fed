/** Several processes on one database: they start at once as if one did, and hear of each other's changes. */
import { readdirSync } from 'node:fs'
import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { createClient } from '../../src/clients/create-client.ts'
import { openDatabase } from '../../src/database/connection.ts'
import { temporaryDataDir } from '../database/embedded-processes.ts'
import { freePort } from '../support/server.ts'
import { type Server, startServer, top, until } from './processes.ts'

test('five processes that start on one empty directory: one migration, one key set; a client made by a sixth is known to all within 2 s', async () => {
  const dataDir = temporaryDataDir()
  // One issuer, as behind a balancer.
  const issuer = `http://localhost:${await freePort()}`
  const servers = await Promise.all(
    Array.from({ length: 5 }, () => startServer({ DATA_DIR: dataDir, ISSUER: issuer })),
  )
  await Promise.all(servers.map((server) => server.ready()))

  const keySets = await Promise.all(servers.map((server) => ask(server, issuer, '/oauth2/jwks')))
  expect(new Set(keySets.map(({ body }) => body)).size).toBe(1)
  expect(JSON.parse(keySets[0]?.body ?? '').keys.length).toBeGreaterThan(1)
  const migrated = servers.filter(({ output }) => output.stdout.includes('schema migrated'))
  expect(migrated).toHaveLength(1)

  const sixth = await openDatabase({ dataDir, poolSize: 1 })
  const { rows } = await sixth.pool.query('select count(*)::int as count from kysely_migration')
  expect(rows[0].count).toBe(readdirSync(`${top}/db/migrations`).length)

  // Each has been asked for it before, and remembers that there is none.
  const request = `/oauth2/authorize?client_id=late&response_type=code&scope=openid&code_challenge=${'a'.repeat(43)}&code_challenge_method=S256&redirect_uri=https%3A%2F%2Flate.example.org%2Fcallback`
  const known = async (server: Server) => (await ask(server, issuer, request)).status === 303
  expect(await Promise.all(servers.map(known))).toEqual([false, false, false, false, false])

  const input = {
    name: 'Late',
    preset: 'web',
    clientId: 'late',
    appUrl: 'https://late.example.org',
  }
  const made = await createClient(sixth.db, input, { actor: { kind: 'operator' } })
  const madeAt = Date.now()
  expect(made.ok).toBe(true)
  await Promise.all(servers.map((server) => until(() => known(server), 5_000)))
  expect(Date.now() - madeAt).toBeLessThan(2_000)
  await sixth.close()
})

/** What this process answers, spoken to by the name that all of them share. */
function ask(
  server: Server,
  issuer: string,
  path: string,
): Promise<{ status: number; body: string }> {
  const headers = { host: new URL(issuer).host }
  return new Promise((resolve, reject) => {
    get(`${server.origin}${path}`, { headers }, async (response) =>
      resolve({ status: response.statusCode ?? 0, body: await text(response) }),
    ).once('error', reject)
  })
}
