/** What holds for every noun of the admin API: pages, tags against lost changes, acts that are done once, and strict bodies. */
import { describe, expect, test } from 'vitest'
import { forgetAnswers } from '../../../src/idempotency.ts'
import { auditOf } from '../../support/audit.ts'
import { createApp } from '../../support/relying-party.ts'
import { rounds } from '../../support/rounds.ts'
import { createWorld, makeGroup, makeRole, type Told } from './world.ts'

const world = await createWorld()
const { asAdmin, call, db, somebody, fresh } = world
const outcome = ({ status, body }: Told) => [status, body?.code]
const atOnce = <T>(count: number, act: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => act(index)))
const newcomer = (username = fresh('n')) => ({
  username,
  email: `${username}@example.org`,
  email_verified: true,
})

describe('a list', () => {
  test('comes page by page, each row once, whoever comes and goes meanwhile', async () => {
    const prefix = fresh('page')
    const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => `${prefix}${letter}`)
    for (const name of names) await asAdmin('post', '/accounts', { body: newcomer(name) })
    const seen: string[] = []
    let path: string | undefined = `/accounts?username=${prefix}&page_size=2`
    while (path) {
      const { body, headers }: Told = await asAdmin('get', path)
      seen.push(...body.items.map(({ username }: { username: string }) => username))
      if (seen.length === 2) await asAdmin('post', '/accounts', { body: newcomer(`${prefix}aa`) })
      const [, next] = /<\/api\/admin([^>]+)>; rel="next"/.exec(headers.get('link') ?? '') ?? []
      expect(next === undefined).toBe(body.next_cursor === null)
      path = next
    }
    expect(seen).toEqual(names)
  })

  test('gives no more at once than is allowed, and never none', async () => {
    await somebody()
    for (const size of ['0', '1', '1000000000']) {
      const { status, body } = await asAdmin('get', `/accounts?page_size=${size}`)
      expect(status).toBe(200)
      expect(body.items.length).toBeGreaterThan(0)
      expect(body.items.length).toBeLessThanOrEqual(size === '1000000000' ? 200 : 1)
    }
    for (const query of ['page_size=-1', 'page_size=x', 'page_size=2&page_size=3', 'nothing=1']) {
      expect(outcome(await asAdmin('get', `/accounts?${query}`))).toEqual([400, 'invalid_request'])
    }
  })

  test('refuses a cursor that was changed, or is of another list', async () => {
    await atOnce(3, () => somebody())
    const { body } = await asAdmin('get', '/accounts?page_size=1')
    const cursor = String(body.next_cursor)
    const bytes = Buffer.from(cursor, 'base64url')
    const other = Buffer.concat([bytes.subarray(0, 16), Buffer.from('["zz"]')]).toString(
      'base64url',
    )
    for (const forged of [other, 'x', '', cursor.slice(0, 20)]) {
      const answer = await asAdmin('get', `/accounts?page_size=1&cursor=${forged}`)
      expect(outcome(answer), forged).toEqual([400, 'cursor_invalid'])
    }
    const filtered = await asAdmin('get', `/accounts?status=active&cursor=${cursor}`)
    expect(outcome(filtered)).toEqual([400, 'cursor_invalid'])
  })
})

