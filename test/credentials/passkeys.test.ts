/** The two ceremonies of WebAuthn §7, each check with an answer that breaks it; and what becomes of the rows. */
import { beforeEach, describe, expect, test } from 'vitest'
import { addPasskey, createPasskeyOptions } from '../../src/credentials/add-passkey.ts'
import { relyingPartyOf } from '../../src/credentials/passkey-domain.ts'
import { createSignInOptions, signInWithPasskey } from '../../src/credentials/passkey-sign-in.ts'
import {
  listPasskeys,
  mostPasskeys,
  removePasskey,
  removePasskeysOf,
  renamePasskey,
} from '../../src/credentials/passkeys.ts'
import { auditOf } from '../support/audit.ts'
import { type Authenticator, createAuthenticator, type Wrong } from '../support/authenticator.ts'
import { createDatabase } from '../support/database.ts'
import { createPerson, type Person } from '../support/person.ts'

const database = await createDatabase()
const { db } = database
const issuer = 'https://id.example.org'
const party = { id: 'id.example.org', name: 'Example', origin: issuer }
const boundTo = 'session here'
let person: Person
let device: Authenticator

beforeEach(async () => {
  person = await createPerson({ database } as Parameters<typeof createPerson>[0])
  device = createAuthenticator(issuer)
})

const account = () => ({ ...person, name: person.username })
const addOptions = () => createPasskeyOptions(db, party, { account: account(), boundTo })
const finish = (answer: string, bound = boundTo, accountId = person.id) =>
  addPasskey(db, party, { accountId, boundTo: bound, answer })
const add = async (wrong?: Wrong, from = device) => finish(from.create(await addOptions(), wrong))
const signInOptions = () => createSignInOptions(db, party, { boundTo })
const enter = (answer: string, bound = boundTo) =>
  signInWithPasskey(db, party, { boundTo: bound, answer })
const signIn = async (wrong?: Wrong) => enter(device.get(await signInOptions(), wrong))
const refused = { ok: false, code: 'passkey_refused' }
const expired = { ok: false, code: 'passkey_expired' }

