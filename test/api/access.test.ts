/** Decisions for other services, as AuthZEN Authorization API 1.0 asks and answers them. */
import { beforeAll, describe, expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { createEvaluator } from '../../src/api/access/evaluate.ts'
import { addMember, createGroup } from '../../src/roles/groups.ts'
import { grantRole, revokeRole } from '../../src/roles/holders.ts'
import { createRole } from '../../src/roles/roles.ts'
import { createPerson } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const by = { actor: { kind: 'operator' } } as const
const resource = `${origin}/api`

await createRole(
  db,
  {
    name: 'editor',
    permissions: [
      'read:notes',
      'write:notes:own',
      'delete:notes:7',
      'purge:notes if acr=2fa and address=10.0.0.0/8',
      'open:office if hours=mon-fri/09:00-17:00/UTC',
    ],
  },
  by,
)
await createGroup(db, { name: 'Desk', roles: ['editor'] }, by)
const ada = await createPerson(server)
await addMember(db, 'Desk', ada.id, by)
const eve = await createPerson(server)

let service: App
let token = ''

beforeAll(async () => {
  service = await createApp(server, { preset: 'service', scope: 'access:evaluate' })
  token = await tokenOf(service)
  await createRole(db, { name: 'boss', clientId: service.id, permissions: ['run:jobs'] }, by)
  await grantRole(db, `${service.id}/boss`, { kind: 'account', id: ada.id }, by)
})

async function tokenOf(app: App, scope = 'access:evaluate'): Promise<string> {
  const { body } = await app.post('token', { grant_type: 'client_credentials', resource, scope })
  return body.access_token ?? expect.fail(JSON.stringify(body))
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(`${origin}/access/v1/${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: answer.status, headers: answer.headers, body: await answer.json() }
}

const question = (
  action: string,
  id: string,
  more: { subject?: string; type?: string; owner?: string; context?: Record<string, unknown> } = {},
) => ({
  subject: { type: 'user', id: more.subject ?? ada.id },
  action: { name: action },
  resource: {
    type: more.type ?? 'notes',
    id,
    ...(more.owner ? { properties: { owner: more.owner } } : {}),
  },
  ...(more.context ? { context: more.context } : {}),
})
const decide = async (...given: Parameters<typeof question>) =>
  (await post('evaluation', question(...given))).body.decision

describe('one question', () => {
  test('is answered by what the person holds, whatever they are called by', async () => {
    for (const subject of [ada.id, ada.username, ada.email])
      expect(await decide('read', '1', { subject })).toBe(true)
    expect(await decide('read', '1', { subject: eve.id })).toBe(false)
    expect(await decide('break', '1')).toBe(false)
  })

  test('may be answered otherwise where only the id is another', async () => {
    expect([await decide('delete', '7'), await decide('delete', '8')]).toEqual([true, false])
  })

  test('may be answered otherwise where only the context is another', async () => {
    const purge = (context: Record<string, unknown>) => decide('purge', '1', { context })
    expect(await purge({ acr: '2fa', address: '10.1.2.3' })).toBe(true)
    expect(await purge({ acr: '1fa', address: '10.1.2.3' })).toBe(false)
    expect(await purge({ acr: '2fa', address: '192.0.2.1' })).toBe(false)
    expect(await purge({})).toBe(false)
    const from = (ip_address: unknown) => ({
      ...question('purge', '1', { context: { acr: '2fa' } }),
      subject: { type: 'user', id: ada.id, properties: { ip_address } },
    })
    expect((await post('evaluation', from('10.1.2.3'))).body).toEqual({ decision: true })
    expect((await post('evaluation', from('192.0.2.1'))).body).toEqual({ decision: false })
    expect((await post('evaluation', from(['10.1.2.3']))).body).toEqual({ decision: false })
    const open = (time: unknown) => decide('open', '1', { type: 'office', context: { time } })
    expect(await open('2026-11-20T10:00:00Z')).toBe(true)
    expect(await open('2026-11-20T03:00-07:00')).toBe(true)
    expect(await open('2026-11-21T10:00:00Z')).toBe(false)
    expect(await open('soon')).toBe(false)
    expect(await open(7)).toBe(false)
  })

  test('about what is one’s own is answered by the owner that the service names', async () => {
    expect(await decide('write', '1', { owner: ada.id })).toBe(true)
    expect(await decide('write', '1', { owner: eve.id })).toBe(false)
    expect(await decide('write', '1')).toBe(false)
  })

  test('about an app is answered by the roles of the app', async () => {
    const robot = await createApp(server, { preset: 'service', scope: 'access:evaluate' })
    await grantRole(db, 'editor', { kind: 'client', id: robot.id }, by)
    const ask = async (id: string) =>
      (await post('evaluation', { ...question('read', '1'), subject: { type: 'client', id } })).body
    expect(await ask(robot.id)).toEqual({ decision: true })
    expect(await ask('nobody')).toEqual({ decision: false })
    expect(await ask(ada.id)).toEqual({ decision: false })
  })

  test('of a service counts its own roles, and of another one not', async () => {
    const jobs = { type: 'jobs' }
    expect(await decide('run', '1', jobs)).toBe(true)
    const other = await tokenOf(
      await createApp(server, { preset: 'service', scope: 'access:evaluate' }),
    )
    const headers = { authorization: `Bearer ${other}` }
    expect((await post('evaluation', question('run', '1', jobs), headers)).body).toEqual({
      decision: false,
    })
  })

  test('about nobody is a no like any other', async () => {
    const nobody = ['ghost', '00000000-0000-4000-8000-000000000000', "' or 1=1", 'x'.repeat(1000)]
    for (const subject of nobody)
      expect((await post('evaluation', question('read', '1', { subject }))).body).toEqual({
        decision: false,
      })
    const alien = { ...question('read', '1'), subject: { type: 'martian', id: ada.id } }
    expect((await post('evaluation', alien)).body).toEqual({ decision: false })
  })

  test('with members that we do not know is answered all the same', async () => {
    const more = { ...question('read', '1'), obligations: [1], trace: { id: 'x' } }
    expect((await post('evaluation', more)).body).toEqual({ decision: true })
  })
})

describe('many questions', () => {
  const three = [
    { resource: { type: 'notes', id: '1' } },
    { action: { name: 'delete' }, resource: { type: 'notes', id: '8' } },
    { action: { name: 'delete' }, resource: { type: 'notes', id: '7' } },
  ]
  const common = () => ({ subject: { type: 'user', id: ada.id }, action: { name: 'read' } })

  test.each([
    [undefined, [true, false, true]],
    ['execute_all', [true, false, true]],
    ['deny_on_first_deny', [true, false]],
    ['permit_on_first_permit', [true]],
  ])('with %s are answered so far as is asked', async (semantic, decisions) => {
    const options = semantic ? { options: { evaluations_semantic: semantic } } : {}
    const { body } = await post('evaluations', { ...common(), ...options, evaluations: three })
    expect(body.evaluations.map(({ decision }: { decision: boolean }) => decision)).toEqual(
      decisions,
    )
  })

  test('take from what is said for all what they do not say themselves', async () => {
    const all = { ...question('purge', '1'), context: { acr: '2fa', address: '10.0.0.1' } }
    const { body } = await post('evaluations', {
      ...all,
      evaluations: [{}, { context: { acr: '2fa' } }, { subject: { type: 'user', id: eve.id } }],
    })
    expect(body).toEqual({
      evaluations: [{ decision: true }, { decision: false }, { decision: false }],
    })
  })

  test('are filled in where an item leaves out what has to be there, and with nothing else', async () => {
    const own = { type: 'notes', properties: { owner: ada.id } }
    const { body } = await post('evaluations', {
      ...common(),
      resource: own,
      action: { name: 'write' },
      evaluations: [
        { resource: { id: '1', properties: { owner: ada.id } } },
        { resource: { id: '1' } },
      ],
    })
    expect(body).toEqual({ evaluations: [{ decision: true }, { decision: false }] })
  })

  test('without a list are one question', async () => {
    expect((await post('evaluations', question('read', '1'))).body).toEqual({ decision: true })
    const empty = { ...question('read', '1'), evaluations: [] }
    expect((await post('evaluations', empty)).body).toEqual({ decision: true })
  })

  test('of which one is none: that one is denied with its reason', async () => {
    const { body } = await post('evaluations', { ...common(), evaluations: [{}, three[0]] })
    expect(body.evaluations).toEqual([
      {
        decision: false,
        context: { error: { status: 400, message: expect.stringContaining('resource') } },
      },
      { decision: true },
    ])
  })

  test('are no more than a hundred, and by a semantic that exists', async () => {
    const many = Array.from({ length: 101 }, () => three[0])
    expect((await post('evaluations', { ...common(), evaluations: many })).status).toBe(400)
    const options = { evaluations_semantic: 'guess' }
    expect((await post('evaluations', { ...common(), options, evaluations: three })).status).toBe(
      400,
    )
  })
})

describe('who asks', () => {
  test.each([
    ['nobody', {}, 401],
    ['a token that is none', { authorization: 'Bearer x' }, 401],
  ])('%s is refused', async (_, headers, status) => {
    const refused = await post('evaluation', question('read', '1'), {
      authorization: '',
      ...headers,
    })
    expect(refused.status).toBe(status)
    expect(refused.headers.get('www-authenticate')).toContain('Bearer')
  })

  test('a token of another scope is refused', async () => {
    const app = await createApp(server, { preset: 'service', scope: 'service-settings' })
    const authorization = `Bearer ${await tokenOf(app, 'service-settings')}`
    const refused = await post('evaluation', question('read', '1'), { authorization })
    expect(refused.status).toBe(403)
  })

  test('finds its request again by the id that it gave', async () => {
    const headers = { 'x-request-id': 'bfe9eb29-ab87-4ca3-be83-a1d5d8305716' }
    const answer = await post('evaluation', question('read', '1'), headers)
    expect(answer.headers.get('x-request-id')).toBe(headers['x-request-id'])
    const refused = await post('evaluation', '{', headers)
    expect(refused.headers.get('x-request-id')).toBe(headers['x-request-id'])
    const strangers = await post('evaluation', question('read', '1'), {
      ...headers,
      authorization: '',
    })
    expect([strangers.status, strangers.headers.get('x-request-id')]).toEqual([
      401,
      headers['x-request-id'],
    ])
    const long = await post('evaluation', question('read', '1'), {
      'x-request-id': 'x'.repeat(257),
    })
    expect(long.headers.get('x-request-id')).not.toContain('xxx')
  })
})

test.each([
  ['', 400],
  ['{', 400],
  ['[]', 400],
  ['{}', 400],
  ['"x"', 400],
  [JSON.stringify({ subject: { type: 'user' }, action: {}, resource: {} }), 400],
  [
    JSON.stringify({
      subject: { type: 'user', id: 7 },
      action: { name: 'read' },
      resource: { type: 'notes', id: '1' },
    }),
    400,
  ],
])('%s is no question', async (body, status) => {
  const answer = await post('evaluation', body)
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toContain('application/problem+json')
})

test('what is not said to be JSON is no question either (§10.1.2)', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    const answer = await post('evaluation', question('read', '1'), { 'content-type': type })
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request'])
  }
  const spelt = { 'content-type': 'application/json; charset=utf-8' }
  expect((await post('evaluation', question('read', '1'), spelt)).status).toBe(200)
})

test('the metadata names the addresses (§9)', async () => {
  const answer = await fetch(`${origin}/.well-known/authzen-configuration`)
  expect(await answer.json()).toEqual({
    policy_decision_point: origin,
    access_evaluation_endpoint: `${origin}/access/v1/evaluation`,
    access_evaluations_endpoint: `${origin}/access/v1/evaluations`,
  })
  expect(answer.headers.get('cache-control')).toContain('max-age')
})

describe('what is remembered', () => {
  const asked = (id: string) => ({ ...question('read', '1'), subject: { type: 'user', id } })

  test('is gone two seconds later at most: a role that was taken, an account that was switched off', async () => {
    const [bob, joe] = [
      await createPerson(server, { roles: ['editor'] }),
      await createPerson(server, { roles: ['editor'] }),
    ]
    let now = Date.now()
    const { evaluate } = createEvaluator(db, () => now)
    const ask = async (id: string) => (await evaluate(asked(id), service.id)).decision
    expect([await ask(bob.id), await ask(joe.id)]).toEqual([true, true])
    await revokeRole(db, 'editor', { kind: 'account', id: bob.id }, by)
    await disableAccount(db, joe.id, 'test', by.actor)
    now += 2001
    expect([await ask(bob.id), await ask(joe.id)]).toEqual([false, false])
  })

  test('is forgotten at once where a process hears of a change', async () => {
    const bob = await createPerson(server, { roles: ['editor'] })
    const evaluator = createEvaluator(db)
    const ask = async () => (await evaluator.evaluate(asked(bob.id), service.id)).decision
    expect(await ask()).toBe(true)
    await revokeRole(db, 'editor', { kind: 'account', id: bob.id }, by)
    evaluator.forget()
    expect(await ask()).toBe(false)
  })

  test('is heard of over HTTP within two seconds', async () => {
    const bob = await createPerson(server, { roles: ['editor'] })
    const may = () => decide('read', '1', { subject: bob.id })
    expect(await may()).toBe(true)
    await revokeRole(db, 'editor', { kind: 'account', id: bob.id }, by)
    await expect.poll(may, { timeout: 2500, interval: 100 }).toBe(false)
  })

  test('is answered within a millisecond of our own work', async () => {
    const { evaluate } = createEvaluator(db)
    const roles = Array.from({ length: 10 }, (_, index) => `clerk${index}`)
    for (const name of roles) {
      const permissions = Array.from(
        { length: 10 },
        (_, index) => `read:things:${name}-${index} if acr=2fa and address=10.0.0.0/8`,
      )
      await createRole(db, { name, permissions }, by)
    }
    const bob = await createPerson(server, { roles })
    const no = { ...question('read', 'none', { type: 'things', subject: bob.id }) }
    await evaluate(no, service.id)
    const before = process.cpuUsage()
    for (let count = 0; count < 500; count++)
      expect((await evaluate(no, service.id)).decision).toBe(false)
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000 / 500).toBeLessThan(1)
  })

  test('is not one service’s for another', async () => {
    const { evaluate } = createEvaluator(db)
    const jobs = { ...asked(ada.id), action: { name: 'run' }, resource: { type: 'jobs', id: '1' } }
    expect(await evaluate(jobs, service.id)).toEqual({ decision: true })
    expect(await evaluate(jobs, 'another')).toEqual({ decision: false })
  })
})