describe('two admins who change one thing', () => {
  test('lose nothing: of twenty who read the same, one writes, and each comes through in the end', async () => {
    const { id } = await somebody()
    const path = `/accounts/${id}`
    const headers = await world.match(path)
    const first = await atOnce(20, (index) =>
      asAdmin('patch', path, { body: { name: `Name ${index}` }, headers }),
    )
    expect(first.filter(({ status }) => status === 200)).toHaveLength(1)
    const lost = first.filter(({ status }) => status !== 200)
    expect(lost.map(outcome)).toEqual(lost.map(() => [412, 'changed_meanwhile']))
    const members = ['name', 'given_name', 'family_name', 'zoneinfo', 'phone_number'] as const
    const values = ['Ada L', 'Ada', 'Lovelace', 'Europe/London', '+442079460000']
    await atOnce(members.length, async (index) => {
      const body = { [members[index] as string]: values[index] }
      for (;;) {
        const answer = await asAdmin('patch', path, { body, headers: await world.match(path) })
        if (answer.status === 200) return
        expect(answer.status).toBe(412)
      }
    })
    const { body } = await asAdmin('get', path)
    expect(members.map((name) => body[name])).toEqual(values)
  })

  test('lose nothing of an app, an API, a role, a group and the settings either', async () => {
    const { id } = await createApp(world.server)
    const identifier = `https://${fresh('a')}.example.com`
    await asAdmin('post', '/apis', { body: { identifier, scopes: ['read'] } })
    const nouns: [string, (index: number) => object][] = [
      [`/clients/${id}`, (index) => ({ client_uri: `https://app${index}.example.com` })],
      [`/apis/${encodeURIComponent(identifier)}`, (index) => ({ name: `API ${index}` })],
      [`/roles/${await makeRole(world)}`, (index) => ({ permissions: [`read:notes:${index}`] })],
      [`/groups/${await makeGroup(world)}`, (index) => ({ description: `Team ${index}` })],
      ['/settings', (index) => ({ remember_days: index + 1, audit_retention_days: index + 1 })],
    ]
    for (const [path, body] of nouns) {
      const headers = await world.match(path)
      const answers = await atOnce(rounds, (index) =>
        asAdmin('patch', path, { body: body(index), headers }),
      )
      const won = answers.findIndex(({ status }) => status === 200)
      expect((await asAdmin('get', path)).body, path).toMatchObject(body(won))
      expect(
        answers.filter(({ status }) => status === 200),
        path,
      ).toHaveLength(1)
      expect(new Set(answers.map(({ status }) => status)), path).toEqual(new Set([200, 412]))
    }
  })

  test('say what they have read: without it nothing is changed', async () => {
    const { id } = await somebody()
    const path = `/accounts/${id}`
    const patch = (match?: string) =>
      asAdmin('patch', path, {
        body: { name: 'Ada' },
        headers: match === undefined ? {} : { 'if-match': match },
      })
    const { 'if-match': tag = '' } = await world.match(path)
    expect(outcome(await patch())).toEqual([428, 'if_match_required'])
    for (const wrong of ['"x"', `W/${tag}`, tag.slice(1)]) {
      expect(outcome(await patch(wrong))).toEqual([412, 'changed_meanwhile'])
    }
    expect((await patch(`"x", ${tag}`)).status).toBe(200)
    expect((await patch('*')).status).toBe(200)
  })
})

describe('an act with an Idempotency-Key', () => {
  const make = (key: string, body: object, token = world.admin.token) =>
    call('post', '/accounts', { token, body, headers: { 'idempotency-key': key } })

  test('twenty at once make one thing, and whoever asks again gets the first answer', async () => {
    const body = newcomer()
    const answers = await atOnce(20, () => make('k1', body))
    for (const answer of answers) expect([201, 409]).toContain(answer.status)
    const made = answers.filter(({ status }) => status === 201)
    expect(made.length).toBeGreaterThan(0)
    const ids = new Set(made.map((answer) => answer.body.id))
    expect(ids.size).toBe(1)
    const again = await make('k1', body)
    expect([...ids]).toEqual([again.body.id])
    expect(again.status).toBe(201)
    const first = made.find(({ headers }) => !headers.get('idempotency-replayed'))
    for (const name of ['location', 'etag']) {
      expect(again.headers.get(name)).toBe(first?.headers.get(name))
    }
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    const created = (await auditOf(db, 'account.created')).filter(
      ({ accountId }) => accountId === again.body.id,
    )
    expect(created).toHaveLength(1)
  })

  test('is refused with another body, and is nobody else’s', async () => {
    const body = newcomer()
    expect((await make('k2', body)).status).toBe(201)
    expect(outcome(await make('k2', newcomer()))).toEqual([422, 'idempotency_key_reused'])
    const other = await world.service('admin')
    const theirs = await make('k2', body, other.token)
    expect(outcome(theirs)).toEqual([409, 'invalid_request'])
    expect(outcome(await make('a key with spaces', body))).toEqual([400, 'idempotency_key_invalid'])
  })

  test('that was refused may be asked for again under the same key', async () => {
    const taken = newcomer()
    await make('k3', taken)
    expect((await make('k4', { ...newcomer(), username: taken.username })).status).toBe(409)
    expect((await make('k4', newcomer())).status).toBe(201)
  })

  test('is forgotten after a day, and its answer is sealed until then', async () => {
    const body = newcomer()
    await make('k5', body)
    const rows = await db.selectFrom('idempotencyKeys').selectAll().execute()
    const stored = rows.map(({ answer }) => answer?.toString('latin1')).join()
    expect(stored).not.toContain(body.username)
    expect(rows.some(({ keyHash }) => keyHash.toString('latin1').includes('k5'))).toBe(false)
    await db
      .updateTable('idempotencyKeys')
      .set({ expiresAt: new Date(0) })
      .execute()
    expect(await forgetAnswers(db)).toBe(rows.length)
    expect((await make('k5', body)).status).toBe(409)
  })

  test('that died half-way is taken over, and what it did late is undone', async () => {
    const body = newcomer()
    await make('k6', body)
    await db
      .updateTable('idempotencyKeys')
      .set({ answer: null, startedAt: new Date(Date.now() - 120_000) })
      .execute()
    await db.deleteFrom('accounts').where('username', '=', body.username).execute()
    expect((await make('k6', body)).status).toBe(201)
  })
})

