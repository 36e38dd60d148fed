/** Roles, groups and their holders on the real database: who is told what, who may give what, and who stays. */
import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import { createAccount, disableAccount, enableAccount } from '../../src/accounts/accounts.ts'
import { askDeletion, eraseDue } from '../../src/accounts/leaving.ts'
import type { Actor } from '../../src/audit/audit.ts'
import { createClient } from '../../src/clients/create-client.ts'
import { randomToken } from '../../src/crypto.ts'
import { transact } from '../../src/database/transact.ts'
import { isAllowed } from '../../src/roles/decide.ts'
import {
  addMember,
  createGroup,
  deleteGroup,
  findGroup,
  getGroup,
  removeMember,
  updateGroup,
} from '../../src/roles/groups.ts'
import { grantRole, listClientRoles, listHeldRoles, revokeRole } from '../../src/roles/holders.ts'
import { readHoldings } from '../../src/roles/holdings.ts'
import { createRole, deleteRole, getRole, listRoles, updateRole } from '../../src/roles/roles.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'

const { db, pool } = await createDatabase()
const operator = { actor: { kind: 'operator', id: 'root' } as const }
const by = (id: string): { actor: Actor } => ({ actor: { kind: 'person', id } })
let count = 0

beforeEach(async () => {
  await pool.query(`begin; delete from admin_guard; delete from accounts; delete from clients;
    delete from groups; delete from roles where not built_in; truncate audit_events; commit`)
})

async function person(...roles: string[]): Promise<string> {
  const email = `person${++count}@example.org`
  const made = await createAccount(
    db,
    {
      username: `person${count}`,
      passwordHash: 'hash',
      address: { email, canonical: email },
      roles,
    },
    operator.actor,
  )
  if (!made.ok) throw new Error(JSON.stringify(made.errors))
  return made.id
}

async function app(name: string): Promise<string> {
  const made = await createClient(
    db,
    { name, preset: 'generic', redirectUris: [`https://${name.toLowerCase()}.example.org/cb`] },
    operator,
  )
  if (!made.ok) throw new Error(JSON.stringify(made))
  return made.client.id
}

const account = (id: string) => ({ kind: 'account' as const, id })
const rolesOf = async (id: string) => (await listHeldRoles(db, id)).map(({ role }) => role)
const activeAdmins = async () =>
  (
    await sql`select from accounts a join held_roles h on h.account_id = a.id
      where h.role = 'admin' and a.status = 'active' and a.deletion_due_at is null`.execute(db)
  ).rows.length

async function may(id: string, action: string, type: string, at?: string): Promise<boolean> {
  const holdings = await readHoldings(db, account(id), { at })
  return isAllowed(holdings, { action, resource: { type }, context: {} })
}

