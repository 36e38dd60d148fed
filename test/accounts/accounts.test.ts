import { describe, expect, test } from 'vitest'
import {
  createAccount,
  disableAccount,
  enableAccount,
  findByIdentifier,
  getAccount,
  listAccounts,
} from '../../src/accounts/accounts.ts'
import { insertAccount } from '../../src/accounts/new-account.ts'
import { newId, randomToken, sha256 } from '../../src/crypto.ts'
import { createDatabase } from '../support/database.ts'

const { db } = await createDatabase()
const operator = { kind: 'operator' as const, id: 'root' }

async function person(username: string, email = `${username}@example.org`): Promise<string> {
  const address = { email, canonical: email.toLowerCase() }
  const made = await createAccount(db, { username, passwordHash: 'hash', address }, operator)
  if (!made.ok) throw new Error(JSON.stringify(made.errors))
  return made.id
}

/** A session, a grant and a token that hangs on it. */
async function signIn(accountId: string): Promise<void> {
  const dates = { createdAt: new Date(), expiresAt: new Date(Date.now() + 3_600_000) }
  const [uid, grantId] = [randomToken(), randomToken()]
  const idHash = () => sha256(randomToken())
  await db
    .insertInto('sessions')
    .values({ uid, idHash: idHash(), accountId, ...dates })
    .execute()
  const grant = { id: grantId, accountId, clientId: 'app', sessionUid: uid, ...dates }
  await db.insertInto('grants').values(grant).execute()
}

const heldBy = async (accountId: string) => ({
  sessions: (await db.selectFrom('sessions').where('accountId', '=', accountId).execute()).length,
  grants: (await db.selectFrom('grants').where('accountId', '=', accountId).execute()).length,
})

describe('somebody who signs in', () => {
  test.each(['grace', ' Grace ', 'Grace.Hopper@Example.org', ' grace.hopper@example.ORG'])(
    'is found by %j',
    async (identifier) => {
      const id =
        (await findByIdentifier(db, 'grace'))?.id ??
        (await person('grace', 'Grace.Hopper@example.org'))
      expect(await findByIdentifier(db, identifier)).toMatchObject({ id, passwordHash: 'hash' })
    },
  )

  test.each(['', ' ', '@', 'grace\0', "' or 1=1 --", 'x'.repeat(100_000), 'ｇrace', 'gr@ce@x.org'])(
    'is not found by %j',
    async (identifier) => {
      expect(await findByIdentifier(db, identifier)).toBeUndefined()
    },
  )

  test('is found by the username alone while nothing is proven', async () => {
    const made = await insertAccount(db, { username: 'newby', passwordHash: 'hash' })
    expect(await findByIdentifier(db, 'newby')).toMatchObject({
      id: made.ok && made.id,
      status: 'unverified',
    })
  })
})

test('an account that is missing is a 404', async () => {
  const missing = { code: 'account_not_found', status: 404 }
  await expect(getAccount(db, newId())).rejects.toMatchObject(missing)
})

test('the list is ordered, paged by the last name and never longer than 1,000', async () => {
  for (const name of ['list-b', 'list-a', 'list-c']) await person(name)
  const first = await listAccounts(db, { after: 'list-', limit: 2 })
  expect(first.map(({ username }) => username)).toEqual(['list-a', 'list-b'])
  const second = await listAccounts(db, { after: 'list-b', limit: 1e9 })
  expect(second[0]?.username).toBe('list-c')
  expect(await listAccounts(db, { limit: 0 })).toHaveLength(1)
  expect(await listAccounts(db, { after: 'list-', status: 'disabled' })).toEqual([])
})

describe('uniqueness is the database’s', () => {
  test('fifty accounts at once with one address: one', async () => {
    const attempts = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        createAccount(
          db,
          {
            username: `twin${String.fromCharCode(97 + (index % 26))}${index}`,
            passwordHash: 'hash',
            address: { email: 'twin@example.org', canonical: 'twin@example.org' },
          },
          operator,
        ),
      ),
    )
    expect(attempts.filter(({ ok }) => ok)).toHaveLength(1)
    expect(attempts.find(({ ok }) => !ok)).toEqual({
      ok: false,
      errors: [{ field: 'email', code: 'email_taken' }],
    })
  })

  test('look-alikes are one name (AC-03)', async () => {
    await person('modern')
    const lookAlike = await insertAccount(db, { username: 'm0dem', passwordHash: 'hash' })
    expect(lookAlike).toEqual({
      ok: false,
      errors: [{ field: 'username', code: 'username_taken' }],
    })
  })

  test('a refused account leaves the caller’s transaction usable', async () => {
    const id = await db.transaction().execute(async (trx) => {
      await insertAccount(trx, { username: 'modern', passwordHash: 'hash' })
      return insertAccount(trx, { username: 'usable', passwordHash: 'hash' })
    })
    expect(id).toMatchObject({ ok: true })
  })
})

describe('switched off', () => {
  test('every session and grant ends at once, those of others stay (OI-11)', async () => {
    const [id, other] = [await person('gone'), await person('stays')]
    for (const account of [id, id, other]) await signIn(account)
    expect(await disableAccount(db, id, 'left the club', operator)).toBe(true)
    expect(await heldBy(id)).toEqual({ sessions: 0, grants: 0 })
    expect(await heldBy(other)).toEqual({ sessions: 1, grants: 1 })
    expect(await getAccount(db, id)).toMatchObject({
      status: 'disabled',
      disabledReason: 'left the club',
    })
    expect(await disableAccount(db, id, 'again', operator)).toBe(false)
    const event = await db
      .selectFrom('auditEvents')
      .selectAll()
      .where('type', '=', 'account.disabled')
      .executeTakeFirstOrThrow()
    expect(event).toMatchObject({
      actorKind: 'operator',
      actorId: 'root',
      accountId: id,
      detail: { reason: 'left the club', sessions: 2, grants: 2 },
    })
  })

  test('and on again: what was ended stays ended', async () => {
    const id = await person('returns')
    await signIn(id)
    expect(await enableAccount(db, id, operator)).toBe(false)
    await disableAccount(db, id, 'a mistake', operator)
    expect(await enableAccount(db, id, operator)).toBe(true)
    expect(await getAccount(db, id)).toMatchObject({ status: 'active', disabledReason: null })
    expect(await heldBy(id)).toEqual({ sessions: 0, grants: 0 })
  })

  test('an unverified account comes back unverified', async () => {
    const made = await insertAccount(db, { username: 'halfway', passwordHash: 'hash' })
    const id = made.ok ? made.id : ''
    await disableAccount(db, id, 'spam', operator)
    await enableAccount(db, id, operator)
    expect(await getAccount(db, id)).toMatchObject({ status: 'unverified' })
  })
})
