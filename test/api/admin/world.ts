/** A server with an admin, people and services who are none, and a token for each of them: made once, used by every test. */
import { disableAccount } from '../../../src/accounts/accounts.ts'
import { openApiDocument } from '../../../src/api/openapi.ts'
import { createKeyring, newId } from '../../../src/crypto.ts'
import { createGroup } from '../../../src/roles/groups.ts'
import { grantRole, revokeRole } from '../../../src/roles/holders.ts'
import { createRole } from '../../../src/roles/roles.ts'
import { createForger } from '../../support/forged-tokens.ts'
import { createBrowser, createPerson, obtainCode, type Person } from '../../support/person.ts'
import { type App, createApp } from '../../support/relying-party.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

export const operator = { actor: { kind: 'operator' } } as const

export type Told = {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: an answer may be anything, which is what is tested
  body: any
  headers: Headers
}

export type Asked = {
  token?: string | undefined
  body?: unknown
  headers?: Record<string, string> | undefined
}

export type World = Awaited<ReturnType<typeof createWorld>>

export async function createWorld() {
  const server = await startTestServer({ crontab: '' })
  const { db } = server.database
  const own = `${server.origin}/api`
  const scope = 'openid account admin:read admin:write'
  const app = await createApp(server, { scope })
  const admin = await signIn(server, app, { username: 'root', roles: ['admin'] })
  const forger = await createForger(server)

  let count = 0
  /** Somebody with a role of their own, made of these permissions. */
  async function holder(...permissions: string[]) {
    const name = `test${++count}`
    await createRole(db, { name, permissions }, operator)
    const person = await signIn(server, app, { username: `holder${count}`, roles: [name] })
    return { ...person, role: name }
  }

  /** A service, with these roles. */
  async function service(...roles: string[]) {
    const made = await createApp(server, { preset: 'service', scope: 'admin:read admin:write' })
    for (const role of roles) await grantRole(db, role, { kind: 'client', id: made.id }, operator)
    const { body } = await made.post('token', {
      grant_type: 'client_credentials',
      scope: 'admin:read admin:write',
      resource: own,
    })
    return { app: made, token: String(body.access_token) }
  }

  async function call(method: string, path: string, asked: Asked = {}): Promise<Told> {
    const { token, body, headers } = asked
    const response = await fetch(`${own}/admin${path}`, {
      method: method.toUpperCase(),
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const { status, headers: told } = response
    return { status, headers: told, body: text === '' ? undefined : JSON.parse(text) }
  }

  const asAdmin = (method: string, path: string, asked: Omit<Asked, 'token'> = {}) =>
    call(method, path, { token: admin.token, ...asked })

  /** The ETag of what stands there. */
  async function match(path: string): Promise<Record<string, string>> {
    const { headers } = await asAdmin('get', path)
    return { 'if-match': headers.get('etag') ?? 'none' }
  }

  return {
    server,
    db,
    own,
    app,
    admin,
    keyring: createKeyring(server.config.secretKeys),
    document: openApiDocument({ issuer: server.origin, brandName: server.config.brandName }),
    resigned: forger.resigned,
    holder,
    service,
    call,
    asAdmin,
    match,
    /** Nobody of that name is there yet. */
    fresh: (word = 'thing') => `${word}${newId().replaceAll('-', '').slice(-12)}`,
    somebody: (roles?: string[]) => createPerson(server, roles ? { roles } : {}),
  }
}

export async function makeRole(
  { db, fresh }: Pick<World, 'db' | 'fresh'>,
  permissions = ['read:notes'],
): Promise<string> {
  const name = fresh('role')
  await createRole(db, { name, permissions }, operator)
  return name
}

export async function makeGroup({ db, fresh }: Pick<World, 'db' | 'fresh'>): Promise<string> {
  const name = fresh('Team')
  await createGroup(db, { name }, operator)
  return name
}

/** With a token of every scope, and the ID token of the same sign-in. */
export async function signIn(
  server: TestServer,
  app: App,
  who: { username: string; roles?: string[] },
): Promise<Person & { token: string; idToken: string }> {
  const person = await createPerson(server, who)
  const asked = { scope: 'openid account admin:read admin:write', resource: `${server.origin}/api` }
  const { request, code } = await obtainCode(createBrowser(server), app, person, asked)
  const { body } = await app.redeem(request, code, { resource: asked.resource })
  return { ...person, token: String(body.access_token), idToken: String(body.id_token) }
}

/** Whom every operation refuses: their tokens, and what they are told. */
export async function createRefused(world: World) {
  const { server, app, db, admin, resigned } = world
  const nobody = await signIn(server, app, { username: 'nobody' })
  const disabled = await signIn(server, app, { username: 'former', roles: ['admin'] })
  const demoted = await signIn(server, app, { username: 'demoted', roles: ['admin'] })
  const selfish = await world.holder('*:*:own')
  const service = await world.service()
  await disableAccount(db, disabled.id, 'left', { kind: 'operator' })
  await revokeRole(db, 'admin', { kind: 'account', id: demoted.id }, operator)
  const past = Math.floor(Date.now() / 1000) - 3600
  const invalid = [401, 'invalid_token'] as const
  const lacking = [403, 'insufficient_scope'] as const
  const forbidden = [403, 'forbidden'] as const
  return {
    anybody: {
      'no token': [undefined, [401, 'token_required']],
      garbage: ['not.a.token', invalid],
      'one that has expired': [await resigned(admin.token, { exp: past, iat: past - 60 }), invalid],
      'an ID token': [admin.idToken, invalid],
      'one for another audience': [
        await resigned(admin.token, { aud: 'https://x.example' }),
        invalid,
      ],
      'one with the scope of accounts': [
        await resigned(admin.token, { scope: 'account' }),
        lacking,
      ],
      'a person without a role': [nobody.token, forbidden],
      'a service without a role': [service.token, forbidden],
      'somebody who may what is their own, at what is another’s': [selfish.token, forbidden],
      'an admin who was switched off': [disabled.token, invalid],
      'an admin whose role was taken': [demoted.token, forbidden],
    },
    reading: {
      'the scope to write': [await resigned(admin.token, { scope: 'admin:write' }), lacking],
    },
    writing: {
      'the scope to read': [await resigned(admin.token, { scope: 'admin:read' }), lacking],
    },
    sensitive: {
      'a sign-in of yesterday': [
        await resigned(admin.token, { auth_time: past }),
        [401, 'insufficient_user_authentication'],
      ],
    },
  } satisfies Record<
    string,
    Record<string, readonly [string | undefined, readonly [number, string]]>
  >
}
