/** The room behind the pages: whose an identity is, under races; roles that come and go; secrets that open nowhere else. */
import { beforeAll, expect, test } from 'vitest'
import { exportAccount } from '../../src/accounts/leaving.ts'
import { removePasskey } from '../../src/credentials/passkeys.ts'
import { createKeyring } from '../../src/crypto.ts'
import { createBreaker } from '../../src/federation/breaker.ts'
import type { ProvenIdentity } from '../../src/federation/claims.ts'
import {
  linkIdentity,
  listIdentities,
  unlinkIdentity,
  useIdentity,
} from '../../src/federation/identities.ts'
import { createFromUpstream } from '../../src/federation/newcomers.ts'
import { keepProof, readProof } from '../../src/federation/proofs.ts'
import {
  createProvider,
  deleteProvider,
  listProviders,
  openSecret,
  type Provider,
  type ProviderInput,
  updateProvider,
} from '../../src/federation/providers.ts'
import {
  beginUpstreamSession,
  findUpstreamOf,
  forgetEndedUpstreams,
  nameSession,
  spendIdToken,
} from '../../src/federation/upstream-sessions.ts'
import { grantRole, listHeldRoles } from '../../src/roles/holders.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { createPerson } from '../support/person.ts'
import { rounds } from '../support/rounds.ts'

const database = await createDatabase()
const { db, pool } = database
const keyring = createKeyring(['a secret for this test, long enough'])
const deps = { db, keyring, ourIssuer: 'https://id.example.org' }
const operator = { actor: { kind: 'operator' } } as const
const config = { issuer: deps.ourIssuer, brandName: 'idp', registration: 'open' } as const
const many = Math.max(20, rounds)
let provider: Provider
let count = 0

const input: ProviderInput = {
  id: 'work',
  preset: 'oidc',
  name: 'Work',
  issuer: 'https://up.example',
  clientId: 'us',
  appleTeamId: null,
  appleKeyId: null,
  scope: 'openid',
  trustEmail: true,
  tenants: [],
  roleMap: [],
  enabled: true,
  secret: 'a very secret secret',
}

beforeAll(async () => {
  const made = await createProvider(deps, input, operator)
  if (!made.ok) throw new Error(JSON.stringify(made))
  provider = made.provider
})

const someone = (more: Partial<ProvenIdentity> = {}): ProvenIdentity => ({
  providerId: 'work',
  issuer: 'https://up.example',
  subject: `sub-${++count}`,
  emailTrusted: false,
  roles: [],
  ...more,
})
const rolesOf = async (id: string) => (await listHeldRoles(db, id)).map(({ role }) => role)
const person = () => createPerson({ database })

test('RC-11 one identity linked by many people at once is one person’s', async () => {
  const identity = someone()
  const people = await Promise.all(Array.from({ length: many }, person))
  const linked = await Promise.all(people.map(({ id }) => linkIdentity(db, id, identity, {})))
  expect(linked.filter(({ ok }) => ok)).toHaveLength(1)
  expect(linked.filter((each) => !each.ok && each.code === 'identity_taken')).toHaveLength(many - 1)
})

test('linked several times at once by its owner it is linked once', async () => {
  const { id } = await person()
  const identity = someone()
  const linked = await Promise.all([1, 2, 3].map(() => linkIdentity(db, id, identity, {})))
  expect(linked.every(({ ok }) => ok)).toBe(true)
  expect(await listIdentities(db, id)).toHaveLength(1)
})

test('many accounts made of one proof at once are one', async () => {
  const identity = someone({ email: 'new@example.org', emailTrusted: true })
  await keepProof(deps, 'flow-1', identity)
  const made = await Promise.all(
    Array.from({ length: many }, async (_, index) => {
      const given = {
        username: `fresh-${'abcdefghij'[index % 10]}${index}`,
        name: '',
        locale: 'en',
      }
      const one = createFromUpstream({ db, config }, 'flow-1', identity, given, {})
      return one.catch(() => ({ ok: false }))
    }),
  )
  expect(made.filter(({ ok }) => ok)).toHaveLength(1)
  const { rows } = await pool.query(`select 1 from accounts where username like 'fresh-%'`)
  expect(rows).toHaveLength(1)
})

