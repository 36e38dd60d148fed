/** Second factors at rest and under races; the pages are test/journeys/second-factor.test.ts. */
import { describe, expect, test } from 'vitest'
import {
  addAuthenticator,
  beginAuthenticator,
  listAuthenticators,
  mostAuthenticators,
  removeAuthenticator,
  reopenSetUp,
  spendTotp,
} from '../../src/credentials/authenticators.ts'
import {
  countRecoveryCodes,
  readRecoveryCode,
  renewRecoveryCodes,
  spendRecoveryCode,
} from '../../src/credentials/recovery-codes.ts'
import {
  endRememberedDevices,
  findRemembered,
  listRememberedDevices,
  rememberDevice,
} from '../../src/credentials/remembered-devices.ts'
import { codeOf, createHolder, giveAuthenticator, keyringOf } from '../support/factors.ts'
import { createPerson, type Person } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db, pool } = server.database
const keyring = keyringOf(server)
const deps = { db, keyring }

function settingOf({ id: accountId, username }: Person, place = 'here') {
  return { accountId, username, place }
}

describe('an authenticator', () => {
  test('MF-02: of fifty who spend one code at once one succeeds', async () => {
    const { id, secret } = await createHolder(server)
    const code = codeOf(secret)
    const spent = await Promise.all(Array.from({ length: 50 }, () => spendTotp(deps, id, code)))
    expect(spent.filter(Boolean)).toHaveLength(1)
    // Neither the same again nor one before it.
    expect(await spendTotp(deps, id, codeOf(secret, -1))).toBe(false)
  })

  test('MF-11: sealed secrets that change places open nothing', async () => {
    const [a, b] = [await createHolder(server), await createHolder(server)]
    await pool.query(
      `update authenticators x set secret_sealed = y.secret_sealed from authenticators y
       where x.account_id = any ($1) and y.account_id = any ($1) and x.id <> y.id`,
      [[a.id, b.id]],
    )
    await expect(spendTotp(deps, a.id, codeOf(a.secret))).rejects.toThrow()
    await expect(spendTotp(deps, a.id, codeOf(b.secret))).rejects.toThrow()
  })

  test('MF-07: is set up by who was shown it, where it was shown, within its time', async () => {
    const [person, other] = [await createPerson(server), await createPerson(server)]
    const { ticket, secret } = beginAuthenticator(keyring, settingOf(person), 'idp')
    expect(secret).toMatch(/^[A-Z2-7]{32}$/)
    expect(reopenSetUp(keyring, ticket, settingOf(other), 'idp')).toBeUndefined()
    expect(reopenSetUp(keyring, ticket, settingOf(person, 'there'), 'idp')).toBeUndefined()
    const [id, at, sealed] = ticket.split('.')
    const older = `${id}.${Number(at) - 1000}.${sealed}`
    expect(reopenSetUp(keyring, older, settingOf(person), 'idp')).toBeUndefined()
    expect(reopenSetUp(keyring, 'nonsense', settingOf(person), 'idp')).toBeUndefined()
    expect(await listAuthenticators(db, person.id)).toEqual([])
  })

  test('MF-07: is one, however often its first code is sent, and overwrites no other', async () => {
    const person = await createHolder(server)
    const { ticket } = beginAuthenticator(keyring, settingOf(person), 'idp')
    const setUp = reopenSetUp(keyring, ticket, settingOf(person), 'idp')
    if (!setUp) throw new Error('the ticket does not open')
    const given = { accountId: person.id, name: 'Tablet', code: codeOf(setUp.secret) }
    const added = await Promise.all(
      Array.from({ length: 10 }, () => addAuthenticator(deps, setUp, given)),
    )
    expect(added.every(({ ok }) => ok)).toBe(true)
    const names = (await listAuthenticators(db, person.id)).map(({ name }) => name)
    expect(names).toEqual(['Phone', 'Tablet'])
    expect(await spendTotp(deps, person.id, codeOf(person.secret))).toBe(true)
  })

  test('there are so many at most', async () => {
    const person = await createPerson(server)
    for (let i = 0; i < mostAuthenticators; i++) await giveAuthenticator(server, person)
    await expect(giveAuthenticator(server, person)).rejects.toThrow('too_many_authenticators')
  })

  test('of somebody else is removed by nobody', async () => {
    const [person, other] = [await createHolder(server), await createPerson(server)]
    const [own] = await listAuthenticators(db, person.id)
    const by = { actor: { kind: 'person', id: other.id } } as const
    const wanted = { accountId: other.id, id: own?.id ?? '' }
    expect(await removeAuthenticator(db, wanted, by)).toBe(false)
    expect(await listAuthenticators(db, person.id)).toHaveLength(1)
  })
})

