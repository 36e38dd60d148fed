/** What is counted at the door of our own API, and for whom: bad tokens by address, people by app, services not at all. */
import type { Context } from 'koa'
import { expect, test } from 'vitest'
import { type BearerDeps, createBearer } from '../../src/api/bearer.ts'
import { createKeyring, randomToken } from '../../src/crypto.ts'
import { limitTable } from '../../src/http/limit-table.ts'
import { createLimits } from '../../src/http/limits.ts'
import { createDatabase } from '../support/database.ts'

const { pool } = await createDatabase()
const issuer = 'https://id.example.org'
const factor = 0.01
const most = (name: 'api-address' | 'api-caller') =>
  Math.ceil((limitTable[name].windows[0]?.points ?? 0) * factor)

/** Tokens read `client.person` here; `bad` is none. */
function door() {
  const limits = createLimits({ pool, keyring: createKeyring([randomToken()]), factor })
  const scopes = ['account', 'access:evaluate']
  const accessToken = async (value: string) => {
    const [clientId = '', accountId] = value.split('.')
    if (clientId === 'bad') return undefined
    const own = {
      sub: value,
      clientId,
      audience: `${issuer}/api`,
      scopes,
      expiresAt: 0,
      proven: {},
    }
    return accountId ? { ...own, accountId } : own
  }
  const clients = {
    client: async (id: string) => ({ id, apis: [{ identifier: `${issuer}/api`, scopes }] }),
  }
  const engine = () => ({ tokens: { accessToken } })
  const bearer = createBearer({ issuer, limits, clients, engine } as unknown as BearerDeps)
  return (value: string, address = '192.0.2.1') => {
    const ctx = { state: { address }, get: () => `Bearer ${value}`, set: () => {} }
    const asked = { scope: 'access:evaluate' } as const
    return bearer.requireToken(ctx as unknown as Context, asked).then(
      () => 'in',
      (error: { code: string }) => error.code,
    )
  }
}

const many = async (count: number, ask: () => Promise<string>) => {
  const answers: string[] = []
  for (let each = 0; each < count; each++) answers.push(await ask())
  return answers
}

test('bad tokens are counted for their address, and stop it; other addresses go on', async () => {
  const ask = door()
  const answers = await many(most('api-address') + 1, () => ask('bad'))
  expect(new Set(answers.slice(0, -1))).toEqual(new Set(['invalid_token']))
  expect(answers.at(-1)).toBe('too_many_requests')
  expect(await ask('portal.ada', '198.51.100.7')).toBe('in')
})

test("a person's calls are counted by app: what one app uses up no other lacks", async () => {
  const ask = door()
  const answers = await many(most('api-caller') + 1, () => ask('hungry.ada'))
  expect(answers.at(-1)).toBe('too_many_requests')
  expect(await ask('portal.ada')).toBe('in')
  expect(await ask('hungry.grace')).toBe('in')
})

test('a service asks as often as it must', async () => {
  const ask = door()
  const count = most('api-address') + most('api-caller') + 1
  expect(new Set(await many(count, () => ask('service')))).toEqual(new Set(['in']))
})
