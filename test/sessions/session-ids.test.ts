/** The id in the session cookie: new at each sign-in, the one before good for a minute and only for the same person. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { Visitor } from '../../src/demo/visitor.ts'
import { authorize, createBrowser, createPerson, password } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const app = await createApp(server, { firstParty: true })

const idOf = (visitor: Visitor) =>
  [...visitor.cookies.values()].find(({ name }) => name === 'session')?.value ?? ''

function withId(id: string): Visitor {
  const visitor = createBrowser(server)
  visitor.cookies.set('planted', {
    name: 'session',
    value: id,
    path: '/',
    host: new URL(origin).host,
  })
  return visitor
}

/** Whether the cookie opens the app without a page; `after` is the cookie that the browser holds then. */
async function opens(id: string): Promise<{ signedIn: boolean; after: string }> {
  const visitor = withId(id)
  const request = app.begin({ prompt: 'none' })
  const answer = app.answerOf(request, await visitor.get(request.url))
  visitor.cookies.delete('planted')
  return { signedIn: answer.code !== undefined, after: idOf(visitor) }
}

async function signedIn() {
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  await authorize(visitor, app, person)
  return { person, visitor }
}

const agoOfRotation = (interval: string) =>
  db
    .updateTable('sessions')
    .set({ rotatedAt: sql<Date>`rotated_at - ${interval}::interval` })
    .where('rotatedAt', 'is not', null)
    .execute()

test('WB-02: signing in again gives a new id', async () => {
  const { person, visitor } = await signedIn()
  const before = idOf(visitor)
  await authorize(visitor, app, person, { prompt: 'login' })
  expect(idOf(visitor)).not.toBe(before)
  expect(before.length).toBeGreaterThanOrEqual(22)
})

test('a tab that comes with the id of before within a minute is in, and is given the one of now', async () => {
  const { person, visitor } = await signedIn()
  const before = idOf(visitor)
  await authorize(visitor, app, person, { prompt: 'login' })
  const now = idOf(visitor)
  expect(await opens(before)).toEqual({ signedIn: true, after: now })
  expect(await opens(before)).toEqual({ signedIn: true, after: now })
  expect((await opens(now)).signedIn).toBe(true)
})

test('after a minute the id of before is worth nothing', async () => {
  const { person, visitor } = await signedIn()
  const before = idOf(visitor)
  await authorize(visitor, app, person, { prompt: 'login' })
  await agoOfRotation('61 seconds')
  expect((await opens(before)).signedIn).toBe(false)
  expect((await opens(idOf(visitor))).signedIn).toBe(true)
})

test('the id before the one before is worth nothing', async () => {
  const { person, visitor } = await signedIn()
  const first = idOf(visitor)
  await authorize(visitor, app, person, { prompt: 'login' })
  await authorize(visitor, app, person, { prompt: 'login' })
  expect((await opens(first)).signedIn).toBe(false)
})

test('WB-02: an id that was planted before the sign-in never becomes the session', async () => {
  // The attacker gets an anonymous id and plants it; the victim signs in with it.
  const attacker = withId('of-long-ago')
  await attacker.get(app.begin().url)
  attacker.cookies.delete('planted')
  const planted = idOf(attacker)
  expect(planted).not.toBe('')

  const victim = withId(planted)
  const person = await createPerson(server)
  const request = app.begin()
  const page = await victim.get(request.url)
  const back = await victim.press(page, 'continue', { identifier: person.username, password })
  expect(app.answerOf(request, back).code).toBeTruthy()

  expect((await opens(planted)).signedIn).toBe(false)
  expect((await withId(planted).get(`${origin}/account`)).url).toContain('/sign-in/')
})

test('WB-02: an id of the attacker\u2019s own account does not follow the victim who signs in over it', async () => {
  const { visitor: attacker } = await signedIn()
  const planted = idOf(attacker)
  const victim = withId(planted)
  const person = await createPerson(server)
  const request = app.begin({ prompt: 'login' })
  const page = await victim.get(request.url)
  await victim.press(page, 'continue', { identifier: person.username, password })
  expect((await opens(planted)).signedIn).toBe(false)
})

test('WB-03: a session ends two weeks after its last use, a month after the sign-in at the latest', async () => {
  const { person, visitor } = await signedIn()
  const row = () =>
    db
      .selectFrom('sessions')
      .select(['expiresAt', 'uid'])
      .where('accountId', '=', person.id)
      .executeTakeFirstOrThrow()
  const days = (date: Date) => (date.getTime() - Date.now()) / 86_400_000
  expect(days((await row()).expiresAt)).toBeCloseTo(14, 1)

  await db
    .updateTable('sessions')
    .set({
      signedInAt: sql<Date>`signed_in_at - interval '29 days'`,
      expiresAt: sql<Date>`expires_at - interval '10 days'`,
    })
    .where('accountId', '=', person.id)
    .execute()
  expect((await opens(idOf(visitor))).signedIn).toBe(true)
  expect(days((await row()).expiresAt)).toBeCloseTo(1, 1)

  await db
    .updateTable('sessions')
    .set({ expiresAt: sql<Date>`now() - interval '1 second'` })
    .where('accountId', '=', person.id)
    .execute()
  expect((await opens(idOf(visitor))).signedIn).toBe(false)
  expect((await visitor.get(`${origin}/account`)).url).toContain('/sign-in/')
})

test('WB-01: the cookie is never in an address, a page or the log', async () => {
  const { visitor } = await signedIn()
  const page = await visitor.get(`${origin}/account`)
  const id = idOf(visitor)
  expect(page.body).not.toContain(id)
  expect(server.log.join('')).not.toContain(id)
})
