/** Whatever a file says: a plan says what `apply` does, a second one changes nothing, and `export` makes the same elsewhere. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyFile, type Outcome } from '../../src/apply/apply.ts'
import { type AppliedFile, fileSchema } from '../../src/apply/document.ts'
import { exportFile } from '../../src/apply/export.ts'
import { createKeyring } from '../../src/crypto.ts'
import type { Db } from '../../src/database/connection.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'

const here = await createDatabase()
const there = await createDatabase()
const by = {
  actor: { kind: 'operator' },
  keyring: createKeyring(['kP3xW9vQz7Lr2mTfYb8Nc4Hd6Js1Ga5E']),
  issuer: 'https://id.example.org',
} as const
const secretOf = (reference: string) => reference.padEnd(40, '.').replace(/[^\x21-\x7e]/g, '_')

const some = <T>(one: fc.Arbitrary<T>, maxLength = 3) => fc.uniqueArray(one, { maxLength })
const option = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })
/** Each of another length, by which secrets are told apart. */
const words = fc.constantFrom('Wiki', 'Cloud', 'Zeiten', '课程', 'Notebooks', 'Bibliothek')
const host = fc.constantFrom('a', 'b', 'c').map((letter) => `https://${letter}.example.org`)
const scopes = ['notes:read', 'notes:write', 'files:see']
const span = fc.constantFrom('5m', '90s', 3600, '7d')

const api = fc.record(
  {
    identifier: host.map((origin) => `${origin}/api`),
    name: words,
    scopes: fc.constant([] as string[]),
    token_lifetime: fc.constantFrom('5m', '90s', 3600),
    token_format: fc.constantFrom('jwt' as const, 'opaque' as const),
    token_alg: fc.constantFrom('ES256' as const, 'RS256' as const),
  },
  { requiredKeys: ['identifier', 'scopes'] },
)

const web = fc.record(
  {
    name: words,
    preset: fc.constantFrom('generic', 'web', 'spa', 'native'),
    redirect_uris: fc.uniqueArray(
      host.map((origin) => `${origin}/cb`),
      { minLength: 1, maxLength: 3 },
    ),
    post_logout_redirect_uris: some(host),
    app_url: host,
    backchannel_logout_uri: host.map((origin) => `${origin}/out`),
    first_party: fc.boolean(),
    scope: some(
      fc.constantFrom('openid', 'profile', 'email', 'groups', 'offline_access', ...scopes),
      6,
    ).map((all) => [...new Set(['openid', ...all])].join(' ')),
    access_token_lifetime: fc.constantFrom('5m', 600),
    refresh_idle: span,
    refresh_rotation: fc.constantFrom('on' as const, 'off' as const),
    second_factor: fc.constantFrom('always' as const, 'new-device' as const),
    second_factors: some(fc.constantFrom('totp' as const, 'passkey' as const)),
    require_pushed_authorization_requests: fc.boolean(),
    id_token_signed_response_alg: fc.constantFrom('ES256', 'RS256'),
    disabled: fc.boolean(),
    roles: some(fc.constantFrom('editor', 'reader')),
    allowed_roles: some(fc.constantFrom('editor', 'user')),
    claim_names: fc.constant({ roles: 'urn:roles' }),
  },
  { requiredKeys: ['name', 'redirect_uris'] },
)

/** Refresh tokens of a public app rotate. */
function asPublic<
  T extends { preset?: string | undefined; refresh_rotation?: 'on' | 'off' | undefined },
>(client: T) {
  const open = client.preset === 'spa' || client.preset === 'native'
  const { refresh_rotation: rotation, ...rest } = client
  const rotates = open || rotation === undefined ? {} : { refresh_rotation: rotation }
  return { ...rest, ...rotates, secret: false }
}

const service = fc.record(
  {
    name: words,
    preset: fc.constant('service'),
    scope: fc.constantFrom('notes:read', 'notes:read notes:write'),
    secret: fc.constantFrom('env:ONE', 'env:TWO'),
    roles: some(fc.constantFrom('editor', 'reader')),
  },
  { requiredKeys: ['name', 'preset', 'scope'] },
)

