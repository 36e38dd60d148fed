/**
 * A process that uses the embedded database, for tests that kill it. Says one JSON line per event:
 * `opened`, `refused`, then for each line on standard input `write` → `wrote`, `close` → `closed`.
 */
import { createInterface } from 'node:readline'
import pg from 'pg'
import { openEmbedded } from '../../src/database/embedded/open.ts'

const say = (event: string, detail: unknown) =>
  process.stdout.write(`${JSON.stringify({ event, detail })}\n`)

const embedded = await openEmbedded({
  dataDir: process.argv[2] ?? '',
  settings: { fsync: 'off' },
}).catch((error: Error) => {
  say('refused', error.message)
  process.exit(1)
})
const client = new pg.Client(embedded.connection)
client.on('error', () => {})
await client.connect()
say('opened', embedded.connection)

// Killed together with its database, it may hear of that first.
process.on('unhandledRejection', () => process.exit(1))
process.on('uncaughtException', () => process.exit(1))
for await (const line of createInterface(process.stdin)) {
  if (line === 'write') {
    await client.query('create table if not exists notes (id bigint generated always as identity)')
    const { rows } = await client.query('insert into notes default values returning id')
    say('wrote', rows[0].id)
  } else {
    await client.end()
    say('closed', await embedded.close())
    process.exit(0)
  }
}
