/** Ending sessions: by browser, by person, by app; what ends with them, and who has to hear of it. */
import { beforeEach, expect, test } from 'vitest'
import { createClient } from '../../src/clients/create-client.ts'
import { newId, randomToken, sha256 } from '../../src/crypto.ts'
import { disconnectApp } from '../../src/sessions/consents.ts'
import { endSessions, revokeSessions, signOut } from '../../src/sessions/end-sessions.ts'
import { deliveriesOf } from '../../src/sessions/logout-deliveries.ts'
import { listSessions } from '../../src/sessions/sessions.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { createPerson } from '../support/person.ts'
import { rounds } from '../support/rounds.ts'

const database = await createDatabase()
const { db, pool } = database
const operator = { kind: 'operator' } as const
const later = new Date(Date.now() + 3_600_000)

async function createApp(name: string, backchannelLogoutUri?: string): Promise<string> {
  const made = await createClient(
    db,
    { name, preset: 'generic', redirectUris: ['https://app.example.com/cb'], backchannelLogoutUri },
    { actor: operator },
  )
  if (!made.ok) throw new Error(JSON.stringify(made))
  return made.client.id
}

const listening = await createApp('Listening', 'https://app.example.com/logout')
const plain = await createApp('Plain')
const ada = (await createPerson({ database })).id
const bob = (await createPerson({ database })).id

async function startSession(accountId: string, ...clientIds: string[]): Promise<string> {
  const uid = randomToken()
  await db
    .insertInto('sessions')
    .values({
      uid,
      idHash: sha256(uid),
      previousIdHash: null,
      rotatedAt: null,
      idSealed: null,
      accountId,
      signedInAt: new Date(),
      acr: '1fa',
      amr: ['pwd'],
      authorizations: JSON.stringify(Object.fromEntries(clientIds.map((id) => [id, {}]))),
      createdAt: new Date(),
      expiresAt: later,
    })
    .execute()
  for (const clientId of clientIds) await grant(accountId, clientId, uid, false)
  return uid
}

async function grant(
  accountId: string,
  clientId: string,
  sessionUid: string | null,
  offline: boolean,
): Promise<string> {
  const id = newId()
  const times = { createdAt: new Date(), expiresAt: later }
  await db
    .insertInto('grants')
    .values({ id, accountId, clientId, sessionUid, offline, ...times })
    .execute()
  return id
}

const grants = async () =>
  (await db.selectFrom('grants').select('id').execute()).map(({ id }) => id)
const uids = async () => (await listSessions(db)).map(({ uid }) => uid).toSorted()
const jobs = async () => {
  const { rows } = await pool.query(
    'select key, queue_name from graphile_worker.jobs where task_identifier = $1',
    ['logout.backchannel'],
  )
  return rows
}

beforeEach(async () => {
  await pool.query('truncate sessions, grants, logout_deliveries, audit_events')
  await pool.query('delete from graphile_worker._private_jobs')
})

test('a person signs out: the session goes, tokens that were given to outlive it stay', async () => {
  const uid = await startSession(ada, listening, plain)
  const other = await startSession(ada, listening)
  const offline = await grant(ada, plain, uid, true)
  const kept = (await grants()).filter((id) => id !== offline)

  const ended = await signOut(db, { uid, accountId: ada, askedBy: plain })

  expect(ended).toMatchObject({ sessions: 1, grants: 2, told: [listening] })
  expect(ended.parts.map(({ clientId }) => clientId).toSorted()).toEqual(
    [listening, plain].toSorted(),
  )
  expect(await uids()).toEqual([other])
  expect(await grants()).toContain(offline)
  expect((await grants()).length).toBe(kept.length - 2 + 1)
  expect(await deliveriesOf(db, uid)).toEqual(new Map([[listening, 'pending']]))
  expect(await auditOf(db, 'session.ended')).toMatchObject([
    { accountId: ada, clientId: plain, detail: { told: [listening] } },
  ])
})

