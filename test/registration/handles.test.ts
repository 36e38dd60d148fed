import { describe, expect, test } from 'vitest'
import { findAccount } from '../../src/accounts/accounts.ts'
import { abandon } from '../../src/registration/abandon.ts'
import { pendingFor } from '../../src/registration/handles.ts'
import { verifyCode } from '../../src/registration/proofs.ts'
import { read, toJson } from '../../src/registration/read.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, deliver, letTimePass, mustBegin } from './newcomers.ts'

const { db } = await createDatabase()
const deps = createDeps(db)

describe('the handle', () => {
  test('reads its own registration and no other', async () => {
    const [mine, yours] = [await mustBegin(deps), await mustBegin(deps)]
    expect(await read(db, mine)).toMatchObject({ id: mine.id })
    expect(await read(db, { id: mine.id, handle: yours.handle })).toBeUndefined()
    expect(await read(db, { id: mine.id, handle: '' })).toBeUndefined()
    expect(await read(db, { id: 'not-a-uuid', handle: mine.handle })).toBeUndefined()
  })

  test('is told again to whoever has given the password of the unverified account', async () => {
    const key = await mustBegin(deps)
    const view = await read(db, key)
    expect(await pendingFor(deps, view?.accountId ?? '')).toEqual(key)
    await letTimePass(db, key.id, '25 hours')
    expect(await pendingFor(deps, view?.accountId ?? '')).toBeUndefined()
  })

  test('made under a key that is gone is replaced', async () => {
    const key = await mustBegin(deps)
    const view = await read(db, key)
    const { keyring } = createDeps(db, {})
    const other = createDeps(db, {
      keyring: { ...keyring, macs: () => [], mac: (...parts) => keyring.mac('other', ...parts) },
    })
    const again = await pendingFor(other, view?.accountId ?? '')
    expect(again?.handle).not.toBe(key.handle)
    expect(await read(db, again ?? key)).toMatchObject({ id: key.id })
    expect(await read(db, key)).toBeUndefined()
  })
})

test('the JSON has the shape of the contract, and the handle only for who began', async () => {
  const key = await mustBegin(deps)
  const view = await read(db, key)
  if (!view) throw new Error('gone')
  const json = toJson(view, (phrase) => phrase, key.handle)
  expect(json).toEqual({
    id: key.id,
    handle: key.handle,
    status: 'verification_sent',
    progress: 80,
    message: 'registration.verification_sent',
    canProceed: true,
    details: {
      lastStep: 'verification_sent',
      error: null,
      lastUpdated: view.lastUpdated.toISOString(),
    },
  })
  expect(toJson(view, (phrase) => phrase)).not.toHaveProperty('handle')
})

describe('given up by whoever began', () => {
  test('a registration goes with its account, and the username is free', async () => {
    const key = await mustBegin(deps, { username: 'changed-mind' })
    const view = await read(db, key)
    expect(await abandon(db, { id: key.id, handle: 'x' })).toBe(false)
    expect(await abandon(db, key)).toBe(true)
    expect(await abandon(db, key)).toBe(false)
    expect(await findAccount(db, view?.accountId ?? '')).toBeUndefined()
    await mustBegin(deps, { username: 'changed-mind' })
  })

  test('a verified person stays', async () => {
    const key = await mustBegin(deps)
    const mail = (await deliver(deps)).at(-1)
    await verifyCode(deps, key, mail?.code ?? '')
    expect(await abandon(db, key)).toBe(false)
    expect(await read(db, key)).toMatchObject({ status: 'verified' })
  })
})