describe('a new passkey', () => {
  test('is kept with its flags, and says what it proves', async () => {
    expect(await add()).toMatchObject({ ok: true, amr: ['swk', 'user'] })
    const [passkey] = await listPasskeys(db, person.id)
    expect(passkey).toMatchObject({ name: '', rpId: party.id, backedUp: true, lastUsedAt: null })
    const [event] = (await auditOf(db, 'passkey.added')).filter((e) => e.accountId === person.id)
    expect(event?.detail).toMatchObject({ passkeyId: passkey?.id })
  })

  test('that is bound to its device is told from one that is synchronized', async () => {
    device = createAuthenticator(issuer, { synced: false })
    expect(await add()).toMatchObject({ ok: true, amr: ['hwk', 'user'] })
  })

  test('is asked for as discoverable, verified and unknown, for a handle that is not the account', async () => {
    await add()
    const first = await addOptions()
    const second = await addOptions()
    expect(first.authenticatorSelection).toMatchObject({
      residentKey: 'required',
      userVerification: 'required',
    })
    expect(first.attestation).toBe('none')
    expect(first.excludeCredentials?.map(({ id }) => id)).toEqual([
      device.credentialId.toString('base64url'),
    ])
    expect(first.user.id).toBe(second.user.id)
    expect(Buffer.from(first.user.id, 'base64url').toString('hex')).not.toContain(
      person.id.replaceAll('-', ''),
    )
    expect(first.challenge).not.toBe(second.challenge)
  })

  const wrongs: [string, Wrong][] = [
    ['WA-01 of the other ceremony', { type: 'webauthn.get' }],
    ['WA-03 of another origin', { origin: 'https://id.example.org.evil.example' }],
    ['WA-03 of plain http', { origin: 'http://id.example.org' }],
    ['WA-03 of a subdomain', { origin: 'https://sub.id.example.org' }],
    ['WA-04 from a frame of another site', { crossOrigin: true }],
    ['WA-04 below another site', { topOrigin: 'https://evil.example' }],
    ['WA-05 for another domain', { rpId: 'evil.example' }],
    ['WA-06 without a person', { userPresent: false }],
    ['WA-06 without verification', { userVerified: false }],
    ['WA-07 backed up, though it cannot be', { backupEligible: false, backedUp: true }],
    ['WA-08 with an algorithm that was not offered', { alg: -47 }],
    ['WA-09 with a credential id that is too long', { credentialId: Buffer.alloc(1024, 7) }],
    ['WA-11 with two ids', { rawId: Buffer.from('another').toString('base64url') }],
    ['WA-14 of an unknown attestation format', { format: 'invented' }],
    ['WA-14 that is no CBOR', { attestationObject: Buffer.from('ff00ff00', 'hex') }],
    ['WA-14 that is empty CBOR', { attestationObject: Buffer.from('a0', 'hex') }],
  ]
  test.each(wrongs)('%s is refused', async (_, wrong) => {
    expect(await add(wrong)).toEqual(refused)
    expect(await listPasskeys(db, person.id)).toEqual([])
  })

  test.each(['', '{}', 'null', '[]', '{"id":1}', '\u0000', 'x'.repeat(50_000)])(
    'WA-14 what no browser sends is refused (%#)',
    async (answer) => {
      expect(await finish(answer)).toEqual(refused)
    },
  )

  test('WA-02 a challenge is good once, in its session, for its person and act, for five minutes', async () => {
    const options = await addOptions()
    const answer = device.create(options)
    expect(await finish(answer, 'session elsewhere')).toEqual(expired)
    const other = await createPerson({ database } as Parameters<typeof createPerson>[0])
    expect(await finish(answer, boundTo, other.id)).toEqual(expired)
    expect(await finish(device.create({ ...options, challenge: 'AAAA' }))).toEqual(expired)
    expect(await finish(device.create({ ...options, ...(await signInOptions()) }))).toEqual(expired)
    expect(await finish(answer)).toMatchObject({ ok: true })
    expect(await finish(answer)).toEqual(expired)
    const old = await addOptions()
    await db
      .updateTable('passkeyChallenges')
      .set({ expiresAt: new Date(Date.now() - 1) })
      .execute()
    expect(await finish(createAuthenticator(issuer).create(old))).toEqual(expired)
  })

  test('WA-02 an answer that is refused spends its challenge', async () => {
    const options = await addOptions()
    expect(await finish(device.create(options, { userVerified: false }))).toEqual(refused)
    expect(await finish(device.create(options))).toEqual(expired)
  })

  test('WA-09 whose id somebody has already is refused, theirs stays', async () => {
    await add()
    const owner = person
    person = await createPerson({ database } as Parameters<typeof createPerson>[0])
    expect(await add()).toEqual({ ok: false, code: 'passkey_taken' })
    expect(await listPasskeys(db, owner.id)).toHaveLength(1)
    expect(await listPasskeys(db, person.id)).toEqual([])
  })

  test('RC-07 one challenge answered by twenty at once makes one', async () => {
    const options = await addOptions()
    const answers = Array.from({ length: 20 }, () => createAuthenticator(issuer).create(options))
    const results = await Promise.all(answers.map((answer) => finish(answer)))
    expect(results.filter(({ ok }) => ok)).toHaveLength(1)
    expect(await listPasskeys(db, person.id)).toHaveLength(1)
  })

  test('is refused when there are too many, also when several come at once', async () => {
    for (let count = 0; count < mostPasskeys - 1; count++)
      await add({}, createAuthenticator(issuer))
    const more = await Promise.all([1, 2, 3].map(() => add({}, createAuthenticator(issuer))))
    expect(more.filter(({ ok }) => ok)).toHaveLength(1)
    expect(await listPasskeys(db, person.id)).toHaveLength(mostPasskeys)
  })

  test('AC-17 is refused for an account that is not active', async () => {
    const options = await addOptions()
    await db
      .updateTable('accounts')
      .set({ status: 'disabled' })
      .where('id', '=', person.id)
      .execute()
    expect(await finish(device.create(options))).toEqual(refused)
  })
})

