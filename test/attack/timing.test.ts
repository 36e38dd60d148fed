/**
 * What time says about who is here (EN-01, EN-03, EN-05): nothing. First by construction, the same statements and one hash
 * whoever is named; then by the clock, over HTTP and interleaved, which `npm run test:long` judges statistically.
 */

import type { Context } from 'koa'
import type { KyselyPlugin } from 'kysely'
import { expect, test } from 'vitest'
import { beginProof } from '../../src/credentials/mail-proofs.ts'
import { createPasswordHasher } from '../../src/credentials/password-hasher.ts'
import { createKeyring } from '../../src/crypto.ts'
import type { Db } from '../../src/database/connection.ts'
import { createLimits } from '../../src/http/limits.ts'
import { createSignInLimits } from '../../src/http/sign-in-limits.ts'
import { createPasswordCheck } from '../../src/pages/password-check.ts'
import { createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'
import { compareSamples } from '../support/statistics.ts'

const server = await startTestServer({ crontab: '' })
const { db, pool } = server.database
const known = await createPerson(server)
const disabled = await createPerson(server)
const passkeyOnly = await createPerson(server)
const change = (id: string, set: object) =>
  db.updateTable('accounts').set(set).where('id', '=', id).execute()
await change(disabled.id, { status: 'disabled' })
await change(passkeyOnly.id, { passwordHash: null })

const identifiers = {
  unknown: 'nobody-here',
  'unknown address': 'nobody@example.org',
  known: known.username,
  'known address': known.email,
  disabled: disabled.username,
  'passkey only': passkeyOnly.username,
}

/** Every statement that passes, values left out. */
function listenTo(database: Db): { db: Db; statements: string[] } {
  const statements: string[] = []
  const plugin: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => {
      statements.push(database.getExecutor().compileQuery(node, queryId).sql)
      return node
    },
    transformResult: async ({ result }) => result,
  }
  return { db: database.withPlugin(plugin), statements }
}

test('a wrong password costs the same statements and one hash, whoever is named', async () => {
  async function everythingFor(identifier: string) {
    const ear = listenTo(db)
    const hashes: string[] = []
    const hasher = createPasswordHasher({ onJob: () => void hashes.push('one') })
    const asked: string[] = []
    const counted = Object.assign(Object.create(pool), {
      query: (...given: [{ text?: string } | string]) => {
        const [first] = given
        asked.push(typeof first === 'string' ? first : (first.text ?? ''))
        return (pool.query as (...all: unknown[]) => unknown).call(pool, ...given)
      },
    }) as typeof pool
    const limits = createLimits({
      pool: counted,
      keyring: createKeyring(['k'.repeat(32)]),
      factor: 1000,
    })
    const check = createPasswordCheck({
      database: { db: ear.db, pool },
      hasher,
      signInLimits: createSignInLimits(limits),
      knownDevices: { find: () => undefined, remember: () => {} },
      onSignIn: () => {},
    })
    const ctx = {
      state: { address: '192.0.2.1', origin: {} },
      req: {},
      res: { once() {}, off() {} },
    }
    const account = await check(ctx as unknown as Context, { identifier, password: 'not it' })
    expect(account).toBeUndefined()
    // Of the look-up one line differs, by whether an address was typed, which the typist knows.
    const statements = ear.statements.map((text) =>
      /^select \* from "accounts"/.test(text) ? 'look-up' : text,
    )
    return { statements, hashes, asked: asked.length }
  }
  const unknown = await everythingFor(identifiers.unknown)
  expect(unknown).toMatchObject({ hashes: ['one'], statements: ['look-up', expect.any(String)] })
  for (const [who, identifier] of Object.entries(identifiers))
    expect([who, await everythingFor(identifier)]).toEqual([who, unknown])
})

