/** Signing out of everything: real apps that listen, are told by a job, and check what they are told. */
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { enqueue } from '../../src/jobs/tasks.ts'
import { auditOf } from '../support/audit.ts'
import { eventually, startLogoutApp } from '../support/logout-app.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  obtainCode,
  type Person,
} from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const listener = await startLogoutApp()
const deaf = await startLogoutApp()
const shy = await startLogoutApp()
const server = await startTestServer({
  env: { ALLOW_PRIVATE_TARGETS: `${listener.target} ${deaf.target} ${shy.target}` },
})
const { origin, database } = server
const { db } = database

const app = await createApp(server, { name: 'Listener', backchannelLogoutUri: listener.uri })
listener.expect(app.id, origin)
const hanging = await createApp(server, { name: 'Deaf', backchannelLogoutUri: deaf.uri })
deaf.expect(hanging.id, origin)
const pairwise = await createApp(server, {
  subjectType: 'pairwise',
  backchannelLogoutUri: shy.uri,
})
shy.expect(pairwise.id, origin)
const plain = await createApp(server, { name: 'Plain', scope: 'openid profile' })

async function signOut(visitor: Visitor, asking?: App, hint?: string): Promise<Page> {
  const page = await visitor.get(
    asking
      ? asking.logoutUrl({ client_id: asking.id, id_token_hint: hint })
      : `${origin}/oauth2/logout`,
  )
  return visitor.press(page, 'continue')
}

async function signedInAt(person: Person, ...apps: App[]) {
  const visitor = createBrowser(server)
  const tokens = []
  for (const one of apps) tokens.push((await authorize(visitor, one, person)).answer.body)
  return { visitor, tokens }
}

const stateOf = (page: Page, name: string) =>
  new RegExp(`<li class="(\\w+)">(?:(?!</li>)[\\s\\S])*>${name}<`).exec(page.body)?.[1]

const deliveries = (clientId: string) =>
  db.selectFrom('logoutDeliveries').selectAll().where('clientId', '=', clientId).execute()

const makeDue = (clientId: string) =>
  db
    .updateTable('logoutDeliveries')
    .set({ nextAttemptAt: new Date(0), attemptedAt: new Date(0) })
    .where('clientId', '=', clientId)
    .execute()