test('AC-26 where registration is not open nobody is made, whatever a page showed', async () => {
  const identity = someone({ email: 'closed@example.org', emailTrusted: true })
  await keepProof(deps, 'flow-2', identity)
  for (const registration of ['closed', 'invite'] as const) {
    const given = { username: 'sneaky', name: '', locale: 'en' }
    const closed = { db, config: { ...config, registration } }
    const made = await createFromUpstream(closed, 'flow-2', identity, given, {})
    expect(made).toMatchObject({ ok: false, code: 'registration_closed' })
  }
})

test('a proof opens in its own flow alone', async () => {
  await keepProof(deps, 'flow-3', someone())
  expect(await readProof(deps, 'flow-3')).toBeTruthy()
  await pool.query(
    `update upstream_proofs set flow_hash = sha256('flow-4') where flow_hash = sha256('flow-3')`,
  )
  await expect(readProof(deps, 'flow-4')).rejects.toThrow('does not open')
})

test('of the last two ways in, taken away at once, one stays', async () => {
  const { id } = await person()
  await pool.query('update accounts set password_hash = null where id = $1', [id])
  await linkIdentity(db, id, someone(), {})
  await linkIdentity(db, id, someone(), {})
  const own = await listIdentities(db, id)
  const gone = await Promise.all(
    own.map((identity) => unlinkIdentity(db, { id: identity.id, accountId: id }, {})),
  )
  expect(gone.filter(({ ok }) => ok)).toHaveLength(1)
  expect(await listIdentities(db, id)).toHaveLength(1)
  // A provider that is switched off is no way in, and a passkey beside it cannot go.
  await pool.query(`insert into passkey_holders (account_id, user_handle) values ($1, $2)`, [
    id,
    Buffer.alloc(32, 1),
  ])
  const { rows } = await pool.query(
    `insert into passkeys (id, account_id, credential_id, public_key, counter, backup_eligible, backed_up, aaguid, rp_id)
      values (gen_random_uuid(), $1, $2, $2, 0, true, true, gen_random_uuid(), 'x') returning id`,
    [id, Buffer.alloc(32, 1)],
  )
  const passkey = { id: rows[0].id, accountId: id }
  await pool.query('update providers set enabled = false')
  expect(await removePasskey(db, passkey)).toEqual({ ok: false, code: 'last_way_in' })
  await pool.query('update providers set enabled = true')
  expect(await removePasskey(db, passkey)).toEqual({ ok: true })
})

test('roles follow the upstream; what was given by hand stays', async () => {
  const { id } = await person()
  await grantRole(db, 'by-hand', { kind: 'account', id }, { ...operator, make: true })
  const identity = someone({ roles: ['by-hand', 'editor'] })
  await linkIdentity(db, id, identity, {})
  expect(await rolesOf(id)).toEqual(expect.arrayContaining(['by-hand', 'editor']))
  await useIdentity(db, { ...identity, roles: ['reader'] }, {})
  expect(await rolesOf(id)).toEqual(expect.arrayContaining(['by-hand', 'reader']))
  expect(await rolesOf(id)).not.toContain('editor')
  // Two say so: it goes with the second.
  await linkIdentity(db, id, someone({ roles: ['reader'] }), {})
  await useIdentity(db, { ...identity, roles: [] }, {})
  expect(await rolesOf(id)).toContain('reader')
  const own = await listIdentities(db, id)
  await unlinkIdentity(db, { id: own[1]?.id ?? '', accountId: id }, {})
  expect(await rolesOf(id)).not.toContain('reader')
  expect(await rolesOf(id)).toContain('by-hand')
})

test('what is given by hand after an upstream has given it is no more the upstream’s to take', async () => {
  const { id } = await person()
  const identity = someone({ roles: ['keeper', 'writer'] })
  await linkIdentity(db, id, identity, {})
  expect(await grantRole(db, 'keeper', { kind: 'account', id }, operator)).toBe(false)
  await useIdentity(db, { ...identity, roles: [] }, {})
  expect(await rolesOf(id)).toContain('keeper')
  expect(await rolesOf(id)).not.toContain('writer')
})

test('an upstream cannot take the last admin away', async () => {
  const { id } = await person()
  const identity = someone({ roles: ['admin'] })
  await linkIdentity(db, id, identity, {})
  expect(await rolesOf(id)).toContain('admin')
  await useIdentity(db, { ...identity, roles: [] }, {})
  expect(await rolesOf(id)).toContain('admin')
  const second = await person()
  await grantRole(db, 'admin', { kind: 'account', id: second.id }, operator)
  await useIdentity(db, { ...identity, roles: [] }, {})
  expect(await rolesOf(id)).not.toContain('admin')
})