describe('a sign-in', () => {
  beforeEach(async () => {
    device = createAuthenticator(issuer)
    await add()
  })

  test('names nobody beforehand (EN-08) and says who it is', async () => {
    const options = await signInOptions()
    expect(options.allowCredentials ?? []).toEqual([])
    expect(options.userVerification).toBe('required')
    const result = await enter(device.get(options))
    expect(result).toMatchObject({ ok: true, account: { id: person.id }, amr: ['swk', 'user'] })
    expect((await listPasskeys(db, person.id))[0]?.lastUsedAt).toBeInstanceOf(Date)
  })

  const wrongs: [string, Wrong][] = [
    ['WA-01 of the other ceremony', { type: 'webauthn.create' }],
    ['WA-03 of another origin', { origin: 'https://evil.example' }],
    ['WA-03 of plain http', { origin: 'http://id.example.org' }],
    ['WA-03 of another port', { origin: 'https://id.example.org:8443' }],
    ['WA-04 from a frame of another site', { crossOrigin: true }],
    ['WA-04 below another site', { topOrigin: 'https://evil.example' }],
    ['WA-05 for another domain', { rpId: 'evil.example' }],
    ['WA-06 without a person', { userPresent: false }],
    ['WA-06, WA-20 without verification', { userVerified: false }],
    ['WA-07 backed up, though it cannot be', { backupEligible: false, backedUp: true }],
    ['WA-07 that cannot be backed up any more', { backupEligible: false, backedUp: false }],
    ['WA-10 with an empty signature', { signature: Buffer.alloc(0) }],
    ['WA-10 with a signature over other data', { signature: Buffer.alloc(70, 1) }],
    ['WA-11 with two ids', { rawId: Buffer.from('another').toString('base64url') }],
    ["with another's handle", { userHandle: Buffer.alloc(32, 1).toString('base64url') }],
    ['without a handle', { userHandle: null }],
  ]
  test.each(wrongs)('%s is refused, and moves nothing', async (_, wrong) => {
    expect(await signIn({ counter: 9, ...wrong })).toEqual(refused)
    const [passkey] = await listPasskeys(db, person.id)
    expect(passkey?.lastUsedAt).toBeNull()
    expect(await signIn({ counter: 1 })).toMatchObject({ ok: true })
  })

  test('WA-02 a response works once, in its own flow', async () => {
    const answer = device.get(await signInOptions())
    expect(await enter(answer, 'flow of another')).toEqual(expired)
    expect(await enter(answer)).toMatchObject({ ok: true })
    expect(await enter(answer)).toEqual(expired)
    expect(await enter(device.get(await addOptionsAsRequest()))).toEqual(expired)
  })

  const addOptionsAsRequest = async () => ({ ...(await addOptions()), rpId: party.id })

  test('RC-07 of twenty with one challenge one succeeds', async () => {
    const answer = device.get(await signInOptions())
    const results = await Promise.all(Array.from({ length: 20 }, () => enter(answer)))
    expect(results.filter(({ ok }) => ok)).toHaveLength(1)
  })

  test('WA-12 begun for one person is not answered by another', async () => {
    const other = await createPerson({ database } as Parameters<typeof createPerson>[0])
    const given = { boundTo, accountId: other.id }
    const answer = device.get(await createSignInOptions(db, party, given))
    expect(await signInWithPasskey(db, party, { ...given, answer })).toEqual(refused)
  })

  test('WA-13 a counter that does not grow is refused and audited, also of two at once', async () => {
    expect(await signIn({ counter: 5 })).toMatchObject({ ok: true })
    for (const counter of [5, 4, 0]) expect(await signIn({ counter })).toEqual(refused)
    const events = await auditOf(db, 'passkey.counter_went_back')
    expect(events.filter(({ accountId }) => accountId === person.id)).toHaveLength(3)
    const both = await Promise.all([signIn({ counter: 6 }), signIn({ counter: 6 })])
    expect(both.filter(({ ok }) => ok)).toHaveLength(1)
  })

  test('whether it is backed up is kept as it is told', async () => {
    await signIn({ backedUp: false })
    expect((await listPasskeys(db, person.id))[0]?.backedUp).toBe(false)
  })

  test('with a passkey that was removed says so, for the browser to forget it', async () => {
    expect(await removePasskeysOf(db, person.id, { kind: 'operator' })).toBe(1)
    expect(await signIn()).toEqual({
      ok: false,
      code: 'passkey_unknown',
      credentialId: device.credentialId.toString('base64url'),
    })
  })

  test('WA-18 what is refused is audited in one line of plain text', async () => {
    await signIn({ origin: 'https://evil.example/\n<b>\u202e' })
    const events = await auditOf(db, 'passkey.refused')
    const last = events.findLast(({ accountId }) => accountId === person.id)
    expect(String(last?.detail.reason)).toMatch(/^[\x20-\x7e]{1,200}$/)
  })
})

