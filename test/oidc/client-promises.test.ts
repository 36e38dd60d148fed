/**
 * Three accounts of the same thing: what a client's row says, what registration answered it, and what discovery promises
 * to everybody. They have to agree for whatever an app may ask for, and for what it may not.
 */
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import type { ClientMetadata } from '../../src/clients/metadata.ts'
import { openAuthMethods } from '../../src/clients/registration-policy.ts'
import { standardScopes } from '../../src/clients/scopes.ts'
import { createClientCheck } from '../../src/oidc/validate-client.ts'
import { createKey, type Key } from '../support/client-keys.ts'
import { call, makeToken, type Registered, register, sendable } from '../support/registration.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin, database } = server
const { db } = database
const uri = 'https://agent.example.com'
const engineCheck = createClientCheck(origin)
let token: string
let key: Key
let promised: Record<string, string[]>

beforeAll(async () => {
  key = await createKey()
  token = await makeToken(server, {
    scopes: [...standardScopes],
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  })
  // The server looks once a second.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  promised = (await discovered()) as typeof promised
})

const discovered = async () =>
  (await (await fetch(`${origin}/.well-known/openid-configuration`)).json()) as Record<
    string,
    unknown
  >

/** Which list of discovery a member of a client is chosen from. */
const lists = {
  token_endpoint_auth_method: 'token_endpoint_auth_methods_supported',
  token_endpoint_auth_signing_alg: 'token_endpoint_auth_signing_alg_values_supported',
  request_object_signing_alg: 'request_object_signing_alg_values_supported',
  id_token_signed_response_alg: 'id_token_signing_alg_values_supported',
  userinfo_signed_response_alg: 'userinfo_signing_alg_values_supported',
  introspection_signed_response_alg: 'introspection_signing_alg_values_supported',
  authorization_signed_response_alg: 'authorization_signing_alg_values_supported',
  subject_type: 'subject_types_supported',
  grant_types: 'grant_types_supported',
  response_types: 'response_types_supported',
  response_modes: 'response_modes_supported',
  scope: 'scopes_supported',
} as const satisfies Partial<Record<keyof ClientMetadata, string>>
type Member = keyof typeof lists

const valuesOf = (member: Member, value: unknown): unknown[] =>
  member === 'scope' ? String(value).split(' ') : [value].flat()

/** What makes this one value fit with the rest. */
function bodyWith(member: Member, value: string): Record<string, unknown> {
  const keyed = { jwks: { keys: [key.publicJwk] } }
  const base = { redirect_uris: [`${uri}/cb`], client_name: 'Agent' }
  switch (member) {
    case 'token_endpoint_auth_method':
      return {
        ...base,
        [member]: value,
        ...(value.startsWith('client_') || value === 'none' ? {} : keyed),
      }
    case 'token_endpoint_auth_signing_alg':
      return { ...base, ...keyed, token_endpoint_auth_method: 'private_key_jwt', [member]: value }
    case 'request_object_signing_alg':
      return { ...base, ...keyed, [member]: value }
    case 'grant_types':
      return value === 'client_credentials'
        ? { client_name: 'Agent', grant_types: [value] }
        : { ...base, grant_types: [...new Set(['authorization_code', value])] }
    case 'response_types':
    case 'response_modes':
      return { ...base, [member]: [value] }
    case 'scope':
      return {
        ...base,
        grant_types: ['authorization_code', 'refresh_token'],
        scope: [...new Set(['openid', value])].join(' '),
      }
    default:
      return { ...base, [member]: value }
  }
}

const stored = async (id: string) =>
  (await db.selectFrom('clients').select('metadata').where('id', '=', id).executeTakeFirstOrThrow())
    .metadata as unknown as ClientMetadata

/** What is said once, when it is made, or about the way to it. */
function withoutKeys({ client_secret: _, ...rest }: Record<string, unknown>) {
  const { client_id: _id, ...own } = sendable(rest as Registered)
  return own
}

