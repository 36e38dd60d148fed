import { describe, expect, test } from 'vitest'
import { transact } from '../../src/database/transact.ts'
import { claimInvite, findInviteByCode } from '../../src/invites/claim.ts'
import {
  createInvite,
  findInvite,
  type InviteInput,
  revokeInvite,
} from '../../src/invites/invites.ts'
import { abandon } from '../../src/registration/abandon.ts'
import { begin } from '../../src/registration/begin.ts'
import type { RegistrationDeps } from '../../src/registration/deps.ts'
import { expireRegistrations } from '../../src/registration/expire.ts'
import type { Fields } from '../../src/registration/fields.ts'
import { verifyCode } from '../../src/registration/proofs.ts'
import { createDeps, deliver, letTimePass, newcomer } from '../registration/newcomers.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'

const { db } = await createDatabase({ poolSize: 20 })
const open = createDeps(db)
const quick = {
  hash: async (text: string) => `of ${text}`,
  verify: async (a?: string, b?: string) => a === `of ${b}`,
}
const deps: RegistrationDeps = {
  ...open,
  hasher: { ...open.hasher, ...quick } as RegistrationDeps['hasher'],
  config: { ...open.config, registration: 'invite' },
}
const by = { actor: { kind: 'operator', id: 'ada' } } as const
const refused = { ok: false, errors: [{ field: 'invite', code: 'invite_invalid' }] }

const invite = (more: Partial<InviteInput> = {}) =>
  createInvite(deps, { uses: 1, lifetimeSeconds: 3600, roles: [], ...more }, by)
const come = (code: string | undefined, more: Partial<Fields> = {}) =>
  begin(deps, newcomer({ ...more, invite: code }))
const usedOf = async (id: string) => (await findInvite(db, id))?.used

async function mustCome(code: string) {
  const begun = await come(code)
  if (!begun.ok) throw new Error(JSON.stringify(begun.errors))
  return begun.key
}

async function prove(key: { id: string; handle: string }) {
  const mail = (await deliver(deps)).at(-1)
  return verifyCode(deps, key, mail?.code ?? '')
}

test('whoever brings a code comes in, with its roles from the moment the address is proven', async () => {
  const { code, invite: made } = await invite({ roles: ['student', 'student', 'reader'] })
  expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/)
  const key = await mustCome(code.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o'))
  const rolesOf = () => db.selectFrom('accountRoles').select('role').orderBy('role').execute()
  expect(await rolesOf()).toEqual([])
  const proven = await prove(key)
  expect(proven).toMatchObject({ ok: true })
  expect(await rolesOf()).toEqual([{ role: 'reader' }, { role: 'student' }])
  expect(await findInvite(db, made.id)).toMatchObject({ used: 1, state: 'used' })
  expect(await auditOf(db, 'invite.accepted')).toMatchObject([{ detail: { id: made.id } }])
  const started = (await auditOf(db, 'registration.started')).at(-1)
  expect(started?.detail).toMatchObject({ inviteId: made.id })
})

test('no row holds the code', async () => {
  const { code } = await invite({ note: 'for the canary' })
  const rows = [
    await db.selectFrom('invites').selectAll().execute(),
    await db.selectFrom('auditEvents').selectAll().execute(),
  ]
  expect(JSON.stringify(rows)).toContain('for the canary')
  for (const text of [code, code.replaceAll('-', '')])
    expect(JSON.stringify(rows)).not.toContain(text)
})

test('an invitation for three that fifty use at once lets three in (RC-09)', async () => {
  for (let round = 0; round < rounds; round++) {
    const { code, invite: made } = await invite({ uses: 3 })
    const all = await Promise.all(Array.from({ length: 50 }, () => come(code)))
    expect(all.filter(({ ok }) => ok)).toHaveLength(3)
    for (const one of all) if (!one.ok) expect(one).toEqual(refused)
    expect(await usedOf(made.id)).toBe(3)
    const claims = await Promise.all(
      Array.from({ length: 20 }, () =>
        transact(db, (trx) => claimInvite(trx, deps.keyring, { code, email: 'x@example.org' })),
      ),
    )
    expect(claims.every((claim) => claim === undefined)).toBe(true)
  }
})

test('the same form sent twice, after another or at once, uses one', async () => {
  const { code, invite: made } = await invite()
  const fields = newcomer({ invite: code })
  const all = await Promise.all([begin(deps, fields), begin(deps, fields), begin(deps, fields)])
  const again = await begin(deps, fields)
  const ids = [...all, again].map((begun) => (begun.ok ? begun.key.id : 'refused'))
  expect(new Set(ids).size).toBe(1)
  expect(ids).not.toContain('refused')
  expect(await usedOf(made.id)).toBe(1)
  expect(await begin(deps, { ...fields, password: 'another quiet river' })).toMatchObject({
    errors: [{ code: 'username_taken' }],
  })
})

