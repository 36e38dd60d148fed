/** The example of a resource server, with tokens of ours: what it lets through, and what it must not. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demand as inExpress } from '../../deploy/examples/resource-server/express.mjs'
import { allows, createGuard } from '../../deploy/examples/resource-server/guard.mjs'
import { demand as inKoa } from '../../deploy/examples/resource-server/koa.mjs'
import { createApi } from '../../src/clients/apis.ts'
import { createRole } from '../../src/roles/roles.ts'
import { createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const by = { actor: { kind: 'operator' } } as const
const [notes, other] = ['https://notes.example.org', 'https://other.example.org']
const needs = { scope: 'notes:read', role: 'editor', permission: 'read:notes' }
const guard = createGuard({ issuer: origin, audience: notes })
const servers: Server[] = []
afterAll(() => void servers.map((each) => each.close()))

let app: App
let token: string
let plain: string
let foreign: string
let idToken: string
const at: Record<string, string> = {}

beforeAll(async () => {
  await createApi(db, { identifier: notes, scopes: ['notes:read', 'notes:write'] }, by)
  await createApi(db, { identifier: other, scopes: ['other:read'] }, by)
  await createRole(db, { name: 'editor', permissions: ['read:notes', 'write:notes:own'] }, by)
  app = await createApp(server, { scope: 'openid roles permissions', apis: [notes, other] })
  const ada = await createPerson(server, { roles: ['editor'] })
  const bob = await createPerson(server)
  const given = async (person: typeof ada, resource: string, scope: string) => {
    const asked = { resource, scope: `openid roles permissions ${scope}` }
    const { request, code } = await obtainCode(createBrowser(server), app, person, asked)
    return (await app.redeem(request, code, { resource })).body
  }
  const answer = await given(ada, notes, 'notes:read')
  token = String(answer.access_token)
  idToken = String(answer.id_token)
  plain = String((await given(bob, notes, 'notes:read')).access_token)
  foreign = String((await given(ada, other, 'other:read')).access_token)

  const koa = new Koa()
  koa.use(inKoa(guard, needs))
  koa.use((ctx) => {
    ctx.body = { sub: ctx.state.token.sub }
  })
  at.Koa = await listen(koa.callback())
  const route = inExpress(guard, needs)
  at.Express = await listen((req, res) => {
    // What Express does with a handler.
    route(req, res, (error?: unknown) => {
      res.statusCode = error ? 500 : 200
      res.end(JSON.stringify({ sub: (req as unknown as { token?: { sub: string } }).token?.sub }))
    })
  })
})

async function listen(listener: RequestListener): Promise<string> {
  const listening = createServer(listener).listen(0, '127.0.0.1')
  servers.push(listening)
  await new Promise((resolve) => listening.once('listening', resolve))
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/notes`
}

const call = (where: string, authorization?: string) =>
  fetch(at[where] ?? '', authorization ? { headers: { authorization } } : {})

describe.each(['Koa', 'Express'])('%s', (where) => {
  test('lets in who has scope, role and permission', async () => {
    const answer = await call(where, `Bearer ${token}`)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ sub: expect.stringMatching(/^[\da-f-]{36}$/) })
  })

  test('refuses what is no token for it', async () => {
    const broken = `${token.slice(0, -4)}AAAA`
    for (const wrong of [undefined, 'Basic x', 'Bearer x', `Bearer ${broken}`]) {
      const answer = await call(where, wrong)
      expect([wrong, answer.status]).toEqual([wrong, 401])
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    }
    for (const wrong of [foreign, idToken]) {
      expect((await call(where, `Bearer ${wrong}`)).status).toBe(401)
    }
  })

  test('refuses a good token of somebody without the role, in words', async () => {
    const answer = await call(where, `Bearer ${plain}`)
    expect(answer.status).toBe(403)
    expect(answer.headers.get('www-authenticate')).toContain('insufficient_scope')
  })
})

test('each need is asked for by itself', async () => {
  const header = `Bearer ${token}`
  expect(await guard.check(header, { scope: 'notes:read' })).toHaveProperty('claims')
  for (const missing of [
    { scope: 'notes:write' },
    { role: 'admin' },
    { permission: 'write:notes' },
    { permission: 'read:files' },
  ])
    expect(await guard.check(header, missing)).toMatchObject({ status: 403 })
})

test('what is one’s own, and one of them, is allowed where the route says which', () => {
  const claims = { sub: 'ada', permissions: ['write:notes:own', 'delete:notes:7:a', '*:drafts'] }
  expect(allows(claims, 'write:notes')).toBe(false)
  expect(allows(claims, 'write:notes', { owner: 'ada' })).toBe(true)
  expect(allows(claims, 'write:notes', { owner: 'bob' })).toBe(false)
  expect(allows(claims, 'delete:notes', { id: '7:a' })).toBe(true)
  expect(allows(claims, 'delete:notes', { id: '7' })).toBe(false)
  expect(allows(claims, 'burn:drafts')).toBe(true)
  expect(allows({ sub: 'ada', permissions: 'write:notes' }, 'write:notes')).toBe(false)
})