describe('recovery codes', () => {
  test('MF-08: ten of 80 bits, stored as hashes, each good once for fifty who send it at once', async () => {
    const { id } = await createPerson(server)
    const codes = await renewRecoveryCodes(deps, id)
    expect(new Set(codes).size).toBe(10)
    for (const code of codes)
      expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/)
    const { rows } = await pool.query('select row_to_json(r)::text as text from recovery_codes r')
    expect(rows.map(({ text }) => text).join()).not.toContain(codes[0]?.replaceAll('-', ''))
    const [code = ''] = codes
    const spent = await Promise.all(
      Array.from({ length: 50 }, () => spendRecoveryCode(deps, id, code)),
    )
    expect(spent.filter(Boolean)).toHaveLength(1)
    expect(await countRecoveryCodes(db, id)).toMatchObject({ left: 9 })
  })

  test('two new sets at once leave one', async () => {
    const { id } = await createPerson(server)
    const sets = await Promise.all([renewRecoveryCodes(deps, id), renewRecoveryCodes(deps, id)])
    expect((await countRecoveryCodes(db, id)).left).toBe(10)
    const works = await Promise.all(sets.map(([code = '']) => spendRecoveryCode(deps, id, code)))
    expect(works.filter(Boolean)).toHaveLength(1)
  })

  test('are read as people write them', () => {
    expect(readRecoveryCode(' abcd efgh-jkmn pqrs ')).toBe('ABCDEFGHJKMNPQRS')
    expect(readRecoveryCode('oooo-iiii-llll-0101')).toBe('0000111111110101')
    expect(readRecoveryCode('short')).toBeUndefined()
    expect(readRecoveryCode('U'.repeat(16))).toBeUndefined()
  })
})

describe('a remembered browser', () => {
  test('MF-09: is bound to its account and value, and ends by its time, by hand and with a change of factors', async () => {
    const [person, other] = [await createHolder(server), await createHolder(server)]
    const device = { accountId: person.id, factor: 'totp', days: 30 } as const
    const token = await rememberDevice(db, device, { userAgent: 'Firefox' })
    expect(await findRemembered(db, person.id, ['x'.repeat(43), token])).toBe('totp')
    expect(await findRemembered(db, other.id, [token])).toBeUndefined()
    const [shown] = await listRememberedDevices(db, person.id)
    expect(shown).toMatchObject({ factor: 'totp', userAgent: 'Firefox' })
    expect(JSON.stringify(shown)).not.toContain(token)
    expect(await endRememberedDevices(db, other.id, shown?.id)).toBe(0)
    expect(await endRememberedDevices(db, person.id, shown?.id)).toBe(1)
    expect(await findRemembered(db, person.id, [token])).toBeUndefined()

    const second = await rememberDevice(db, device)
    await pool.query('update remembered_devices set expires_at = now() where account_id = $1', [
      person.id,
    ])
    expect(await findRemembered(db, person.id, [second])).toBeUndefined()
    const third = await rememberDevice(db, device)
    await giveAuthenticator(server, person)
    expect(await findRemembered(db, person.id, [third])).toBeUndefined()
  })
})
