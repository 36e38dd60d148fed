/** Signing in with a password and a code: who is let in, who is not yet, and what apps are told of it. */
import { decodeJwt } from 'jose'
import { beforeAll, expect, test } from 'vitest'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { codeOf, createHolder, type Holder } from '../support/factors.ts'
import { createBrowser, createPerson } from '../support/person.ts'
import { type App, createApp, type Parameters } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
let app: App

beforeAll(async () => {
  app = await createApp(server, { firstParty: true })
})

/** At the second step, in a browser of its own. */
async function halfWay(
  person: Holder,
  parameters: Parameters = {},
  visitor = createBrowser(server),
) {
  const request = app.begin(parameters)
  const page = await givePassword(visitor, await visitor.get(request.url), person)
  return { visitor, request, page }
}

function givePassword(visitor: Visitor, page: Page, person: Pick<Holder, 'username' | 'password'>) {
  const { username: identifier, password } = person
  return visitor.press(page, 'continue', { identifier, password })
}

async function claimsAt(request: ReturnType<App['begin']>, page: Page) {
  const { code = '' } = app.answerOf(request, page)
  const answer = await app.redeem(request, code)
  return decodeJwt(answer.body.id_token ?? '')
}

test('whoever has an authenticator is asked for its code, and the app is told of both', async () => {
  const person = await createHolder(server)
  const { visitor, request, page } = await halfWay(person)
  expect(page.url).toMatch(/\/sign-in\/[\w-]+\/code$/)
  const done = await visitor.press(page, 'continue', { code: codeOf(person.secret) })
  expect(await claimsAt(request, done)).toMatchObject({
    acr: '2fa',
    amr: ['pwd', 'otp', 'mfa'],
    sub: person.id,
  })
  // Signed in is signed in: the next app asks nothing.
  const next = app.begin({})
  expect(app.answerOf(next, await visitor.get(next.url)).code).toBeTruthy()
})

test('whoever has none is asked for nothing more', async () => {
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  const request = app.begin()
  const page = await givePassword(visitor, await visitor.get(request.url), person)
  expect(await claimsAt(request, page)).toMatchObject({ acr: '1fa', amr: ['pwd'] })
})
