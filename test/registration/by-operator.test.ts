import { describe, expect, test } from 'vitest'
import { findAccount } from '../../src/accounts/accounts.ts'
import { registerByOperator } from '../../src/registration/by-operator.ts'
import { pendingFor } from '../../src/registration/handles.ts'
import { verifyCode } from '../../src/registration/proofs.ts'
import { listHeldRoles } from '../../src/roles/holders.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, deliver, letTimePass, mustBegin, newcomer } from './newcomers.ts'

const { db } = await createDatabase()
// Operators make accounts wherever nobody may register.
const deps = createDeps(db)
const rolesOf = async (id: string) => (await listHeldRoles(db, id)).map(({ role }) => role)
const closed = { ...deps, config: { ...deps.config, registration: 'closed' as const } }

describe('with an address that the operator vouches for', () => {
  test('the account is active at once, its roles given, no mail sent', async () => {
    const made = await registerByOperator(closed, {
      ...newcomer({ username: 'admin' }),
      verified: true,
      roles: ['admin', 'staff'],
    })
    if (!made.ok) throw new Error(JSON.stringify(made.errors))
    expect(made.status).toBe('active')
    expect(await findAccount(db, made.accountId)).toMatchObject({
      status: 'active',
      email: 'admin@example.org',
      name: 'admin',
    })
    expect(await rolesOf(made.accountId)).toEqual(['admin', 'staff'])
    expect(await deliver(deps)).toEqual([])
  })

  test('a taken name and a taken address are told together', async () => {
    await registerByOperator(closed, { ...newcomer({ username: 'jane' }), verified: true })
    const again = await registerByOperator(closed, {
      ...newcomer({ username: 'jane', email: 'JANE@example.org' }),
      verified: true,
    })
    expect(again).toEqual({
      ok: false,
      errors: [
        { field: 'username', code: 'username_taken' },
        { field: 'email', code: 'email_taken' },
      ],
    })
  })

  test('rules hold for operators too', async () => {
    const person = { username: 'No', email: 'no', password: 'short', verified: true }
    expect(await registerByOperator(closed, person)).toMatchObject({
      errors: [
        { code: 'username_invalid' },
        { code: 'email_invalid' },
        { code: 'password_too_short' },
      ],
    })
    const role = registerByOperator(closed, {
      ...newcomer(),
      verified: false,
      roles: ['Not a role'],
    })
    await expect(role).rejects.toMatchObject({ code: 'role_invalid' })
  })

  test('a name that only an expired registration holds is free', async () => {
    const { id } = await mustBegin(deps, { username: 'late' })
    const person = { ...newcomer({ username: 'late' }), verified: true }
    expect(await registerByOperator(closed, person)).toMatchObject({ ok: false })
    await letTimePass(db, id, '1 day')
    expect(await registerByOperator(closed, person)).toMatchObject({ ok: true })
    await deliver(deps)
  })
})

test('with any other address the person proves it, within a week', async () => {
  const made = await registerByOperator(closed, {
    ...newcomer({ username: 'support' }),
    verified: false,
    roles: ['staff'],
  })
  if (!made.ok) throw new Error(JSON.stringify(made.errors))
  expect(made.status).toBe('unverified')
  expect(await rolesOf(made.accountId)).toEqual(['staff'])

  const [mail] = await deliver(deps)
  const key = await pendingFor(deps, made.accountId)
  if (!key) throw new Error('nothing pending')
  await letTimePass(db, key.id, '6 days')
  expect(await pendingFor(deps, made.accountId)).toEqual(key)
  expect(await verifyCode(deps, key, mail?.code ?? '')).toMatchObject({ code: 'code_expired' })
  const events = await db.selectFrom('auditEvents').select(['type', 'actorKind']).execute()
  expect(events).toContainEqual({ type: 'registration.started', actorKind: 'operator' })
})