describe('what a role allows', () => {
  test('is allowed to whoever holds it, by themselves or by a group, and to nobody else', async () => {
    await createRole(db, { name: 'editor', permissions: ['write:notes'] }, operator)
    await createGroup(db, { name: 'Desk', roles: ['editor'] }, operator)
    const [own, grouped, none] = [await person('editor'), await person(), await person()]
    await addMember(db, 'desk', grouped, operator)
    expect(await Promise.all([own, grouped, none].map((id) => may(id, 'write', 'notes')))).toEqual([
      true,
      true,
      false,
    ])
    expect(await listHeldRoles(db, grouped)).toEqual([
      { role: 'editor', own: false, groups: ['Desk'] },
    ])
  })

  test('changes with the role, and ends with it', async () => {
    await createRole(db, { name: 'editor', permissions: ['write:notes'] }, operator)
    const id = await person('editor')
    await updateRole(
      db,
      'editor',
      { addPermissions: ['read:files'], removePermissions: ['write:notes'] },
      operator,
    )
    expect([await may(id, 'read', 'files'), await may(id, 'write', 'notes')]).toEqual([true, false])
    await deleteRole(db, 'editor', operator)
    expect([await may(id, 'read', 'files'), await rolesOf(id)]).toEqual([false, []])
  })

  test('admin may everything, user is everybody’s', async () => {
    await updateRole(db, 'user', { permissions: ['read:news'] }, operator)
    const [admin, anybody] = [await person('admin'), await person()]
    expect(await may(admin, 'break', 'things')).toBe(true)
    expect([await may(anybody, 'read', 'news'), await may(anybody, 'break', 'things')]).toEqual([
      true,
      false,
    ])
    await updateRole(db, 'user', { permissions: [] }, operator)
  })

  test('counts at its own app alone where it belongs to one', async () => {
    const [forum, cloud] = [await app('Forum'), await app('Cloud')]
    const role = { name: 'moderator', clientId: forum, permissions: ['delete:posts'] }
    await createRole(db, role, operator)
    const id = await person()
    await grantRole(db, `${forum}/moderator`, account(id), operator)
    expect(await may(id, 'delete', 'posts', forum)).toBe(true)
    expect(await may(id, 'delete', 'posts', cloud)).toBe(false)
    expect(await may(id, 'delete', 'posts')).toBe(false)
  })

  test('is held by apps as well, and by nobody who is switched off', async () => {
    await createRole(db, { name: 'editor', permissions: ['write:notes'] }, operator)
    const [robot, id] = [await app('Robot'), await person('editor')]
    await grantRole(db, 'editor', { kind: 'client', id: robot }, operator)
    const asked = { action: 'write', resource: { type: 'notes' }, context: {} }
    expect(isAllowed(await readHoldings(db, { kind: 'client', id: robot }), asked)).toBe(true)
    await disableAccount(db, id, 'gone', operator.actor)
    await pool.query('update clients set disabled_at = now() where id = $1', [robot])
    expect(await may(id, 'write', 'notes')).toBe(false)
    expect(isAllowed(await readHoldings(db, { kind: 'client', id: robot }), asked)).toBe(false)
    await revokeRole(db, 'editor', { kind: 'client', id: robot }, operator)
    expect(await listClientRoles(db, robot)).toEqual([])
  })
})

describe('names', () => {
  test('of roles and groups are one space: apps are told both in one claim', async () => {
    await createRole(db, { name: 'staff' }, operator)
    await createGroup(db, { name: 'Desk' }, operator)
    const taken = { code: 'group_taken', status: 409 }
    await expect(createGroup(db, { name: 'Admin' }, operator)).rejects.toMatchObject(taken)
    await expect(createGroup(db, { name: 'staff' }, operator)).rejects.toMatchObject(taken)
    await expect(createGroup(db, { name: 'desk' }, operator)).rejects.toMatchObject(taken)
    await expect(createRole(db, { name: 'desk' }, operator)).rejects.toMatchObject({
      code: 'role_taken',
    })
    const id = await person()
    await expect(
      grantRole(db, 'desk', account(id), { ...operator, make: true }),
    ).rejects.toMatchObject({ code: 'role_taken' })
  })

  test.each(["x'; drop", 'Admin', '', 'a/b', 'x'.repeat(65)])('%j is no role', async (name) => {
    await expect(createRole(db, { name }, operator)).rejects.toMatchObject({ code: 'role_invalid' })
  })

  test.each(['', ' x', 'x ', 'a/b', 'a,b', 'x'.repeat(65)])('%j is no group', async (name) => {
    await expect(createGroup(db, { name }, operator)).rejects.toMatchObject({
      code: 'group_invalid',
    })
  })

  test('of a role that was given first are made with it, and allow nothing', async () => {
    const id = await person('staff')
    expect((await getRole(db, 'staff')).permissions).toEqual([])
    expect(await rolesOf(id)).toEqual(['staff'])
  })

  test('a role is given once, taken once, and both are audited', async () => {
    const id = await person('staff')
    expect(await grantRole(db, 'staff', account(id), operator)).toBe(false)
    expect(await revokeRole(db, 'staff', account(id), operator)).toBe(true)
    expect(await revokeRole(db, 'staff', account(id), operator)).toBe(false)
    const types = (await auditOf(db)).map(({ type }) => type)
    expect(types).toEqual([
      'account.created',
      'role.created',
      'account.role_added',
      'account.role_removed',
    ])
  })

  test('nobody is given what everybody has, nor what there is not', async () => {
    const id = await person()
    await expect(grantRole(db, 'user', account(id), operator)).rejects.toMatchObject({
      code: 'role_everybodys',
    })
    await expect(grantRole(db, 'none', account(id), operator)).rejects.toMatchObject({
      code: 'role_not_found',
    })
    await expect(
      grantRole(db, 'admin', account('00000000-0000-4000-8000-000000000000'), operator),
    ).rejects.toMatchObject({ code: 'account_not_found' })
  })
})