test('an app that listens is told with a token it can verify, and the page says so', async () => {
  const person = await createPerson(server)
  const { visitor, tokens } = await signedInAt(person, app, plain)
  const { sid } = decodeJwt(tokens[0]?.id_token ?? '')
  expect(sid).toEqual(expect.any(String))
  listener.heard.length = 0

  const first = await signOut(visitor)
  expect(first.url).toBe(`${origin}/oauth2/logout/success`)
  expect(['pending', 'told']).toContain(stateOf(first, 'Listener'))
  expect(stateOf(first, 'Plain')).toBe('keeps')

  await eventually(() => listener.heard[0])
  expect(listener.heard).toHaveLength(1)
  const { header, payload, problem } = listener.heard[0] ?? {}
  expect(problem).toBeUndefined()
  expect(header).toMatchObject({ typ: 'logout+jwt', alg: 'RS256' })
  expect(payload).toEqual({
    iss: origin,
    aud: app.id,
    sub: person.id,
    sid,
    jti: expect.any(String),
    iat: expect.any(Number),
    exp: expect.any(Number),
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
  expect((payload?.exp ?? 0) - (payload?.iat ?? 0)).toBeLessThanOrEqual(120)

  const again = await eventually(async () => {
    const page = await visitor.get(first.url)
    return stateOf(page, 'Listener') === 'told' ? page : undefined
  })
  expect(again.body).not.toContain('id="again"')
})

test('OI-07: after signing out the old cookie and an old flow are worth nothing', async () => {
  const person = await createPerson(server)
  const { visitor, tokens } = await signedInAt(person, plain, app)
  const cookies = new Map(visitor.cookies)
  const midway = await visitor.get(plain.begin({ prompt: 'consent' }).url)
  await signOut(visitor)
  expect((await plain.userinfo(tokens[0]?.access_token)).status).toBe(401)

  const thief = createBrowser(server)
  for (const [key, cookie] of cookies) thief.cookies.set(key, cookie)
  const page = await thief.get(app.begin().url)
  expect(page.url).toContain('/sign-in/')
  expect(page.body).not.toContain(person.username)
  const old = await thief.get(midway.url)
  expect(old.body).not.toContain('id="continue" name="decision"')
})

test('OI-08: an app that hangs delays nobody: the page comes at once and says that it is pending', async () => {
  deaf.mood = 'hang'
  const person = await createPerson(server)
  const { visitor } = await signedInAt(person, hanging, app)
  const confirm = await visitor.get(`${origin}/oauth2/logout`)
  const begun = performance.now()
  const page = await visitor.press(confirm, 'continue')
  expect(performance.now() - begun).toBeLessThan(2000)
  expect(stateOf(page, 'Deaf')).toBe('pending')
  expect(page.body).toContain('id="again"')

  const told = await eventually(async () =>
    stateOf(await visitor.get(page.url), 'Listener') === 'told' ? true : undefined,
  )
  expect(told).toBe(true)
  const [waiting] = await eventually(async () => {
    const rows = await deliveries(hanging.id)
    return rows[0]?.error ? rows : undefined
  })
  expect(waiting).toMatchObject({ state: 'pending', error: 'timeout', attempts: 1 })
})

test('OI-08: what failed is tried again by the job until the app has heard it', async () => {
  deaf.mood = 500
  deaf.heard.length = 0
  await db.deleteFrom('logoutDeliveries').execute()
  const person = await createPerson(server)
  const { visitor } = await signedInAt(person, hanging)
  const page = await signOut(visitor)
  await eventually(async () => ((await deliveries(hanging.id))[0]?.error ? true : undefined))
  expect(await deliveries(hanging.id)).toMatchObject([{ state: 'pending', error: 'http_500' }])
  expect(stateOf(await visitor.get(page.url), 'Deaf')).toBe('pending')

  deaf.mood = 204
  await eventually(async () =>
    stateOf(await visitor.get(page.url), 'Deaf') === 'told' ? true : undefined,
  )
  expect(deaf.heard.map(({ problem }) => problem)).toEqual([undefined, undefined])
  const [first, second] = deaf.heard.map(({ payload }) => payload)
  expect([second?.sid, second?.sub]).toEqual([first?.sid, first?.sub])
  expect(second?.jti).not.toBe(first?.jti)
  expect(server.log.join('')).not.toContain('a secret of the app')
})

test('OI-08: an app at a private address that nobody allowed is never called, and the page says so', async () => {
  const hidden = await startLogoutApp()
  const inside = await createApp(server, { name: 'Inside', backchannelLogoutUri: hidden.uri })
  const person = await createPerson(server)
  const { visitor } = await signedInAt(person, inside)
  const page = await signOut(visitor)
  await eventually(async () =>
    stateOf(await visitor.get(page.url), 'Inside') === 'untold' ? true : undefined,
  )
  expect(hidden.heard).toEqual([])
  expect(await deliveries(inside.id)).toMatchObject([{ state: 'refused', error: 'private' }])
  expect(await auditOf(db, 'logout.undelivered', inside.id)).toMatchObject([
    { accountId: person.id, detail: { error: 'private', attempts: 1 } },
  ])
})

test('RL-19: an app that is down for a day is given up in the end, and others never wait for it', async () => {
  deaf.mood = 503
  deaf.heard.length = 0
  await db.deleteFrom('logoutDeliveries').execute()
  const person = await createPerson(server)
  const { visitor } = await signedInAt(person, hanging)
  const page = await signOut(visitor)
  const row = await eventually(async () => {
    const [row] = await deliveries(hanging.id)
    if (row?.state === 'failed') return row
    // As if hours had gone by.
    await makeDue(hanging.id)
    await enqueue(db, 'logout.backchannel', { clientId: hanging.id })
    return undefined
  })
  expect(row).toMatchObject({ error: 'http_503', attempts: 8 })
  expect(deaf.heard).toHaveLength(8)
  expect(stateOf(await visitor.get(page.url), 'Deaf')).toBe('untold')
})

test('an account that is switched off is signed out at its apps as well', async () => {
  deaf.mood = 200
  await db.deleteFrom('logoutDeliveries').execute()
  listener.heard.length = 0
  const person = await createPerson(server)
  const phone = await signedInAt(person, app)
  const laptop = await signedInAt(person, app, hanging)
  await disableAccount(db, person.id, 'left', { kind: 'operator' })
  await eventually(() => (listener.heard.length === 2 ? true : undefined))
  const sids = [phone, laptop].map(({ tokens }) => decodeJwt(tokens[0]?.id_token ?? '').sid)
  expect(listener.heard.map(({ payload }) => payload?.sid).toSorted()).toEqual(sids.toSorted())
  await eventually(() => deaf.heard.find(({ payload }) => payload?.sub === person.id))
})

test('a token speaks of the person as the app knows them, by a subject of its own where it has one', async () => {
  const person = await createPerson(server)
  const { visitor, tokens } = await signedInAt(person, pairwise)
  const known = decodeJwt(tokens[0]?.id_token ?? '')
  expect(known.sub).not.toBe(person.id)
  await signOut(visitor)
  const { payload, problem } = await eventually(() => shy.heard[0])
  expect(problem).toBeUndefined()
  expect([payload?.sub, payload?.sid]).toEqual([known.sub, known.sid])
})

test('two tabs that open an app at once get one session id', async () => {
  const person = await createPerson(server)
  const { visitor } = await signedInAt(person, plain)
  const tabs = await Promise.all([
    obtainCode(visitor, app, person),
    obtainCode(visitor, app, person),
  ])
  const tokens = []
  for (const { request, code } of tabs) tokens.push((await app.redeem(request, code)).body.id_token)
  const [first, second] = tokens.map((token) => decodeJwt(token ?? '').sid)
  expect(first).toEqual(expect.any(String))
  expect(second).toBe(first)

  listener.heard.length = 0
  await signOut(visitor)
  await eventually(() => listener.heard[0])
  expect(listener.heard.map(({ payload }) => payload?.sid)).toEqual([first])
})

test('the account page signs out of the apps too', async () => {
  const person = await createPerson(server)
  const { visitor } = await signedInAt(person, app)
  listener.heard.length = 0
  const page = await visitor.press(await visitor.get(`${origin}/account`), 'sign-out')
  expect(page.url).toBe(`${origin}/oauth2/logout/success`)
  expect(['pending', 'told']).toContain(stateOf(page, 'Listener'))
  await eventually(() => listener.heard[0])
})