test('a role that may everything, by whatever name, takes a word of its own', async () => {
  await pool.query(`insert into roles (id, name, permissions) values ('mighty', 'mighty', '{*:*}')`)
  const roleMap = [{ claim: 'g', value: 'v', role: 'mighty' }]
  const refused = await updateProvider(deps, 'work', { roleMap }, operator)
  expect(refused).toMatchObject({ ok: false, problems: [{ code: 'admin_role' }] })
  const by = { ...operator, allowAdminRole: true }
  expect(await updateProvider(deps, 'work', { roleMap }, by)).toMatchObject({ ok: true })
  expect(await updateProvider(deps, 'work', { name: 'Job' }, operator)).toMatchObject({ ok: true })
  await updateProvider(deps, 'work', { roleMap: [] }, operator)
})

test('secrets are sealed, bound to row, issuer and client, and told to nobody', async () => {
  const { rows } = await pool.query(
    `select encode(secret_sealed, 'escape') as sealed from providers`,
  )
  expect(rows[0].sealed).not.toContain('very secret')
  const [stored] = (await listProviders(db)) as [Provider]
  expect(openSecret(keyring, stored)).toBe('a very secret secret')
  for (const moved of [{ issuer: 'https://evil.example' }, { clientId: 'them' }, { id: 'else' }]) {
    expect(() => openSecret(keyring, { ...stored, ...moved })).toThrow('does not open')
  }
  const led = await updateProvider(deps, 'work', { issuer: 'https://evil.example' }, operator)
  expect(led).toMatchObject({ ok: false, problems: [{ code: 'secret_required' }] })
  expect(JSON.stringify(await auditOf(db, 'provider.created'))).not.toContain('very secret')
  expect(provider.id).toBe('work')
})

test('AD-15 what a person loads down holds the link and no token', async () => {
  const { id } = await person()
  await linkIdentity(db, id, someone({ email: 'me@example.org', idToken: 'eyJ.upstream' }), {})
  const text = JSON.stringify(await exportAccount(db, id))
  expect(text).toContain('me@example.org')
  expect(text).not.toContain('eyJ')
})

test('with a provider its links go, and the roles that came by them', async () => {
  expect(await createProvider(deps, { ...input, id: 'brief' }, operator)).toMatchObject({
    ok: true,
  })
  const { id } = await person()
  await linkIdentity(db, id, someone({ providerId: 'brief', roles: ['visitor'] }), {})
  expect(await rolesOf(id)).toContain('visitor')
  expect(await deleteProvider(db, 'brief', operator.actor)).toBe(1)
  expect(await listIdentities(db, id)).toEqual([])
  expect(await rolesOf(id)).not.toContain('visitor')
})

test('of an upstream’s tokens the ID token alone is kept, sealed, and no longer than the session', async () => {
  const { id } = await person()
  const kept = await beginUpstreamSession(deps, id, someone({ sid: 's', idToken: 'eyJ.kept' }))
  await nameSession(db, kept, 'uid-1')
  await nameSession(db, kept, 'uid-of-another')
  expect(await findUpstreamOf(db, 'uid-1')).toMatchObject({ id: kept, providerId: 'work' })
  const { rows } = await pool.query(
    `select encode(id_token_sealed, 'escape') as sealed from upstream_sessions where id = $1`,
    [kept],
  )
  expect(rows[0].sealed).not.toContain('eyJ')
  expect(await spendIdToken(deps, kept)).toBe('eyJ.kept')
  expect(await spendIdToken(deps, kept)).toBeUndefined()
  const ended = await beginUpstreamSession(deps, id, someone({ idToken: 'eyJ.ended' }))
  expect(await forgetEndedUpstreams(db)).toBe(0)
  await pool.query(`update upstream_sessions set created_at = now() - interval '2 hours'`)
  expect(await forgetEndedUpstreams(db)).toBe(1)
  expect(await spendIdToken(deps, ended)).toBeUndefined()
})

test('a fault of its own at one request does not let an upstream rest for all', async () => {
  let calls = 0
  let status = 500
  const fetch = createBreaker(async () => {
    calls += 1
    return new Response(null, { status })
  })
  for (let i = 0; i < 5; i++) await fetch('https://up.example')
  expect(calls).toBe(5)
  status = 503
  for (let i = 0; i < 3; i++) await fetch('https://up.example')
  await expect(fetch('https://up.example')).rejects.toThrow('rests')
  expect(calls).toBe(8)
})
