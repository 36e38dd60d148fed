/** Guesses at codes after a right password: what stops a stranger, and never the owner. */
import { expect, test } from 'vitest'
import { codeOf, createHolder, type Holder } from '../support/factors.ts'
import { createBrowser } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({ env: { LIMIT_FACTOR: '1' } })
const app = await createApp(server, { firstParty: true })

async function begin(
  { username: identifier, password }: Holder,
  { parameters = {}, visitor = createBrowser(server) } = {},
) {
  const request = app.begin(parameters)
  const first = await visitor.get(request.url)
  return {
    visitor,
    request,
    page: await visitor.press(first, 'continue', { identifier, password }),
  }
}

test('PW-15: guesses of somebody who has the password stop strangers, and not the owner', async () => {
  const person = await createHolder(server)
  const own = await begin(person)
  const done = await own.visitor.press(own.page, 'continue', { code: codeOf(person.secret, -1) })
  expect(app.answerOf(own.request, done).code).toBeTruthy()
  const statuses: number[] = []
  for (let round = 0; round < 3; round++) {
    const stranger = await begin(person)
    for (let guess = 0; guess < 4; guess++) {
      const page = await stranger.visitor.press(stranger.page, 'continue', { code: '000000' })
      statuses.push(page.status)
    }
  }
  expect(statuses.filter((status) => status === 422)).toHaveLength(10)
  expect(statuses).toContain(429)
  // The owner's browser is known, and counted by itself.
  const again = await begin(person, { visitor: own.visitor, parameters: { prompt: 'login' } })
  const inside = await own.visitor.press(again.page, 'continue', { code: codeOf(person.secret) })
  expect(app.answerOf(again.request, inside).code).toBeTruthy()
})
