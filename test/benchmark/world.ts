/**
 * What a run takes place in: a PostgreSQL of its own that waits for the disk, our server as `npm start` runs it, the
 * baseline, and the raw hash, each in a process of its own on loopback. `close` leaves nothing behind.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, openDatabase } from '../../src/database/connection.ts'
import { openEmbedded } from '../../src/database/embedded/open.ts'
import { migrate } from '../../src/database/migrate.ts'
import { migrateJobs } from '../../src/jobs/worker.ts'
import { ask, codeOf, redeem, signInScope } from './app.ts'
import { createBrowser } from './browser.ts'
import type { BaselineOrder, Cast, Person } from './cast.ts'
import { type Child, freePort, startChild } from './children.ts'
import { familyCpuMs, parentOf, processCpuMs } from './cpu.ts'
import { createHttp } from './http.ts'
import { type MailSink, startMailSink } from './mail-sink.ts'
import type { Meters } from './measure.ts'
import type { Options } from './options.ts'
import { copyTokens, expireTokens, seed } from './seed.ts'
import { signInByHint, signInByPassword } from './sign-in.ts'
import type { Server, Target, Visitor } from './target.ts'

export type World = {
  ours: Target
  baseline: Target
  rawHash: Child
  mail: MailSink
  close(): Promise<void>
}

type Undo = (() => unknown)[]

/** Rejects, in words, when something does not start; then nothing is left running. */
export async function createWorld(options: Options, signal: AbortSignal): Promise<World> {
  const undo: Undo = []
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    return { ...(await build(options, signal, undo)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function build(options: Options, signal: AbortSignal, undo: Undo) {
  const directory = mkdtempSync(join(tmpdir(), 'idp-bench-'))
  undo.push(() => rmSync(directory, { recursive: true, force: true }))
  const embedded = await openEmbedded({ dataDir: directory })
  undo.push(() => embedded.close())
  const { user, database: name, host } = embedded.connection
  const databaseUrl = `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}`
  const database = await openDatabase({ databaseUrl, dataDir: directory })
  undo.push(() => database.close())
  await assertDurable(database)
  await migrate(database, [migrateJobs])
  signal.throwIfAborted()

  const secretKey = randomBytes(32).toString('base64url')
  const cast = await seed(database, { ...options, secretKey, people: options.people + 1 })
  const mail = await startMailSink()
  undo.push(() => mail.close())
  signal.throwIfAborted()

  const [ours, baseline, rawHash] = await Promise.all([
    startOurs({
      directory,
      database,
      databaseUrl,
      secretKey,
      smtpUrl: mail.url,
      cast,
      options,
      undo,
    }),
    startBaseline({ directory, cast, undo }),
    startRawHash({ directory, undo }),
  ])
  return {
    ours: await populate(ours, options, signal),
    baseline: await populate(baseline, options, signal),
    rawHash,
    mail,
  }
}

/** A database that does not wait for the disk would flatter us. */
async function assertDurable({ pool }: Database): Promise<void> {
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    const { rows } = await pool.query<{ value: string }>(`select current_setting($1) as value`, [
      setting,
    ])
    if (rows[0]?.value !== 'on') throw new Error(`PostgreSQL runs with ${setting} off`)
  }
}

async function startOurs(given: {
  directory: string
  database: Database
  databaseUrl: string
  secretKey: string
  smtpUrl: string
  cast: Cast
  options: Options
  undo: Undo
}): Promise<Server> {
  const { directory, database, cast, undo } = given
  const { profile } = given.options
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const child = startChild('../../src/main.ts', {
    logFile: join(directory, 'provider.log'),
    execArgv: [
      ...startFlags(),
      ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
    ],
    env: {
      ISSUER: origin,
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_URL: given.databaseUrl,
      DATA_DIR: join(directory, 'provider'),
      SECRET_KEY: given.secretKey,
      SMTP_URL: given.smtpUrl,
      MAIL_FROM: 'accounts@bench.test',
      LIMIT_FACTOR: '1000000',
      LOG_LEVEL: 'info',
      // Ends with us, whatever ends us.
      npm_lifecycle_event: 'bench',
    },
  })
  undo.push(() => child.stop())
  const http = createHttp(origin)
  undo.push(() => http.close())
  await Promise.race([untilReady(http, undo), child.ended])

  const { rows } = await database.pool.query<{ pid: number }>('select pg_backend_pid() as pid')
  const postmaster = parentOf(rows[0]?.pid ?? 0)
  return {
    origin,
    http,
    cast,
    signIn: (browser, target, person) => signInByPassword(browser, target, person, cast.password),
    meters: async () => ({
      nodeMs: processCpuMs(child.pid),
      postgresMs: familyCpuMs(postmaster),
      statements: await countStatements(database),
    }),
    copyTokens: (pairs) => copyTokens(database, pairs),
    expireTokens: (tokens) => expireTokens(database, tokens),
  }
}

/** What `npm start` gives to Node. */
function startFlags(): string[] {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  const words: string[] = scripts.start.split(' ')
  return words.slice(words.indexOf('node') + 1, words.indexOf('src/main.ts'))
}

/** What PostgreSQL has been sent, our own question left out. */
async function countStatements({ pool }: Database): Promise<number> {
  const { rows } = await pool.query<{ calls: number }>(
    `select coalesce(sum(calls), 0)::float8 as calls from pg_stat_statements
     where dbid = (select oid from pg_database where datname = current_database())
       and query not like '%pg_stat_statements%'`,
  )
  return rows[0]?.calls ?? 0
}

async function startBaseline(options: {
  directory: string
  cast: Cast
  undo: Undo
}): Promise<Server> {
  const { directory, cast, undo } = options
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const child = startChild('baseline.ts', { logFile: join(directory, 'baseline.log') })
  undo.push(() => child.stop())
  const order = (message: BaselineOrder) => child.ask<void>(message)
  await order({ order: 'start', port, cast })
  const http = createHttp(origin)
  undo.push(() => http.close())
  return {
    origin,
    http,
    cast,
    signIn: signInByHint,
    meters: async () => nodeOnly(child),
    copyTokens: (pairs) => order({ order: 'copy', pairs }),
    expireTokens: (tokens) => order({ order: 'expire', tokens }),
  }
}

async function startRawHash({ directory, undo }: { directory: string; undo: Undo }) {
  const child = startChild('raw-hash.ts', { logFile: join(directory, 'raw-hash.log') })
  undo.push(() => child.stop())
  await child.next()
  return child
}

export function nodeOnly({ pid }: Child): Meters {
  return { nodeMs: processCpuMs(pid), postgresMs: 0, statements: 0 }
}

/** Signs everybody in, and gives them tokens that are known under many names. */
async function populate(server: Server, options: Options, signal: AbortSignal): Promise<Target> {
  const { lanes } = options
  const { people } = server.cast
  const signedIn: { visitor: Visitor; token: string }[] = []
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (let at = lane; at < people.length && !signal.aborted; at += lanes) {
        signedIn[at] = await enter(server, people[at] as Person)
      }
    }),
  )
  signal.throwIfAborted()
  const [spare, ...others] = signedIn as [(typeof signedIn)[0], ...typeof signedIn]
  const copies = Array.from({ length: options.tokens }, (_, index) => {
    const { token, visitor } = others[index % others.length] ?? spare
    return { token, copy: randomBytes(32).toString('base64url'), sub: visitor.person.id }
  })
  await server.copyTokens(copies.map(({ token, copy }) => [token, copy]))
  const expired = copies.splice(0, Math.ceil(copies.length / 20)).map(({ copy }) => copy)
  await server.expireTokens(expired)
  return {
    ...server,
    spare: spare.visitor,
    visitors: others.map(({ visitor }) => visitor),
    tokens: copies.map(({ copy, sub }) => ({ value: copy, sub })),
    expired,
  }
}

async function enter(server: Server, person: Person) {
  const browser = createBrowser(server.http, server.origin)
  const asked = ask(server, signInScope)
  const location = await server.signIn(browser, asked.target, person)
  const tokens = await redeem(server, asked, codeOf(server, asked, location))
  return { visitor: { person, browser }, token: tokens.access_token }
}

async function untilReady(http: Server['http'], undo: Undo): Promise<void> {
  let gone = false
  undo.push(() => {
    gone = true
  })
  for (;;) {
    const answer = await http.send({ target: '/readyz' }).catch(() => undefined)
    if (answer?.status === 200 || gone) return
    await sleep(50)
  }
}