describe('keeping passkeys', () => {
  test('one is renamed by its owner alone, to a name that can be shown (WA-15, WA-18)', async () => {
    await add()
    const [passkey] = await listPasskeys(db, person.id)
    const id = String(passkey?.id)
    expect(await renamePasskey(db, { id, accountId: person.id, name: ' <b>Laptop</b> ' })).toEqual({
      ok: true,
    })
    expect((await listPasskeys(db, person.id))[0]?.name).toBe('<b>Laptop</b>')
    const other = await createPerson({ database } as Parameters<typeof createPerson>[0])
    expect(await renamePasskey(db, { id, accountId: other.id, name: 'Mine' })).toEqual({
      ok: false,
      code: 'passkey_gone',
    })
    for (const name of ['', ' ', 'a\nb', 'x'.repeat(61)]) {
      expect((await renamePasskey(db, { id, accountId: person.id, name })).ok, name).toBe(false)
    }
  })

  test('one is removed by its owner alone (WA-15)', async () => {
    await add()
    const [passkey] = await listPasskeys(db, person.id)
    const id = String(passkey?.id)
    const other = await createPerson({ database } as Parameters<typeof createPerson>[0])
    const gone = { ok: false, code: 'passkey_gone' }
    expect(await removePasskey(db, { id, accountId: other.id })).toEqual(gone)
    expect(await removePasskey(db, { id, accountId: person.id })).toEqual({ ok: true })
    expect(await removePasskey(db, { id, accountId: person.id })).toEqual(gone)
  })

  test('WA-17 the last way in stays, also when the last two are removed at once', async () => {
    await add()
    await add({}, createAuthenticator(issuer))
    await db
      .updateTable('accounts')
      .set({ passwordHash: null })
      .where('id', '=', person.id)
      .execute()
    const own = await listPasskeys(db, person.id)
    const removals = own.map(({ id }) => removePasskey(db, { id, accountId: person.id }))
    expect((await Promise.all(removals)).filter(({ ok }) => ok)).toHaveLength(1)
    const [last] = await listPasskeys(db, person.id)
    expect(await removePasskey(db, { id: String(last?.id), accountId: person.id })).toEqual({
      ok: false,
      code: 'last_way_in',
    })
  })
})

test('passkeys are made for the host of the issuer, and for no bare address', () => {
  const of = (issuer: string) => relyingPartyOf({ issuer, brandName: 'Example' })
  expect(of('https://id.example.org:8443')).toEqual({
    id: 'id.example.org',
    name: 'Example',
    origin: 'https://id.example.org:8443',
  })
  expect(of('http://localhost:3000')?.id).toBe('localhost')
  expect(of('http://127.0.0.1:3000')).toBeUndefined()
  expect(of('http://[::1]:3000')).toBeUndefined()
})
