/** Guessing passwords over HTTP: counted before they are hashed, in words, and never a lock for the person. */
import { expect, test } from 'vitest'
import { createVisitor } from '../../src/demo/visitor.ts'
import { authorize, createPerson, password } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({
  env: { LIMIT_FACTOR: '1', TRUSTED_PROXIES: '127.0.0.1,::1' },
})
const app = await createApp(server)

/** A browser at another address each time, in a network of its own. */
let networks = 0
const somewhere = () =>
  createVisitor({ at: [server.origin], headers: { 'x-forwarded-for': `203.0.${++networks}.7` } })

/** An account's allowance from one network within five minutes (http/limit-table.ts). */
const allowance = 10

test('PW-14: of two hundred wrong passwords in one burst no more are evaluated than allowed', async () => {
  const person = await createPerson(server)
  const visitor = somewhere()
  const page = await visitor.get(app.begin().url)
  const guesses = await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      visitor.press(page, 'continue', {
        identifier: person.username,
        password: `guess number ${n}`,
      }),
    ),
  )
  const counted = (status: number) => guesses.filter((guess) => guess.status === status).length
  expect(counted(422)).toBeGreaterThan(0)
  expect(counted(422)).toBeLessThanOrEqual(allowance)
  expect(counted(422) + counted(429) + counted(503)).toBe(200)
  const limited = guesses.find(({ status }) => status === 429)
  expect(Number(limited?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(limited?.error).toBeTruthy()
  expect(limited?.body).toContain(`value="${person.username}"`)
  // Nothing of it tells whether the account exists, and the right password does not get through either.
  const right = await visitor.press(page, 'continue', { identifier: person.username, password })
  expect(right.status).toBe(429)
})

test('PW-14: an unknown name is limited in the same words', async () => {
  const other = somewhere()
  const page = await other.get(app.begin().url)
  const statuses = []
  let last = ''
  for (let n = 0; n < allowance + 2; n++) {
    const guess = await other.press(page, 'continue', {
      identifier: 'nobody-here',
      password: 'wrong',
    })
    statuses.push(guess.status)
    last = guess.error ?? ''
  }
  expect(statuses.at(-1)).toBe(429)
  expect(last).not.toMatch(/nobody|account does not/i)
})

test('PW-15: a browser that the account knows still gets in', async () => {
  const person = await createPerson(server)
  const known = somewhere()
  await authorize(known, app, person)
  const stranger = somewhere()
  const page = await stranger.get(app.begin().url)
  for (let n = 0; n < allowance + 1; n++) {
    await stranger.press(page, 'continue', { identifier: person.username, password: `guess ${n}` })
  }
  const request = app.begin({ prompt: 'login' })
  const again = await known.get(request.url)
  const back = await known.press(again, 'continue', { identifier: person.username, password })
  expect(app.answerOf(request, back).code).toBeTruthy()
})

test('EN-12: a username that is used up tells nothing of the address behind it', async () => {
  const person = await createPerson(server)
  const visitor = somewhere()
  const page = await visitor.get(app.begin().url)
  const guess = async (identifier: string) =>
    (await visitor.press(page, 'continue', { identifier, password: 'not this one' })).status
  for (let n = 0; n < allowance; n++) await guess(person.username)
  expect(await guess(person.username)).toBe(429)
  expect([await guess(person.email), await guess('nobody@example.org')]).toEqual([422, 422])
})