test('a mail for a new password is asked for by the same statements, whoever has the address', async () => {
  async function everythingFor(email: string) {
    const ear = listenTo(db)
    const address = { email, canonical: email }
    await beginProof(ear.db, { purpose: 'reset-password', address, locale: 'en' }, {})
    return ear.statements
  }
  const unknown = await everythingFor('nobody@example.org')
  expect(unknown.length).toBeGreaterThan(0)
  for (const { email } of [known, disabled, passkeyOnly])
    expect(await everythingFor(email)).toEqual(unknown)
})

const isLong = rounds >= 100
const samples = isLong ? 300 : 3
/** Six standard deviations and an effect that a guesser could use; noise is far below the one, a difference of 1 ms above both. */
const noticed = { z: 6, effect: 0.1 }

type Trial = { status: number; words: string; ms: number }

/** One of each after the other, so that whatever slows the machine slows all of them. */
async function interleave(cases: Record<string, string>, act: (value: string) => Promise<Trial>) {
  const times: Record<string, number[]> = {}
  const answers: Record<string, Set<string>> = {}
  for (let round = 0; round < samples + 2; round++) {
    const order = Object.keys(cases).sort(() => Math.random() - 0.5)
    for (const name of order) {
      const { status, words, ms } = await act(cases[name] ?? '')
      answers[name] = (answers[name] ?? new Set()).add(`${status} ${words}`)
      if (round < 2) continue
      times[name] = [...(times[name] ?? []), ms]
    }
  }
  return { times, answers }
}

function expectNothingToTell({ times, answers }: Awaited<ReturnType<typeof interleave>>): void {
  const [first, ...others] = Object.keys(times)
  for (const other of others) {
    expect([other, answers[other]]).toEqual([other, answers[first ?? '']])
    if (!isLong) continue
    const { effect, z } = compareSamples(times[first ?? ''] ?? [], times[other] ?? [])
    const told = Math.abs(z) > noticed.z && Math.abs(effect - 0.5) > noticed.effect
    expect({ other, effect, z, told }).toMatchObject({ told: false })
  }
}

test('by the clock a sign-in tells nobody from anybody', async () => {
  const app = await createApp(server)
  const visitor = createBrowser(server)
  const page = await visitor.get(app.begin().url)
  expectNothingToTell(
    await interleave(identifiers, async (identifier) => {
      const begun = performance.now()
      const { status, error = '' } = await visitor.press(page, 'continue', {
        identifier,
        password: 'not it',
      })
      expect(status).toBe(422)
      return { status, words: error, ms: performance.now() - begun }
    }),
  )
})

test('by the clock a mail for a new password tells nobody from anybody', async () => {
  const cases = { unknown: 'nobody@example.org', known: known.email, disabled: disabled.email }
  expectNothingToTell(
    await interleave(cases, async (email) => {
      const visitor = createBrowser(server)
      const form = await visitor.get(`${server.origin}/reset-password`)
      const begun = performance.now()
      const { status, body } = await visitor.press(form, 'continue', { email })
      expect(body).toContain('id="code"')
      return { status, words: '', ms: performance.now() - begun }
    }),
  )
})

test('by the clock a registration tells no owned address from a free one', async () => {
  let count = 0
  const cases = {
    unknown: 'nobody@example.org',
    known: known.email,
    'passkey only': passkeyOnly.email,
  }
  expectNothingToTell(
    await interleave(cases, async (email) => {
      const begun = performance.now()
      const { status } = await fetch(`${server.origin}/api/registrations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          username: `timed${++count}`,
          email,
          password: 'a long and quiet river',
        }),
      })
      expect(status).toBe(202)
      return { status, words: '', ms: performance.now() - begun }
    }),
  )
})

test('a difference would be noticed', () => {
  const quick = Array.from({ length: 300 }, () => 10 + Math.random() * 4)
  const slow = Array.from({ length: 300 }, () => 11 + Math.random() * 4)
  const seen = compareSamples(quick, slow)
  expect(Math.abs(seen.z)).toBeGreaterThan(noticed.z)
  expect(Math.abs(seen.effect - 0.5)).toBeGreaterThan(noticed.effect)
  const same = compareSamples(quick, [...quick])
  expect([same.effect, same.z]).toEqual([0.5, 0])
})
