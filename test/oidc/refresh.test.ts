/** Refresh tokens rotate; a repeated refresh is forgiven for half a minute, any other replay ends the family. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { randomToken, sha256 } from '../../src/crypto.ts'
import { auditOf } from '../support/audit.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp, playApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
const person = await createPerson(server)
const visitor = createBrowser(server)

const invalidGrant = { status: 400, body: { error: 'invalid_grant' } }

test('a refresh gives a new access, refresh and ID token of the same person', async () => {
  const { app, first } = await family()
  const second = await app.refresh(first.refresh_token)
  expect(second.status).toBe(200)
  expect(second.body.refresh_token).not.toBe(first.refresh_token)
  expect(second.body.id_token).toBeTruthy()
  expect((await app.userinfo(second.body.access_token)).body.sub).toBe(person.id)
  const third = await app.refresh(second.body.refresh_token)
  expect(third.body.refresh_token).not.toBe(second.body.refresh_token)
})

test('a refresh whose answer was lost may be repeated while its successor is unused', async () => {
  const { app, first } = await family()
  const answers = [
    await app.refresh(first.refresh_token),
    await app.refresh(first.refresh_token),
    await app.refresh(first.refresh_token),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1)
  expect(new Set(answers.map(({ body }) => body.access_token)).size).toBe(3)
  for (const { body } of answers) {
    expect((await app.userinfo(body.access_token)).status).toBe(200)
  }
  expect((await app.refresh(answers[0]?.body.refresh_token)).status).toBe(200)
})

test('a refresh may be repeated at a node that has a newer SECRET_KEY, and gets the same successor', async () => {
  const { app, first } = await family()
  const { config, database } = server
  const second = (await app.refresh(first.refresh_token)).body
  const node = await startTestServer({
    database,
    dataDir: config.dataDir,
    env: {
      ISSUER: config.issuer,
      SECRET_KEY: [randomToken(), ...config.secretKeys].join(','),
      TRUSTED_PROXIES: '127.0.0.1,::1',
    },
  })
  const { id, secret, redirectUri } = app
  const there = playApp({
    origin: `http://127.0.0.1:${node.config.port}`,
    method: 'client_secret_basic',
    ...{ id, secret, redirectUri },
  })
  const { host } = new URL(config.issuer)
  const repeated = await there.refresh(first.refresh_token, {}, { 'x-forwarded-host': host })
  expect(repeated.body.refresh_token).toBe(second.refresh_token)
  expect((await app.refresh(second.refresh_token)).status).toBe(200)
  await node.close()
})

test('TK-03: a replay after the successor was used ends the family and is audited', async () => {
  const { app, first } = await family()
  const second = (await app.refresh(first.refresh_token)).body
  const third = (await app.refresh(second.refresh_token)).body

  expect(await app.refresh(first.refresh_token)).toMatchObject(invalidGrant)

  expect(await app.refresh(third.refresh_token)).toMatchObject(invalidGrant)
  for (const { access_token: token } of [first, second, third]) {
    expect((await app.userinfo(token)).status).toBe(401)
    expect((await app.introspect(token)).body).toEqual({ active: false })
  }
  const events = await auditOf(db, 'refresh_token.replayed', app.id)
  expect(events).toMatchObject([{ accountId: person.id, actorKind: 'client', actorId: app.id }])
})

test('TK-03: a replay after half a minute ends the family though its successor is unused', async () => {
  const { app, first } = await family()
  const second = (await app.refresh(first.refresh_token)).body
  await consumedEarlier(first.refresh_token, '31 seconds')

  expect(await app.refresh(first.refresh_token)).toMatchObject(invalidGrant)

  expect(await app.refresh(second.refresh_token)).toMatchObject(invalidGrant)
  expect((await app.userinfo(second.access_token)).status).toBe(401)
  expect(await auditOf(db, 'refresh_token.replayed', app.id)).toHaveLength(1)
})

test('a refresh repeated just before the half minute is over is forgiven', async () => {
  const { app, first } = await family()
  const second = (await app.refresh(first.refresh_token)).body
  await consumedEarlier(first.refresh_token, '28 seconds')
  expect((await app.refresh(first.refresh_token)).body.refresh_token).toBe(second.refresh_token)
})

test('TK-04: of a chain only the parent of the newest may be repeated', async () => {
  const { app, first } = await family()
  const chain = [first.refresh_token]
  for (let length = 1; length < 5; length++) {
    chain.push((await app.refresh(chain.at(-1))).body.refresh_token)
  }
  expect((await app.refresh(chain[3])).body.refresh_token).toBe(chain[4])
  expect(await app.refresh(chain[0])).toMatchObject(invalidGrant)
  expect(await app.refresh(chain[4])).toMatchObject(invalidGrant)
})

test('TK-05: another app can neither refresh the token nor end its family', async () => {
  const { app, first } = await family()
  const stranger = await createApp(server)
  expect(await stranger.refresh(first.refresh_token)).toMatchObject(invalidGrant)
  const second = (await app.refresh(first.refresh_token)).body
  // Neither a spent one, which would be a replay if it were its own.
  expect(await stranger.refresh(first.refresh_token)).toMatchObject(invalidGrant)
  expect(await stranger.refresh(second.refresh_token)).toMatchObject(invalidGrant)
  expect((await app.refresh(second.refresh_token)).status).toBe(200)
  expect(await auditOf(db, 'refresh_token.replayed', app.id)).toEqual([])
})

test('TK-05: a refresh can ask for less and never for more', async () => {
  const { app, first } = await family('openid email offline_access')
  const wider = await app.refresh(first.refresh_token, { scope: 'openid email profile' })
  expect(wider).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
  const narrower = await app.refresh(first.refresh_token, { scope: 'openid' })
  expect(narrower.body.scope).toBe('openid')
  const { body } = await app.userinfo(narrower.body.access_token)
  expect(body.email).toBeUndefined()
  const again = await app.refresh(narrower.body.refresh_token)
  expect(again.body.scope).toBe('openid email offline_access')
})

test('TK-07: a family dies a year after its beginning, however often it was rotated', async () => {
  const { app, first } = await family()
  await db
    .updateTable('refreshTokens')
    .set({ firstIssuedAt: sql<Date>`now() - interval '365 days' + interval '100 seconds'` })
    .where('idHash', '=', sha256(first.refresh_token ?? ''))
    .execute()
  const second = (await app.refresh(first.refresh_token)).body
  const { expiresAt } = await db
    .selectFrom('refreshTokens')
    .select('expiresAt')
    .where('idHash', '=', sha256(second.refresh_token ?? ''))
    .executeTakeFirstOrThrow()
  expect(expiresAt.getTime()).toBeLessThan(Date.now() + 101_000)
})

test('an expired refresh token is refused, whether or not it was removed', async () => {
  const { app, first } = await family()
  await db
    .updateTable('refreshTokens')
    .set({ expiresAt: sql<Date>`now() - interval '10 seconds'` })
    .where('idHash', '=', sha256(first.refresh_token ?? ''))
    .execute()
  expect(await app.refresh(first.refresh_token)).toMatchObject(invalidGrant)
  expect((await app.introspect(first.refresh_token)).body).toEqual({ active: false })
})

test('a public app rotates without a secret', async () => {
  const spa = await createApp(server, { preset: 'spa' })
  const { answer } = await authorize(visitor, spa, person)
  const second = await spa.refresh(answer.body.refresh_token)
  expect(second.status).toBe(200)
  expect((await spa.refresh(second.body.refresh_token)).status).toBe(200)
})

async function family(scope = 'openid profile email offline_access') {
  const app = await createApp(server)
  const { answer } = await authorize(visitor, app, person, { scope })
  expect(answer.body.refresh_token).toBeTruthy()
  return { app, first: answer.body }
}

async function consumedEarlier(token: string | undefined, earlier: string): Promise<void> {
  await db
    .updateTable('refreshTokens')
    .set({ consumedAt: sql<Date>`consumed_at - ${earlier}::interval` })
    .where('idHash', '=', sha256(token ?? ''))
    .execute()
}
