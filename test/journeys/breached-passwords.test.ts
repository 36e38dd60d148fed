/** Stolen passwords, asked of a range service played here: what it knows, what it learns, and what its failing costs. */
import { createHash } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { beforeEach, expect, test } from 'vitest'
import {
  changeBreachSetting,
  createBreachedPasswords,
  publicRanges,
  readBreachSetting,
} from '../../src/credentials/breached-passwords.ts'
import { createOutgoing } from '../../src/outgoing/outgoing.ts'
import { createIdp } from '../cli/support.ts'
import { listenAt } from '../outgoing/listener.ts'
import { mailTo, signedIn } from '../support/account.ts'
import { createDatabase } from '../support/database.ts'
import { createBrowser, createPerson } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'

const stolen = 'seven sad songs at sea'
const unknown = 'a quiet harbour in the north'
const padding = createHash('sha1').update(unknown).digest('hex').toUpperCase()
const sha1 = createHash('sha1').update(stolen).digest('hex').toUpperCase()
type Asked = { url: string; headers: Record<string, unknown> }
const asked: Asked[] = []

/** Knows one password; what pads its answers counts zero. */
const knowing: RequestListener = ({ url = '' }, response) => {
  const lines = [`${'0'.repeat(34)}A:3`, `${padding.slice(5)}:0`]
  if (url.endsWith(sha1.slice(0, 5))) lines.push(`${sha1.slice(5)}:42`)
  response.end(lines.join('\r\n'))
}
let answer = knowing
const ranges = await listenAt('127.0.0.1', (request, response) => {
  asked.push({ url: String(request.url), headers: request.headers })
  answer(request, response)
})
const host = `127.0.0.1:${ranges.port}`
const url = `http://${host}/range/`
const database = await createDatabase()
const { db } = database
await changeBreachSetting(db, { url }, { kind: 'operator' })
const server = await startTestServer({ database, env: { ALLOW_PRIVATE_TARGETS: host } })
const idp = createIdp(database.url, { ISSUER: server.origin })
const words = 'is in a list of stolen ones'

beforeEach(() => {
  asked.length = 0
  answer = knowing
})

test('at registration a stolen password is refused in words, in both languages, and another is taken', async () => {
  const visitor = createBrowser(server)
  const form = await visitor.get(`${server.origin}/register`)
  const fields = { username: 'newcomer', email: 'newcomer@example.org', password: stolen }
  const refused = await visitor.press(form, 'continue', fields)
  expect([refused.status, refused.error]).toEqual([422, expect.stringContaining(words)])
  const chinese = createBrowser(server, 'zh-CN')
  const page = await chinese.get(`${server.origin}/register`)
  expect((await chinese.press(page, 'continue', fields)).error).toContain('已泄露')
  const taken = await visitor.press(refused, 'continue', { ...fields, password: unknown })
  expect(taken.url).toContain('/verify-email')
  const posted = await fetch(`${server.origin}/api/registrations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...fields, username: 'another' }),
  })
  expect(posted.status).toBe(400)
  expect((await posted.json()).errors).toEqual([{ field: 'password', code: 'password_breached' }])
})

test('at a change and at a reset as well', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  const form = await browser.get(`${server.origin}/account/password`)
  const refused = await browser.press(form, 'continue', { new_password: stolen })
  expect(refused.error).toContain(words)
  const ask = await browser.get(`${server.origin}/reset-password`)
  await browser.press(ask, 'continue', { email: person.email })
  const link = await mailTo(server, person.email, /(\/reset-password\?token=[\w-]+)/)
  const reset = await browser.get(server.origin + link)
  const again = await browser.press(reset, 'continue', { new_password: stolen })
  expect(again.error).toContain(words)
  const done = await browser.press(again, 'continue', { new_password: unknown })
  expect(done.body).toContain('Your password is changed')
})

test('five characters of a hash leave, with the wish for padding; neither they nor the password are logged', async () => {
  const breached = create()
  expect(await breached.has(stolen)).toBe(true)
  // Padding is no answer.
  expect(await breached.has(unknown)).toBe(false)
  expect(asked.map((one) => one.url)).toEqual([
    `/range/${sha1.slice(0, 5)}`,
    `/range/${padding.slice(0, 5)}`,
  ])
  expect(asked[0]?.headers).toMatchObject({ 'add-padding': 'true' })
  expect(JSON.stringify(asked)).not.toContain(sha1.slice(0, 6))
  const log = server.log.join('')
  for (const secret of [stolen, unknown, sha1.slice(0, 5), sha1.slice(5)]) {
    expect(log).not.toContain(secret)
  }
})

const failing: [string, RequestListener][] = [
  ['answers nothing in time', () => {}],
  ['answers by an error', (_, response) => response.writeHead(503).end()],
  ['answers something else', (_, response) => response.end('<html>sign in to the hotel</html>')],
  ['answers nothing at all', (_, response) => response.end()],
  ['hangs up', (request) => request.socket.destroy()],
  ['leads elsewhere', (_, response) => response.writeHead(302, { location: '/x' }).end()],
  ['never ends', (_, response) => void response.write('0'.repeat(300_000))],
]

test.each(failing)(
  'a service that %s keeps nobody: it is logged and counted, and the person goes on',
  async (_, how) => {
    answer = how
    const results: string[] = []
    const lines: unknown[] = []
    const breached = create((result) => results.push(result), lines)
    const began = performance.now()
    expect(await breached.has(stolen)).toBe(false)
    expect(performance.now() - began).toBeLessThan(5000)
    expect(results).toEqual(['failed'])
    expect(JSON.stringify(lines)).toContain(host)
    expect(JSON.stringify(lines)).not.toContain(sha1.slice(0, 5))
  },
)

function create(onResult?: (result: string) => void, lines: unknown[] = []) {
  const { fetch } = createOutgoing({ issuer: server.origin, allowPrivateTargets: [host] })
  const logger = { warn: (...line: unknown[]) => void lines.push(line) }
  return createBreachedPasswords({ db, fetch, logger, ...(onResult ? { onResult } : {}) })
}

test('an operator switches it by command; off, nobody is asked', async () => {
  expect((await idp(['settings', 'update', '--breached-passwords', 'on'])).code).toBe(0)
  expect(await readBreachSetting(db)).toEqual({ url: publicRanges })
  await idp(['settings', 'update', '--breached-passwords', `http://${host}/range`])
  const shown = await idp(['settings', 'get', '--json'])
  expect(JSON.parse(shown.stdout).settings.breached_passwords).toBe(url)
  const off = await idp(['settings', 'update', '--breached-passwords', 'off'])
  expect(off.stdout).toContain('not looked up')
  expect(await create().has(stolen)).toBe(false)
  // The running server hears of it, too.
  const visitor = createBrowser(server)
  const form = await visitor.get(`${server.origin}/register`)
  const fields = { username: 'careless', email: 'careless@example.org', password: stolen }
  await expect
    .poll(async () => (await visitor.press(form, 'continue', fields)).url, { timeout: 5000 })
    .toContain('/verify-email')
  asked.length = 0
  await visitor.press(form, 'continue', { ...fields, username: 'careless2' })
  expect(asked).toEqual([])
})