test('built-in roles stay, and admin stays able to do everything', async () => {
  for (const role of ['admin', 'user'])
    await expect(deleteRole(db, role, operator)).rejects.toMatchObject({ code: 'role_built_in' })
  await expect(updateRole(db, 'admin', { permissions: [] }, operator)).rejects.toMatchObject({
    code: 'role_built_in',
  })
  expect((await getRole(db, 'admin')).permissions).toEqual(['*:*'])
})

test('two admins who edit the same role at once lose nothing: the second is told', async () => {
  const { role } = await createRole(db, { name: 'editor', permissions: ['read:notes'] }, operator)
  const since = { ...operator, unchangedSince: role.updatedAt }
  const edits = await Promise.allSettled([
    updateRole(db, 'editor', { permissions: ['read:files'] }, since),
    updateRole(db, 'editor', { permissions: ['read:mail'] }, since),
  ])
  expect(edits.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  expect(edits.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { code: 'changed_meanwhile', status: 412 },
  })
})

test('changes of single permissions at once are all there', async () => {
  await createRole(db, { name: 'editor' }, operator)
  const all = Array.from({ length: 20 }, (_, index) => `read:type${index}`)
  await Promise.all(
    all.map((permission) => updateRole(db, 'editor', { addPermissions: [permission] }, operator)),
  )
  expect((await getRole(db, 'editor')).permissions.toSorted()).toEqual(all.toSorted())
})

