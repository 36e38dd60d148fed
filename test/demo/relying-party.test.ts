/** What the demo app does when the person, the provider or a stranger does not do what it hoped for. */
import { expect, test } from 'vitest'
import { createVisitor, type Page, type Visitor } from '../../src/demo/visitor.ts'
import { createDatabase } from '../support/database.ts'
import { startTestDemo } from '../support/demo.ts'
import { createPerson, signInAt } from '../support/person.ts'

const database = await createDatabase()
const { demo, issuer } = await startTestDemo(database)
const { first, second } = demo
const person = await createPerson({ database })

function newcomer(): Visitor {
  return createVisitor({ at: [issuer] })
}

/** Signs in, up to the answer that the app has not yet seen. */
async function answerFor(visitor: Visitor, app = first): Promise<string> {
  return (await signInAt(visitor, await visitor.get(`${app.url}/sign-in`), person)).url
}

async function signedIn(): Promise<{ visitor: Visitor; home: Page }> {
  const visitor = newcomer()
  await visitor.get(await answerFor(visitor))
  return { visitor, home: await visitor.get(first.url) }
}

test('the first app asks for consent; saying no signs nobody in, in words', async () => {
  const visitor = newcomer()
  const consent = await visitor.press(await visitor.get(`${first.url}/sign-in`), 'continue', {
    identifier: person.username,
    password: person.password,
  })
  expect(consent.url).toMatch(/\/consent$/)

  const refused = await visitor.get((await visitor.press(consent, 'cancel')).url)

  expect(refused.status).toBe(400)
  expect(refused.error).toBe('You did not allow it, so nobody is signed in.')
  expect((await visitor.get(first.url)).body).toContain('id="signed-out"')
})

test('the second app is our own: no consent, and no page at all for who is signed in', async () => {
  const { visitor } = await signedIn()

  const answer = await visitor.get(`${second.url}/sign-in`)

  expect(answer.url).toMatch(`${second.url}/callback?code=`)
})

test('an answer that was made for another browser is not taken', async () => {
  const stolen = await answerFor(newcomer())

  const page = await newcomer().get(stolen)

  expect(page.status).toBe(400)
  expect(page.error).toMatch(/has not begun to sign in here/)
})

test('an answer to another question is not taken, although this browser asked one', async () => {
  const stolen = await answerFor(newcomer())
  const visitor = newcomer()
  await visitor.get(`${first.url}/sign-in`)

  const page = await visitor.get(stolen)

  expect(page.status).toBe(400)
  expect(page.error).toMatch(/state/)
})

test('an answer is taken once', async () => {
  const visitor = newcomer()
  const answer = await answerFor(visitor)
  await visitor.get(answer)

  expect((await visitor.get(answer)).error).toMatch(/has not begun to sign in here/)
})

test('signing in changes the session id, so that a planted one is worth nothing', async () => {
  const visitor = newcomer()
  const answer = await answerFor(visitor)
  const cookie = () => [...visitor.cookies.values()].find(({ name }) => name.startsWith('demo-'))
  const before = cookie()?.value

  const { headers } = await visitor.get(answer)

  expect(cookie()?.value).not.toBe(before)
  expect(headers.getSetCookie().join()).toMatch(/demo-.*httponly.*/i)
  expect(headers.getSetCookie().join()).toMatch(/samesite=lax/i)
})

test('calling the API again and again works: each refresh token works once, and the next is kept', async () => {
  const { visitor, home } = await signedIn()
  let page = home
  for (const button of ['call-api', 'refresh', 'call-api', 'userinfo', 'refresh']) {
    const answer = await visitor.press(page, button)
    expect(answer.status, `${button}: ${answer.error}`).toBe(302)
    page = await visitor.get(first.url)
  }
  expect(page.body).toMatch(/id="refreshes">2</)
})

test('a button pressed after the session is gone says so', async () => {
  const { visitor, home } = await signedIn()
  await visitor.press(home, 'sign-out')

  expect((await visitor.press(home, 'refresh')).error).toBe('Nobody is signed in here any more.')
})

test('what a person calls themselves is shown, not run', async () => {
  await database.pool.query('update accounts set name = $1', ['<script>alert("x")</script>'])
  const { home } = await signedIn()

  expect(home.body).not.toContain('<script')
  expect(home.body).toContain('&#60;script&#62;')
  expect(home.headers.get('content-security-policy')).toMatch(/default-src 'none'/)
})