async function agree(body: Registered): Promise<void> {
  expect(withoutKeys(body)).toEqual(await stored(body.client_id))
  const read = await call('GET', body.registration_client_uri, body.registration_access_token)
  expect(withoutKeys(read.body)).toEqual(withoutKeys(body))
  for (const [member, list] of Object.entries(lists)) {
    if (body[member] === undefined) continue
    for (const value of valuesOf(member as Member, body[member])) {
      expect(promised[list], `${member} ${value}`).toContain(value)
    }
  }
  const secret = body.client_secret === undefined ? {} : { client_secret: 'x'.repeat(43) }
  await engineCheck({
    ...(await stored(body.client_id)),
    client_id: body.client_id,
    ...secret,
  } as never)
}

/** Grants and ways that only an admin sets up. */
const forAdmins: Partial<Record<Member, (value: string) => boolean>> = {
  grant_types: (value) => value.startsWith('urn:'),
  token_endpoint_auth_method: (value) => !openAuthMethods.includes(value),
}

test.each(Object.keys(lists) as Member[])(
  '%s: every promised value is taken, and told back',
  async (member) => {
    const given = promised[lists[member]] ?? expect.fail(`${lists[member]} is not there`)
    const open = given.filter((value) => !forAdmins[member]?.(value))
    expect(open.length).toBeGreaterThan(0)
    for (const value of open) {
      const { status, body } = await register(server, token, bodyWith(member, value))
      expect([value, status, body.error_description]).toEqual([value, 201, undefined])
      expect(valuesOf(member, body[member])).toContain(value)
      await agree(body)
    }
  },
)

const others = [
  ...[
    'none',
    'HS256',
    'RS384',
    'ES512',
    'ES256K',
    'client_secret_jwt',
    'tls_client_auth',
    'ephemeral',
  ],
  ...['implicit', 'password', 'token', 'id_token', 'web_message', 'admin', 'account', 'openid2'],
]

test.each(Object.keys(lists) as Member[])('%s: no other value is', async (member) => {
  for (const value of others.filter((name) => !promised[lists[member]]?.includes(name))) {
    const { status, body } = await register(server, token, bodyWith(member, value))
    expect([value, status]).toEqual([value, 400])
    expect(body.error_description).toContain(member)
  }
})

test('whatever is asked for together: refused, or the three agree', async () => {
  // Mostly what may be, or nothing of it would ever be taken together.
  const mostly = <T>(good: T[], bad: T[]) =>
    fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom(...good) },
      { weight: 1, arbitrary: fc.constantFrom(...bad) },
    )
  const some = (member: Member) =>
    mostly(
      (promised[lists[member]] ?? []).filter((value) => !forAdmins[member]?.(value)),
      ['HS256', 'made-up'],
    )
  const many = (member: Member) => fc.uniqueArray(some(member), { minLength: 1, maxLength: 4 })
  const bodies = fc.record(
    {
      redirect_uris: mostly(
        [[`${uri}/cb`], [`${uri}/a`, `${uri}/b`], ['http://localhost/cb']],
        [[], ['http://app.example.com/cb']],
      ),
      post_logout_redirect_uris: fc.constantFrom([`${uri}/`], []),
      client_name: mostly(['Agent', 'Ägent'], ['', '<b>']),
      application_type: mostly(['web', 'native'], ['toaster']),
      token_endpoint_auth_method: some('token_endpoint_auth_method'),
      id_token_signed_response_alg: some('id_token_signed_response_alg'),
      authorization_signed_response_alg: some('authorization_signed_response_alg'),
      subject_type: some('subject_type'),
      grant_types: mostly(
        [['authorization_code', 'refresh_token']],
        [['authorization_code'], ['client_credentials'], ['implicit'], []],
      ),
      response_types: mostly([['code']], [[], ['token']]),
      response_modes: many('response_modes'),
      scope: many('scope').map((scopes) => scopes.join(' ')),
      jwks: fc.constant({ keys: [key.publicJwk] }),
      require_pushed_authorization_requests: fc.boolean(),
      dpop_bound_access_tokens: fc.boolean(),
      first_party: fc.boolean(),
      apis: fc.constant(['https://api.example.com']),
    },
    { requiredKeys: ['redirect_uris'] },
  )
  let taken = 0
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
      const reply = await register(server, token, body)
      if (reply.status === 400) {
        expect(reply.body.error).toMatch(/^invalid_/)
        return
      }
      expect(reply.status).toBe(201)
      taken += 1
      await agree(reply.body)
    }),
    { numRuns: rounds * 20 },
  )
  expect(taken).toBeGreaterThan(rounds * 4)
})