describe('an admin remains', () => {
  const refused = { code: 'last_admin', status: 422 }

  test('nobody has to be one before there was one', async () => {
    const id = await person()
    expect(await disableAccount(db, id, 'test', operator.actor)).toBe(true)
    expect(await activeAdmins()).toBe(0)
  })

  test.each<[string, (id: string) => Promise<unknown>]>([
    ['losing the role', (id) => revokeRole(db, 'admin', account(id), operator)],
    ['being switched off', (id) => disableAccount(db, id, 'test', operator.actor)],
    ['being deleted', (id) => pool.query('delete from accounts where id = $1', [id])],
  ])('%s is refused for the last one', async (_, act) => {
    const id = await person('admin')
    await expect(act(id)).rejects.toThrow()
    expect(await activeAdmins()).toBe(1)
    await person('admin')
    await act(id)
    expect(await activeAdmins()).toBe(1)
  })

  test('leaving is refused for the last one, in words', async () => {
    const id = await person('admin')
    expect(await askDeletion(db, id, {})).toBe(false)
    await person('admin')
    expect(await askDeletion(db, id, {})).toBe(true)
  })

  test('who has asked to leave does not count, nor who is switched off', async () => {
    const [leaving, off, last] = [
      await person('admin'),
      await person('admin'),
      await person('admin'),
    ]
    await askDeletion(db, leaving, {})
    await disableAccount(db, off, 'test', operator.actor)
    await expect(revokeRole(db, 'admin', account(last), operator)).rejects.toMatchObject(refused)
    await enableAccount(db, off, operator.actor)
    expect(await revokeRole(db, 'admin', account(last), operator)).toBe(true)
    await pool.query(
      "update accounts set deletion_due_at = now() - interval '1 day' where id = $1",
      [leaving],
    )
    expect(await eraseDue(db)).toBe(1)
  })

  test.each<[string, (member: string) => Promise<unknown>]>([
    ['leaving the group', (member) => removeMember(db, 'Root', member, operator)],
    [
      'the group losing the role',
      () => updateGroup(db, 'Root', { removeRoles: ['admin'] }, operator),
    ],
    ['the end of the group', () => deleteGroup(db, 'Root', operator)],
  ])('%s is refused where the role comes by a group', async (_, act) => {
    const member = await person()
    await createGroup(db, { name: 'Root', roles: ['admin'] }, operator)
    await addMember(db, 'Root', member, operator)
    await expect(act(member)).rejects.toMatchObject(refused)
    expect(await activeAdmins()).toBe(1)
  })

  test('the role may move within one transaction', async () => {
    const [before, after] = [await person('admin'), await person()]
    await transact(db, async (trx) => {
      await revokeRole(trx, 'admin', account(before), operator)
      await grantRole(trx, 'admin', account(after), operator)
    })
    expect(await rolesOf(after)).toEqual(['admin'])
  })

  test('two who remove each other leave one, however they do it', async () => {
    for (let round = 0; round < rounds; round++) {
      const [ada, bob] = [await person('admin'), await person('admin')]
      const earlier = await db
        .selectFrom('accountRoles')
        .select('accountId')
        .where('role', '=', 'admin')
        .where('accountId', 'not in', [ada, bob])
        .execute()
      for (const { accountId } of earlier)
        await revokeRole(db, 'admin', account(accountId), operator)
      const acts = [
        (id: string) => revokeRole(db, 'admin', account(id), operator),
        (id: string) => disableAccount(db, id, 'test', operator.actor),
        (id: string) => askDeletion(db, id, {}),
      ]
      const act = (index: number) => acts[index % acts.length] ?? acts[0]
      await Promise.allSettled([act(round)?.(ada), act(round + 1)?.(bob)])
      expect(await activeAdmins()).toBe(1)
    }
  })

  test('of twenty who are taken away at once one remains', async () => {
    const all = []
    for (let index = 0; index < 20; index++) all.push(await person('admin'))
    const ends = await Promise.allSettled(
      all.map((id, index) =>
        index % 2 === 0
          ? revokeRole(db, 'admin', account(id), operator)
          : disableAccount(db, id, 'test', operator.actor),
      ),
    )
    expect(ends.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    expect(await activeAdmins()).toBe(1)
  })

  test('making one while switching that very account off leaves one', async () => {
    for (let round = 0; round < rounds; round++) {
      await pool.query('begin; delete from admin_guard; delete from accounts; commit')
      const [ada, bob] = [await person('admin'), await person()]
      await Promise.allSettled([
        transact(db, async (trx) => {
          await grantRole(trx, 'admin', account(bob), operator)
          await revokeRole(trx, 'admin', account(ada), operator)
        }),
        disableAccount(db, bob, 'test', operator.actor),
      ])
      expect(await activeAdmins()).toBe(1)
    }
  })
})

describe('nobody gives more than they have (AD-03)', () => {
  const more = { code: 'grants_more_than_held', status: 403 }

  async function lead(): Promise<string> {
    await createRole(
      db,
      {
        name: 'lead',
        permissions: [
          'read:notes',
          'write:notes:own',
          'delete:notes if acr=2fa',
          'grant:roles:intern',
        ],
      },
      operator,
    )
    await createRole(db, { name: 'intern', permissions: ['read:notes:7'] }, operator)
    return person('lead')
  }

  test('a role is given by whoever covers it and may give it, and taken likewise', async () => {
    const [giver, taker] = [await lead(), await person()]
    expect(await grantRole(db, 'intern', account(taker), by(giver))).toBe(true)
    expect(await grantRole(db, 'lead', account(taker), by(giver))).toBe(true)
    expect(await revokeRole(db, 'intern', account(taker), by(giver))).toBe(true)
    await expect(grantRole(db, 'admin', account(giver), by(giver))).rejects.toMatchObject(more)
    await expect(grantRole(db, 'lead', account(giver), by(await person()))).rejects.toMatchObject(
      more,
    )
  })

  test('a name that apps know is not given away for allowing nothing here', async () => {
    const giver = await lead()
    await createRole(db, { name: 'cloud-admin' }, operator)
    await expect(grantRole(db, 'cloud-admin', account(giver), by(giver))).rejects.toMatchObject(
      more,
    )
    await createGroup(db, { name: 'Cloud Admins' }, operator)
    await expect(addMember(db, 'Cloud Admins', giver, by(giver))).rejects.toMatchObject(more)
  })

  test.each([
    'write:notes',
    'read:files',
    'read:*',
    '*:notes',
    'delete:notes',
    'delete:notes if acr=1fa',
    'delete:notes if address=10.0.0.0/8',
    'write:notes:7',
  ])('a role gets no %s from whoever has less', async (permission) => {
    const giver = await lead()
    const own = { name: 'mine', permissions: ['read:notes'] }
    await createRole(db, own, by(giver))
    await expect(
      createRole(db, { name: 'more', permissions: [permission] }, by(giver)),
    ).rejects.toMatchObject(more)
    await expect(
      updateRole(db, 'intern', { addPermissions: [permission] }, by(giver)),
    ).rejects.toMatchObject(more)
  })

  test('what is narrower may be given', async () => {
    const giver = await lead()
    const permissions = [
      'read:notes:8',
      'read:notes:own if acr=phr',
      'write:notes:own',
      'delete:notes if acr=phr and client=cloud',
    ]
    const { role } = await createRole(db, { name: 'narrow', permissions }, by(giver))
    expect(role.permissions).toEqual(permissions)
  })

  test('a group is changed by whoever covers all that its members hold', async () => {
    const giver = await lead()
    await createGroup(db, { name: 'Root', roles: ['admin'] }, operator)
    const acts = [
      () => addMember(db, 'Root', giver, by(giver)),
      () => updateGroup(db, 'Root', { removeRoles: ['admin'] }, by(giver)),
      () => updateGroup(db, 'Root', { description: 'mine' }, by(giver)),
      () => deleteGroup(db, 'Root', by(giver)),
      () => createGroup(db, { name: 'Mine', roles: ['admin'] }, by(giver)),
    ]
    for (const act of acts) await expect(act()).rejects.toMatchObject(more)
    expect(await findGroup(db, 'Mine')).toBeUndefined()
  })

  test('a role of an app’s own gives nothing away beyond it', async () => {
    const forum = await app('Forum')
    await createRole(db, { name: 'boss', clientId: forum, permissions: ['*:*'] }, operator)
    const id = await person()
    await grantRole(db, `${forum}/boss`, account(id), operator)
    await expect(grantRole(db, 'admin', account(id), by(id))).rejects.toMatchObject(more)
  })

  test('an admin whose role is just being taken gives nothing more', async () => {
    const [ada, bob, eve] = [await person('admin'), await person('admin'), await person()]
    let given: Promise<unknown> | undefined
    await transact(db, async (trx) => {
      await revokeRole(trx, 'admin', account(bob), by(ada))
      given = grantRole(db, 'admin', account(eve), by(bob))
      given.catch(() => {})
    })
    await expect(given).rejects.toMatchObject(more)
    expect(await rolesOf(eve)).toEqual([])
  })
})

describe('what an app asks for', () => {
  async function limited() {
    const id = await app('Cloud')
    await createRole(db, { name: 'staff' }, operator)
    await createGroup(db, { name: 'Desk' }, operator)
    await pool.query(
      `insert into client_access (client_id, role, group_name) values ($1, 'staff', null), ($1, null, 'Desk')`,
      [id],
    )
    return id
  }

  async function grantAt(clientId: string, accountId: string): Promise<void> {
    const dates = { createdAt: new Date(), expiresAt: new Date(Date.now() + 3_600_000) }
    await db
      .insertInto('grants')
      .values({ id: randomToken(), accountId, clientId, sessionUid: null, ...dates })
      .execute()
  }
  const grants = async (accountId: string) =>
    (await db.selectFrom('grants').select('clientId').where('accountId', '=', accountId).execute())
      .length

  test('is not deleted under it, or it would be open to all', async () => {
    await limited()
    await expect(deleteRole(db, 'staff', operator)).rejects.toMatchObject({ code: 'role_required' })
    await expect(deleteGroup(db, 'Desk', operator)).rejects.toMatchObject({
      code: 'group_required',
    })
    expect(await getGroup(db, 'Desk')).toBeDefined()
    expect((await listRoles(db)).map(({ id }) => id)).toContain('staff')
  })

  test('ends what somebody has there when the last of it is taken', async () => {
    const clientId = await limited()
    const [id, other] = [await person('staff'), await person('staff')]
    await addMember(db, 'Desk', id, operator)
    await grantAt(clientId, id)
    await grantAt('elsewhere', id)
    await grantAt(clientId, other)
    await revokeRole(db, 'staff', account(id), operator)
    expect(await grants(id)).toBe(2)
    await removeMember(db, 'Desk', id, operator)
    expect([await grants(id), await grants(other)]).toEqual([1, 1])
  })
})