const known = {
  secret: fc.constantFrom('env:ONE', 'env:TWO'),
  name: words,
  enabled: fc.boolean(),
  role_map: fc.constant([{ claim: 'groups', value: 'staff', role: 'editor' }]),
}
const provider = fc.oneof(
  fc.record(
    {
      id: fc.constant('google'),
      preset: fc.constant('google'),
      client_id: fc.constantFrom('a', 'b'),
      ...known,
    },
    { requiredKeys: ['id', 'preset', 'client_id', 'secret'] },
  ),
  fc.record(
    {
      id: fc.constant('other'),
      preset: fc.constant('oidc'),
      issuer: fc.constantFrom('https://a.example.org', 'https://b.example.org'),
      client_id: fc.constant('a'),
      ...known,
    },
    { requiredKeys: ['id', 'preset', 'issuer', 'client_id', 'secret'] },
  ),
)

const files = fc
  .record({
    apis: fc.uniqueArray(api, { selector: (one) => one.identifier, maxLength: 2 }),
    clients: fc.uniqueArray(fc.oneof(web.map(asPublic), service), {
      selector: (one) => one.name.toLowerCase(),
      maxLength: 4,
    }),
    permissions: some(fc.constantFrom('read:notes', 'write:notes:own', 'read:notes if acr=2fa')),
    description: option(words),
    groups: fc.uniqueArray(
      fc.record({ name: words, roles: some(fc.constantFrom('editor', 'reader')) }),
      { selector: ({ name }) => name, maxLength: 2 },
    ),
    providers: fc.uniqueArray(provider, { selector: ({ id }) => id, maxLength: 2 }),
    branding: option(fc.record({ name: words })),
  })
  .map(({ apis, clients, permissions, description, groups, providers, branding }) => {
    return JSON.parse(
      JSON.stringify({
        version: 1,
        apis: [
          { identifier: 'https://notes.example.org/api', scopes },
          ...apis.map((one) => ({ ...one, scopes: ['see'] })),
        ],
        clients: clients.map(({ secret, ...client }) => {
          // An id stays as it was once: some have one, and some are known by their name.
          const { length } = client.name
          const own = length % 2 === 0 ? { client_id: `app-${length}` } : {}
          // Two apps never have one secret.
          const reference = secret ? { secret: `env:SECRET_${length}` } : {}
          return { ...client, ...own, ...reference }
        }),
        roles: [{ name: 'editor', description, permissions }, { name: 'reader' }],
        groups: groups
          .map((group) => ({ ...group, name: `Group ${group.name.length}` }))
          .slice(0, 1),
        providers,
        branding,
      }),
    ) as AppliedFile
  })

const changed = (outcome: Outcome) =>
  outcome.ok ? outcome.changes.filter(({ action }) => action !== 'unchanged') : outcome
/** Ids and secrets are made anew each time. */
const shown = (outcome: Outcome) =>
  JSON.parse(JSON.stringify(outcome), (key, value) =>
    key === 'clientId' || (key === 'secret' && typeof value === 'string') ? 'made' : value,
  )

async function empty({ pool }: { pool: (typeof here)['pool'] }): Promise<void> {
  await pool.query(`delete from clients; delete from apis where not built_in; delete from groups;
    delete from roles where not built_in; delete from settings; delete from providers; delete from applied_objects`)
}

const run = (db: Db, file: AppliedFile, plan = false, prune = false) =>
  applyFile(db, file, { ...by, secretOf, plan, prune })

test('from any file to any other', { timeout: 120_000 }, async () => {
  const property = fc.asyncProperty(files, files, async (first, second) => {
    await empty(here)
    await empty(there)
    for (const file of [first, second]) {
      expect(fileSchema.safeParse(file).error).toBeUndefined()
      const planned = await run(here.db, file, true, true)
      expect(planned).toMatchObject({ ok: true })
      expect(shown(await run(here.db, file, false, true))).toEqual(shown(planned))
      expect(changed(await run(here.db, file, true, true))).toEqual([])
    }
    const exported = await exportFile(here.db, by)
    expect(changed(await run(here.db, exported, true))).toEqual([])
    // Without what files have said, of what is there alone; and elsewhere from nothing.
    await here.pool.query('delete from applied_objects')
    const whole = await exportFile(here.db, by)
    expect(changed(await run(here.db, whole, true))).toEqual([])
    // A secret does not travel; whoever moves it says where it is.
    const providers = whole.providers?.map((one) => ({ ...one, secret: 'env:ONE' }))
    const moved = providers ? { ...whole, providers } : whole
    expect(await run(there.db, moved)).toMatchObject({ ok: true })
    expect(await exportFile(there.db, by)).toEqual(moved)
  })
  await fc.assert(property, { numRuns: 3 * rounds, timeout: 20_000 })
})
