/**
 * RL-30: keys rotate while people sign in, apps refresh and services verify, on one process and on two. Everybody keeps
 * the key set for exactly as long as they may, and reads it not once earlier: no token is rejected.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { createIdp } from '../cli/support.ts'
import { startBalancer } from '../support/balancer.ts'
import { createDatabase } from '../support/database.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { freePort, startTestServer } from '../support/server.ts'

const maxAge = 2
const api = 'https://api.example.com'
const rotations = Math.max(2, Math.round(rounds / 10))
const secret = 'Zf0r-tests-4nd-long-enough-to-be-one'

async function startNodes(count: number) {
  const database = await createDatabase()
  const balancer = await startBalancer()
  const env = { ISSUER: balancer.origin, JWKS_MAX_AGE: String(maxAge), SECRET_KEY: secret }
  const ports = await Promise.all(Array.from({ length: count }, freePort))
  balancer.spread(ports)
  const nodes = await Promise.all(
    ports.map((port) => startTestServer({ database, env: { ...env, PORT: String(port) } })),
  )
  const idp = createIdp(database.url, env)
  return { nodes, server: { origin: balancer.origin, database }, idp }
}

/** Keeps the key set for as long as its cache header allows, to the last moment. */
function createVerifier(origin: string) {
  const cacheMaxAge = maxAge * 1000
  // The cool-down keeps it from looking again for a key that it does not know.
  const options = { cacheMaxAge, cooldownDuration: cacheMaxAge }
  return createRemoteJWKSet(new URL(`${origin}/oauth2/jwks`), options)
}

/** They read the key set at moments of their own, so that one of them has just missed whatever is new. */
async function createVerifiers(origin: string) {
  const verifiers = Array.from({ length: 10 }, () => createVerifier(origin))
  for (const verifier of verifiers) {
    await verifier.reload()
    await sleep((maxAge * 1000) / verifiers.length)
  }
  return verifiers
}

test.each([1, 2])(
  'RL-30: keys rotate by hand under load on %i process(es), and nothing fails',
  async (count) => {
    const { nodes, server, idp } = await startNodes(count)
    const { db } = server.database
    await createApi(db, { identifier: api, scopes: ['read'] }, { actor: { kind: 'operator' } })
    const apps = await Promise.all(
      ['RS256', 'ES256', 'EdDSA'].map((idTokenAlg) => createApp(server, { idTokenAlg })),
    )
    const service = await createApp(server, { preset: 'service', apis: [api] })
    const person = await createPerson(server)
    const verifiers = await createVerifiers(server.origin)
    const seen = new Set<string>()
    const tokens: string[] = []
    const failures: string[] = []
    let done = 0
    let running = true

    async function verify(token: string | undefined): Promise<void> {
      if (!token) throw new Error('no token came')
      tokens.push(token)
      for (const keys of verifiers) await jwtVerify(token, keys, { issuer: server.origin })
      seen.add(decodeProtectedHeader(token).kid ?? '')
    }
    async function keepDoing(what: string, act: (round: number) => Promise<void>): Promise<void> {
      for (let round = 0; running; round++) {
        await act(round).then(
          () => done++,
          (error: Error) => failures.push(`${what}: ${error.message}`),
        )
        await sleep(10)
      }
    }
    const appOf = (round: number) => apps[round % apps.length] ?? service

    const visitor = createBrowser(server)
    const chains = new Map<number, string | undefined>()
    const load = [
      keepDoing('sign-in with a password', async (round) => {
        const { answer } = await authorize(createBrowser(server), appOf(round), person)
        await verify(answer.body.id_token)
      }),
      keepDoing('sign-in to a second app', async (round) => {
        const { answer } = await authorize(visitor, appOf(round), person)
        await verify(answer.body.id_token)
        expect((await appOf(round).userinfo(answer.body.access_token)).status).toBe(200)
      }),
      keepDoing('refresh', async (round) => {
        const app = appOf(round)
        const which = round % apps.length
        const old = chains.get(which)
        const answer = old
          ? await app.refresh(old)
          : (await authorize(createBrowser(server), app, person)).answer
        expect(answer.body.error).toBeUndefined()
        chains.set(which, answer.body.refresh_token)
        await verify(answer.body.id_token)
      }),
      keepDoing('token for an API', async () => {
        const { body } = await service.post('token', {
          grant_type: 'client_credentials',
          resource: api,
          scope: 'read',
        })
        await verify(body.access_token)
        const { body: told } = await service.introspect(body.access_token)
        expect(told.active).toBe(true)
      }),
      keepDoing('verification of what was signed before', async (round) => {
        const token = tokens[(round * 7919) % (tokens.length || 1)]
        if (!token) return
        for (const keys of verifiers) await jwtVerify(token, keys, { issuer: server.origin })
      }),
      keepDoing('reading the key set', async () => {
        const answer = await fetch(`${server.origin}/oauth2/jwks`)
        expect(answer.headers.get('cache-control')).toBe(`public, max-age=${maxAge}`)
        expect(await answer.text()).not.toMatch(/"(d|p|q|dp|dq|qi|k)":/)
      }),
    ]

    // As soon as it may be: there is always somebody who has read the key set just before it changed.
    let signing: string[] = []
    for (let turn = 0; turn < rotations; ) {
      const { code, stdout, stderr } = await idp(['keys', 'rotate', '--json'])
      expect([0, 5], stderr).toContain(code)
      if (code === 5) await sleep(50)
      else {
        turn++
        signing = JSON.parse(stdout).rotated.map(({ kid }: { kid: string }) => kid)
      }
    }
    await expect
      .poll(() => signing.filter((kid) => !seen.has(kid)), { timeout: 20_000 })
      .toEqual([])
    // Every process has the last keys by then, and every verifier has read them.
    await sleep(2000 + maxAge * 1000)
    running = false
    await Promise.all(load)

    expect(failures).toEqual([])
    expect(done).toBeGreaterThan(50)
    for (const { log } of nodes)
      expect(log.filter((line) => line.includes('"/oauth2/token"')).length).toBeGreaterThan(10)
    const fresh = createVerifier(server.origin)
    for (const token of tokens) await jwtVerify(token, fresh, { issuer: server.origin })
  },
  120_000,
)