describe('a body', () => {
  test('with members that are not known, or the id of another, is refused whole', async () => {
    const [one, other] = [await somebody(), await somebody()]
    const path = `/accounts/${one.id}`
    const headers = await world.match(path)
    for (const member of ['id', 'roles', 'groups', 'password', 'passwordHash', 'email']) {
      const body = { name: 'Ada', [member]: other.id }
      const answer = await asAdmin('patch', path, { body, headers })
      expect(outcome(answer), member).toEqual([400, 'invalid_request'])
      expect(answer.body.errors).toEqual([{ field: member, code: 'unknown_field' }])
    }
    expect((await asAdmin('get', path)).headers.get('etag')).toBe(headers['if-match'])
  })
})

describe('an address', () => {
  test('that names nothing is not there, whatever stands in it', async () => {
    const ids = ['x', "'--", '..%2f..', '01900000-0000-7000-8000-000000000000', 'a'.repeat(500)]
    for (const id of ids) {
      const paths = ['accounts', 'clients', 'apis', 'roles', 'groups', 'invites', 'providers']
      for (const noun of paths) {
        expect((await asAdmin('get', `/${noun}/${id}`)).status, `${noun} ${id}`).toBe(404)
      }
      expect((await asAdmin('delete', `/sessions/${id}`)).status).toBe(404)
      expect((await asAdmin('post', `/mail/${id}/retry`)).status).toBe(404)
    }
    expect((await asAdmin('get', '/accounts/%zz')).status).toBe(400)
    expect((await asAdmin('get', '/accounts?username=%00')).status).toBe(400)
  })

  test('is answered for whoever asks, and kept by no cache', async () => {
    for (const path of ['/accounts', '/settings', '/keys']) {
      const { headers } = await asAdmin('get', path)
      expect(headers.get('cache-control'), path).toBe('no-store')
    }
  })
})

test('an app that the rules have left behind can still be switched off', async () => {
  const { id } = await createApp(world.server)
  const path = `/clients/${id}`
  const row = await db
    .selectFrom('clients')
    .select('metadata')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const metadata = JSON.stringify({ ...row.metadata, redirect_uris: ['http://old.example.com/cb'] })
  await db.updateTable('clients').set({ metadata }).where('id', '=', id).execute()
  const headers = { 'if-match': '*' }
  const renamed = await asAdmin('patch', path, { body: { client_name: 'New' }, headers })
  expect(renamed.status).toBe(400)
  const off = await asAdmin('patch', path, { body: { disabled: true }, headers })
  expect([off.status, off.body.disabled]).toEqual([200, true])
})
