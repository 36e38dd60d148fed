/** Killed with -9 in the middle of its work: the next start serves within ten seconds and has lost nothing (RL-02). */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { clusterProcesses, temporaryDataDir } from '../database/embedded-processes.ts'
import { rounds } from '../support/rounds.ts'
import {
  type Acknowledged,
  childOf,
  findLost,
  isAlive,
  registerPeople,
  type Server,
  startServer,
  until,
} from './processes.ts'

/** Once in a usual run, twenty times in a long one. */
const times = Math.ceil(rounds / 10)
const loosened = { LIMIT_FACTOR: '100000' }

const murders: [string, 'node' | 'npm', (server: Server, dataDir: string) => Promise<void>][] = [
  [
    'node',
    'node',
    async (server) => {
      process.kill(server.pid, 'SIGKILL')
      await server.ended
    },
  ],
  [
    'npm above it',
    'npm',
    async (server) => {
      const node = childOf(server.pid)
      process.kill(server.pid, 'SIGKILL')
      await until(() => !isAlive(node))
    },
  ],
  [
    'node and every process of its PostgreSQL',
    'node',
    async (server, dataDir) => {
      for (const pid of [server.pid, ...clusterProcesses(dataDir)]) process.kill(pid, 'SIGKILL')
      await server.ended
    },
  ],
]

test.each(murders)(
  'kill -9 of %s under load: the next start serves within 10 s, and everybody acknowledged is there',
  async (_, by, kill) => {
    const DATA_DIR = temporaryDataDir()
    let server = await startServer({ DATA_DIR, ...loosened }, { by })
    // The same port, as after a crash: nothing of the dead server holds it.
    const { port: PORT } = new URL(server.origin)
    await server.ready()
    const acknowledged: Acknowledged[] = []
    for (let time = 0; time < times; time++) {
      const people = registerPeople(server.origin)
      await until(() => people.acknowledged.length >= 6)
      // Anywhere between two statements.
      await sleep(Math.random() * 100)

      await kill(server, DATA_DIR)
      await people.stop()

      acknowledged.push(...people.acknowledged)
      server = await startServer({ DATA_DIR, ...loosened, PORT }, { by })
      expect(await server.ready(10_000)).toBeLessThan(10_000)
      expect(await findLost(server.origin, acknowledged)).toEqual([])
    }
    const more = registerPeople(server.origin, 1)
    await until(() => more.acknowledged.length > 0)
    await more.stop()
  },
  times * 120_000,
)

test('kill -9 of every PostgreSQL process under load: the server outlives it, brings it back and has lost nothing', async () => {
  const DATA_DIR = temporaryDataDir()
  const server = await startServer({ DATA_DIR, ...loosened })
  await server.ready()
  const people = registerPeople(server.origin)
  await until(() => people.acknowledged.length >= 6)

  for (const pid of clusterProcesses(DATA_DIR)) process.kill(pid, 'SIGKILL')

  const count = people.acknowledged.length
  await until(() => people.acknowledged.length >= count + 6)
  await people.stop()
  expect(await findLost(server.origin, people.acknowledged)).toEqual([])
  expect(server.process.exitCode, server.output.stderr).toBe(null)
  // Jobs are worked on again: whoever comes now gets a mail.
  const mails = await countMails(server)
  const more = registerPeople(server.origin, 1)
  await until(async () => (await countMails(server)) > mails)
  await more.stop()
})

async function countMails({ origin }: Server): Promise<number> {
  const response = await fetch(`${origin}/dev/mailbox`, { headers: { accept: 'application/json' } })
  return ((await response.json()) as unknown[]).length
}
