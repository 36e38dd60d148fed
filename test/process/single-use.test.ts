/**
 * What may be used once, sent twenty times at the same moment to two processes on one database: an assertion, a proof,
 * a code, a device's code, a pushed request, a refresh token. No memory of one process can decide these.
 */
import { expect, test } from 'vitest'
import { temporaryDataDir } from '../database/embedded-processes.ts'
import { startBalancer } from '../support/balancer.ts'
import { createKey, createProver, signAssertion } from '../support/client-keys.ts'
import { createDatabase } from '../support/database.ts'
import { askForCode, connect, poll } from '../support/device.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { type Answer, createApp, push } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { freePort } from '../support/server.ts'
import { startServer } from './processes.ts'

const twenty = <T>(act: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: 20 }, (_, index) => act(index)))
const accepted = (answers: Answer[]) => answers.filter(({ status }) => status === 200)
const errorsOf = (answers: Answer[]) => [
  ...new Set(answers.filter(({ status }) => status !== 200).map(({ body }) => body.error)),
]

test('twenty of each at once over two processes: exactly one is accepted, and what a replayed code gave is dead', async () => {
  const database = await createDatabase()
  const balancer = await startBalancer()
  const { origin } = balancer
  const env = {
    ISSUER: origin,
    DATABASE_URL: database.url,
    DATA_DIR: temporaryDataDir(),
    SECRET_KEY: 'Zf0r-tests-4nd-long-enough-to-be-one',
    LIMIT_FACTOR: '1000',
  }
  const ports = [await freePort(), await freePort()]
  const processes = await Promise.all(
    ports.map((port) => startServer({ ...env, PORT: String(port) })),
  )
  await Promise.all(processes.map((server) => server.ready()))
  expect(new Set(processes.map(({ pid }) => pid)).size).toBe(2)
  balancer.spread(ports)

  const server = { origin, database }
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  const app = await createApp(server)
  const key = await createKey()
  const signer = await createApp(server, { preset: 'service' }, { key })
  const prover = await createProver()
  const bound = await createApp(server, { preset: 'spa' }, { prover })
  const tv = await createApp(server, { preset: 'device' })

  for (let round = 0; round < rounds; round++) {
    // A client assertion (RFC 7523 §3 item 7).
    const client_assertion = await signAssertion(key, { clientId: signer.id, audience: origin })
    const asserted = await twenty(() =>
      signer.post('token', { grant_type: 'client_credentials', client_assertion }),
    )
    expect(accepted(asserted)).toHaveLength(1)
    expect(errorsOf(asserted)).toEqual(['invalid_client'])

    // A proof of possession (RFC 9449 §11.1).
    const { answer } = await authorize(visitor, bound, person)
    const { access_token: accessToken } = answer.body
    const url = `${origin}/oauth2/userinfo`
    const dpop = await prover.prove({ method: 'GET', url, accessToken })
    const headers = { authorization: `DPoP ${accessToken}`, dpop }
    const proofs = await twenty(() => fetch(url, { headers }))
    expect(proofs.map(({ status }) => status).toSorted()).toEqual([200, ...Array(19).fill(401)])

    // A code (RFC 6749 §4.1.2), and what it gave.
    const { request, code } = await obtainCode(visitor, app, person)
    const redeemed = await twenty(() => app.redeem(request, code))
    expect(accepted(redeemed)).toHaveLength(1)
    expect(errorsOf(redeemed)).toEqual(['invalid_grant'])
    const given = accepted(redeemed)[0]?.body
    expect((await app.userinfo(given?.access_token)).status).toBe(401)
    expect((await app.introspect(given?.access_token)).body).toEqual({ active: false })
    expect((await app.refresh(given?.refresh_token)).body.error).toBe('invalid_grant')

    // A device's code (RFC 8628), and what it gave.
    const shown = await askForCode(tv)
    await connect(visitor, shown, person)
    const polled = await twenty(() => poll(tv, shown))
    expect(accepted(polled)).toHaveLength(1)
    expect(errorsOf(polled)).toEqual(['invalid_grant'])
    const connected = accepted(polled)[0]?.body
    expect((await tv.userinfo(connected?.access_token)).status).toBe(401)
    expect((await tv.refresh(connected?.refresh_token)).body.error).toBe('invalid_grant')

    // A pushed request (RFC 9126 §4), opened in twenty tabs of somebody who has consented.
    const pushed = await push(app, app.begin())
    const pages = await twenty(() => visitor.get(pushed.url))
    expect(pages.filter(({ url }) => url.includes('code='))).toHaveLength(1)

    // A refresh token: one successor, which lives.
    const family = await authorize(visitor, app, person)
    const refreshed = await twenty(() => app.refresh(family.answer.body.refresh_token))
    const successors = new Set(accepted(refreshed).map(({ body }) => body.refresh_token))
    expect(successors.size).toBe(1)
    expect((await app.refresh([...successors][0])).status).toBe(200)
  }

  for (const { output } of processes) {
    const asked = output.stdout.split('\n').filter((line) => line.includes('"/oauth2/token"'))
    expect(asked.length).toBeGreaterThan(10)
    expect(output.stdout).not.toMatch(/"level":(50|60)/)
  }
})