test('an account is signed out everywhere: every session and every grant, and nobody else’s', async () => {
  const [laptop, phone] = [await startSession(ada, listening), await startSession(ada, listening)]
  await grant(ada, plain, null, true)
  const others = await startSession(bob, listening)

  const ended = await revokeSessions(db, { accountId: ada }, { actor: operator })

  expect(ended).toMatchObject({ sessions: 2, grants: 3, told: [listening] })
  expect(await uids()).toEqual([others])
  expect(await grants()).toHaveLength(1)
  for (const uid of [laptop, phone]) expect((await deliveriesOf(db, uid)).size).toBe(1)
  expect(await deliveriesOf(db, others)).toEqual(new Map())
  expect(await auditOf(db, 'sessions.revoked')).toMatchObject([
    {
      actorKind: 'operator',
      accountId: ada,
      detail: { sessions: 2, grants: 3, told: [listening] },
    },
  ])
})

test('a client is signed out everywhere: people stay signed in, without that app', async () => {
  const first = await startSession(ada, listening, plain)
  const second = await startSession(bob, listening)
  const third = await startSession(bob, plain)
  await grant(bob, listening, null, true)

  const ended = await revokeSessions(db, { clientId: listening }, { actor: operator })

  expect(ended).toMatchObject({ sessions: 2, grants: 3, told: [listening] })
  expect(await uids()).toEqual([first, second, third].toSorted())
  expect(Object.fromEntries((await listSessions(db)).map((s) => [s.uid, s.clientIds]))).toEqual({
    [first]: [plain],
    [second]: [],
    [third]: [plain],
  })
  expect(await grants()).toHaveLength(2)
})

test('one person leaves one app, on every device', async () => {
  await startSession(ada, listening, plain)
  const bobs = await startSession(bob, listening)
  const ended = await endSessions(db, { accountId: ada, clientId: listening }, { offline: 'ends' })
  expect(ended).toMatchObject({ sessions: 1, grants: 1, told: [listening] })
  expect((await listSessions(db, { uid: bobs }))[0]?.clientIds).toEqual([listening])
})

test('an app that a person takes back what they allowed is told, and is no part of any session', async () => {
  const uid = await startSession(ada, listening, plain)
  const app = { accountId: ada, clientId: listening }
  expect(await disconnectApp(db, app, { actor: { kind: 'person', id: ada } })).toBe(true)
  expect(await deliveriesOf(db, uid)).toEqual(new Map([[listening, 'pending']]))
  expect((await listSessions(db))[0]?.clientIds).toEqual([plain])
  expect(await disconnectApp(db, app, { actor: { kind: 'person', id: ada } })).toBe(false)
})

test('an app that holds tokens of a session that is gone is told as well', async () => {
  const uid = randomToken()
  await grant(ada, listening, uid, true)
  const ended = await endSessions(db, { accountId: ada }, { offline: 'ends' })
  expect(ended).toMatchObject({ sessions: 0, grants: 1, told: [listening] })
  expect(await deliveriesOf(db, uid)).toEqual(new Map([[listening, 'pending']]))
})

test('a round waits per app, however many sessions end', async () => {
  for (let count = 0; count < 3; count++) await startSession(ada, listening)
  await startSession(bob, listening)
  await endSessions(db, { accountId: ada }, { offline: 'ends' })
  await endSessions(db, { accountId: bob }, { offline: 'ends' })
  const name = `logout:${listening}`
  expect(await jobs()).toEqual([{ key: name, queue_name: name }])
})

test('of many at once one ends the session, and an app is told once', async () => {
  for (let round = 0; round < rounds; round++) {
    const uid = await startSession(ada, listening, plain)
    const ends = await Promise.all(
      Array.from({ length: 10 }, () => signOut(db, { uid, accountId: ada })),
    )
    expect(ends.filter(({ sessions }) => sessions === 1)).toHaveLength(1)
    expect(ends.flatMap(({ told }) => told)).toEqual([listening])
  }
  expect(await auditOf(db, 'session.ended')).toHaveLength(rounds)
})

test('nothing is written when the end does not come about, and nobody ends everything by a slip', async () => {
  const uid = await startSession(ada, listening)
  await expect(
    db.transaction().execute(async (trx) => {
      await endSessions(trx, { uid }, { offline: 'ends' })
      throw new Error('changed my mind')
    }),
  ).rejects.toThrow('changed my mind')
  expect(await uids()).toEqual([uid])
  expect(await jobs()).toEqual([])
  expect(() => endSessions(db, {}, { offline: 'ends' })).toThrow()
  expect(await uids()).toEqual([uid])
})