describe('one answer for', () => {
  const ended = async (how: 'revoked' | 'expired' | 'used') => {
    const { code, invite: made } = await invite()
    if (how === 'revoked') await revokeInvite(db, made.id, by)
    if (how === 'used') await mustCome(code)
    if (how === 'expired')
      await db
        .updateTable('invites')
        .set({ expiresAt: new Date(0) })
        .where('id', '=', made.id)
        .execute()
    return code
  }
  test.each(['revoked', 'expired', 'used'] as const)('a code that is %s', async (how) => {
    expect(await come(await ended(how))).toEqual(refused)
  })
  test.each(['ABCD-EFGH-JKMN-PQRS', 'nonsense', "' or true --", 'x'.repeat(64), '\u0000'])(
    'a code that never was: %j',
    async (code) => expect(await come(code)).toEqual(refused),
  )
  test('a code for another address, which lets its own in', async () => {
    const { code } = await invite({ email: 'Mei@Example.org' })
    expect(await come(code, { username: 'not_mei' })).toEqual(refused)
    expect(await come(code, { username: 'mei_chen', email: 'mei@example.org' })).toMatchObject({
      ok: true,
    })
  })
})

test('whoever has no invitation learns no name that is taken', async () => {
  const { code } = await invite()
  const taken = newcomer()
  await begin(deps, { ...taken, invite: code })
  const without = await begin(deps, { ...taken, email: 'other@example.org', invite: undefined })
  expect(without).toEqual({ ok: false, errors: [{ field: 'invite', code: 'invite_required' }] })
  expect(await begin(deps, { ...taken, email: 'other@example.org', invite: 'no' })).toEqual(refused)
})

describe('a use comes back', () => {
  test('when the person begins anew', async () => {
    const { code, invite: made } = await invite()
    const key = await mustCome(code)
    expect(await abandon(db, key)).toBe(true)
    expect(await usedOf(made.id)).toBe(0)
    await mustCome(code)
  })

  test('when the registration runs out, and not when it was proven', async () => {
    const { code, invite: made } = await invite({ uses: 2 })
    const [lost, proven] = [await mustCome(code), await mustCome(code)]
    await prove(proven)
    for (const { id } of [lost, proven]) await letTimePass(db, id, '8 days')
    await expireRegistrations(db)
    expect(await usedOf(made.id)).toBe(1)
  })

  test('once, when it fails for good: the address got another owner meanwhile', async () => {
    const { code, invite: made } = await invite({ uses: 3 })
    const email = 'both@example.org'
    const both = [await come(code, { email }), await come(code, { email })]
    const keys = both.flatMap((begun) => (begun.ok ? [begun.key] : []))
    const mails = await deliver(deps)
    for (const [index, key] of keys.entries())
      await verifyCode(deps, key, mails.at(index - 2)?.code ?? '')
    expect(await usedOf(made.id)).toBe(1)
    for (const { id } of keys) await letTimePass(db, id, '8 days')
    await expireRegistrations(db)
    expect(await usedOf(made.id)).toBe(1)
  })

  test('when the username went to somebody else', async () => {
    const { code, invite: made } = await invite({ uses: 2 })
    const name = newcomer().username
    const all = await Promise.all([
      come(code, { username: name, email: 'a@example.org' }),
      come(code, { username: name, email: 'b@example.org' }),
    ])
    expect(all.filter(({ ok }) => ok)).toHaveLength(1)
    expect(await usedOf(made.id)).toBe(1)
  })
})

test('whoever has begun by an invitation that is revoked then does not come in', async () => {
  const { code, invite: made } = await invite({ roles: ['admin'] })
  const key = await mustCome(code)
  expect(await revokeInvite(db, made.id, by)).toBe(true)
  expect(await revokeInvite(db, made.id, by)).toBe(false)
  expect(await prove(key)).toEqual({ ok: false, code: 'invite_invalid' })
  expect(
    await db.selectFrom('accountRoles').select('role').where('role', '=', 'admin').execute(),
  ).toEqual([])
})

test('where registration is open a code brings its roles, and a wrong one is not passed over', async () => {
  const { code } = await invite({ roles: ['guest'] })
  expect(await begin(open, newcomer({ invite: 'no' }))).toEqual(refused)
  expect(await begin(open, newcomer({ invite: code }))).toMatchObject({ ok: true })
})

test('an operator needs none; what cannot be is refused', async () => {
  expect(await begin(deps, newcomer(), {}, by)).toMatchObject({ ok: true })
  await expect(invite({ uses: 0 })).rejects.toMatchObject({ code: 'invite_uses_invalid' })
  await expect(invite({ roles: ['No Role'] })).rejects.toMatchObject({ code: 'role_invalid' })
  await expect(invite({ email: 'nobody' })).rejects.toMatchObject({ code: 'email_invalid' })
  await expect(invite({ sendIn: 'en' })).rejects.toMatchObject({ code: 'invite_without_address' })
})

test('looking spends nothing', async () => {
  const { code, invite: made } = await invite()
  await findInviteByCode(db, deps.keyring, { code, email: '' })
  expect(await usedOf(made.id)).toBe(0)
})
