/** The check ends 0 when every step works; break any step, and it ends 1 and names that one. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { runCheck } from '../../src/demo/check.ts'
import { type Job, mainJob, type Step } from '../../src/demo/main-job.ts'
import type { Demo } from '../../src/demo/start.ts'
import type { Visitor } from '../../src/demo/visitor.ts'
import { createDatabase } from '../support/database.ts'
import { startTestDemo } from '../support/demo.ts'

const database = await createDatabase()
const untouched = await createDatabase()
const settings = { DATABASE_URL: database.url, PATH: process.env.PATH ?? '' }

/** What goes wrong just before a step. */
const sabotages: Record<string, (job: Job) => unknown> = {
  'start the provider and two apps on a new database': async ({ config }) => {
    const squatter = createServer().listen(config.port, '127.0.0.1').unref()
    await new Promise((resolve) => squatter.once('listening', resolve))
  },
  'register an app with idp, and have it tested': (job) => {
    job.env = { ...job.env, DATABASE_URL: 'postgres://idp@127.0.0.1:1/nowhere' }
  },
  'open the app, and be asked to sign in': async (job) => {
    const demo = (await job.demo) as Demo
    job.demo = Promise.resolve({ ...demo, first: { ...demo.first, url: `${demo.first.url}/gone` } })
  },
  'register a person': ({ person }) => {
    person.username = 'root'
  },
  'read the mailed code': (job) => {
    job.config = { ...job.config, issuer: `http://localhost:${job.config.port + 1}` }
  },
  'prove the mailbox with the code': (job) => {
    job.code = String((Number(job.code) + 1) % 1_000_000).padStart(6, '0')
  },
  'consent to the app': (job) => {
    job.visitor = pressing(job.visitor, 'cancel')
  },
  'redeem the code with PKCE': ({ page }) => {
    page.url = page.url.replace(/code=[^&]+/, 'code=stolen')
  },
  'check the ID token': ({ person }) => {
    person.name = 'Somebody else'
  },
  'call userinfo': (job) => loseRows(job, 'grants'),
  'call an API with a JWT access token': (job) => loseRows(job, 'refresh_tokens'),
  refresh: ({ person }) =>
    database.pool.query(`update accounts set status = 'disabled' where username = $1`, [
      person.username,
    ]),
  'open a second app without typing': (job) => loseRows(job, 'sessions'),
  'sign out': (job) => {
    job.visitor = pressing(job.visitor, 'cancel')
  },
  'sign in with the password': ({ person }) => {
    person.password = 'not the password'
  },
  stop: async (job) => {
    const demo = (await job.demo) as Demo
    job.demo = Promise.resolve({ ...demo, close: () => Promise.reject(new Error('it hangs')) })
  },
}

function loseRows({ person }: Job, table: string): Promise<unknown> {
  const owner = 'account_id = (select id from accounts where username = $1)'
  return database.pool.query(`delete from ${table} where ${owner}`, [person.username])
}

/** Presses another button than it was told. */
function pressing(visitor: Visitor, button: string): Visitor {
  const other = (wanted: string) => (wanted === 'continue' ? button : wanted)
  return { ...visitor, press: (page, wanted, fields) => visitor.press(page, other(wanted), fields) }
}

/** One for all: the steps of each check below meet it as if they had started it. */
const { demo: shared, env } = await startTestDemo(database)

for (const [index, { name, run }] of mainJob.entries()) {
  test(`when "${name}" is broken, the check ends 1 and names it`, async () => {
    const join: Step = {
      name: 'join',
      run: async (job) => {
        job.person.username = `ada${index}`
        job.person.email = `ada${index}@example.org`
        job.demo = Promise.resolve({ ...shared, close: async () => {} })
      },
    }
    let dataDir = ''
    const broken: Step = {
      name,
      run: async (job) => {
        dataDir = job.config.dataDir
        await sabotages[name]?.(job)
        await run(job)
      },
    }
    // Starting and the commands are slow, and none of the other steps needs their outcome.
    const before = index < 2 ? [] : mainJob.slice(2, index)
    const steps = [join, ...before, broken, ...mainJob.slice(index + 1)]

    const { code, said } = await check(steps, index === 0 ? {} : env)

    expect(said.at(-1)).toMatch(new RegExp(`^✗ ${name}: \\S`))
    expect(said.slice(0, -1).every((line) => /^✓ .+ \(\d+ ms\)$/.test(line))).toBe(true)
    expect(said).toHaveLength(before.length + 2)
    expect(code).toBe(1)
    if (index === 0) expect(existsSync(dataDir)).toBe(false)
  })
}

test('when no step is broken, each is printed with its time and the check ends 0', async () => {
  const { code, said } = await check(mainJob, { DATABASE_URL: untouched.url })

  const steps = said.filter((line) => /^✓ .+ \(\d+ ms\)$/.test(line))
  expect(steps).toHaveLength(mainJob.length)
  expect(said).toHaveLength(mainJob.length + 1)
  expect(code).toBe(0)
})

test('a step that never ends is stopped with the check, which names it', async () => {
  const { promise: ending, resolve } = Promise.withResolvers<string>()
  const endless: Step = { name: 'wait for ever', run: () => new Promise(() => resolve('SIGINT')) }

  const { code, said } = await check([endless], {}, ending)

  expect(said).toEqual(['✗ wait for ever: stopped by SIGINT'])
  expect(code).toBe(1)
})

async function check(
  steps: Step[],
  env: Record<string, string> = {},
  ending: Promise<string> = new Promise(() => {}),
) {
  const said: string[] = []
  const complaints: string[] = []
  const code = await runCheck({
    steps,
    env: { ...settings, ...env },
    ending,
    say: (line) => said.push(line),
    complain: (line) => complaints.push(line),
  })
  return { code, said, complaints }
}
