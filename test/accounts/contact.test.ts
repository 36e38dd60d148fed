/** Addresses and telephone numbers: what is taken, what stays, and that a new number is not a proven one. */
import { afterEach, expect, test } from 'vitest'
import { findAccount } from '../../src/accounts/accounts.ts'
import {
  type AddressMember,
  type ContactChange,
  canonicalPhone,
  updateContact,
} from '../../src/accounts/contact.ts'
import { newId } from '../../src/crypto.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { createPerson } from '../support/person.ts'

const database = await createDatabase()
const { db, pool } = database
const by = { actor: { kind: 'operator' } } as const
afterEach(() => pool.query('truncate accounts, audit_events cascade'))

async function someone() {
  const { id } = await createPerson({ database })
  return {
    id,
    change: (change: ContactChange) => updateContact(db, id, change, by),
    read: async () => findAccount(db, id),
  }
}

test('parts are set, kept, replaced and taken away one by one', async () => {
  const { change, read } = await someone()
  await change({ address: { street_address: 'Musterstraße 1\nHinterhaus', locality: 'Köln' } })
  await change({ address: { country: ' Deutschland ', locality: 'Bonn' } })
  expect((await read())?.address).toEqual({
    street_address: 'Musterstraße 1\nHinterhaus',
    locality: 'Bonn',
    country: 'Deutschland',
  })
  await change({ address: { street_address: '', locality: null } })
  expect((await read())?.address).toEqual({ country: 'Deutschland' })
  await change({ address: { country: null } })
  expect((await read())?.address).toBeNull()
  await change({ address: { region: '四川' }, phoneNumber: '+49 221 000000' })
  await change({ address: null })
  expect(await read()).toMatchObject({ address: null, phoneNumber: '+49221000000' })
})

test('a number that was proven stays so until it is another one', async () => {
  const { id, change, read } = await someone()
  await change({ phoneNumber: '+442079460000' })
  expect((await read())?.phoneNumberVerifiedAt).toBeNull()
  await db
    .updateTable('accounts')
    .set({ phoneNumberVerifiedAt: new Date() })
    .where('id', '=', id)
    .execute()
  expect(await change({ phoneNumber: '+44 (20) 7946-0000' })).toEqual({ ok: true, changed: false })
  await change({ address: { locality: 'London' } })
  expect((await read())?.phoneNumberVerifiedAt).not.toBeNull()
  await change({ phoneNumber: '+442079460001' })
  expect((await read())?.phoneNumberVerifiedAt).toBeNull()
  await change({ phoneNumber: null })
  expect((await read())?.phoneNumber).toBeNull()
})

test('the audit trail names what changed, and never how it reads', async () => {
  const { id, change } = await someone()
  await change({ address: { locality: 'Secretville' }, phoneNumber: '+442079460000' })
  await change({ address: { locality: 'Secretville' } })
  const events = await auditOf(db, 'account.contact_changed')
  expect(events).toHaveLength(1)
  expect(events[0]).toMatchObject({
    accountId: id,
    detail: { fields: ['locality', 'phone_number'] },
  })
  expect(JSON.stringify(events)).not.toMatch(/Secretville|7946/)
})

test.each<[AddressMember, string, string]>([
  ['locality', 'two\nlines', 'address_invalid'],
  ['street_address', 'a\u202ereversed', 'address_invalid'],
  ['formatted', 'a\u0000b', 'address_invalid'],
  ['country', 'x'.repeat(201), 'address_too_long'],
  ['formatted', 'x'.repeat(501), 'address_too_long'],
])('%s may not be %j', async (member, value, code) => {
  const { change, read } = await someone()
  expect(await change({ address: { [member]: value } })).toEqual({
    ok: false,
    errors: [{ field: member, code }],
  })
  expect((await read())?.address).toBeNull()
})

test.each(['0221 1234', '+0123456', '+49', `+${'1'.repeat(16)}`, '+49abc', 'tel:+49221', ''])(
  '“%s” is no number',
  (text) => expect(canonicalPhone(text)).toBeUndefined(),
)

test('nobody is changed who is not there', async () => {
  expect(await updateContact(db, newId(), { phoneNumber: '+442079460000' }, by)).toBeUndefined()
})
