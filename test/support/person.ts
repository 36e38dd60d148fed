/** People who are here already, and the short way through sign-in and consent that most journeys begin with. */
import { createAccount } from '../../src/accounts/accounts.ts'
import { canonicalEmail } from '../../src/accounts/email.ts'
import { createPasswordHasher } from '../../src/credentials/password-hasher.ts'
import { createVisitor, type Page, type Visitor } from '../../src/demo/visitor.ts'
import type { Answer, App, Parameters, Request } from './relying-party.ts'
import type { TestServer } from './server.ts'

export type Person = { id: string; username: string; email: string; password: string }

export const password = 'a long and quiet river'
let passwordHash: Promise<string> | undefined
let count = 0

/** Proven and active. Everybody has the same password, so it is hashed once. */
export async function createPerson(
  { database }: Pick<TestServer, 'database'>,
  more: { username?: string; roles?: string[]; locale?: string } = {},
): Promise<Person> {
  passwordHash ??= createPasswordHasher().hash(password)
  const username = more.username ?? `person${++count}`
  const address = canonicalEmail(`${username}@example.org`)
  if (!address.ok) throw new Error(address.code)
  const made = await createAccount(
    database.db,
    { ...more, username, passwordHash: await passwordHash, address },
    { kind: 'operator' },
  )
  if (!made.ok) throw new Error(JSON.stringify(made.errors))
  return { id: made.id, username, email: address.email, password }
}

export function createBrowser(server: Pick<TestServer, 'origin'>, language?: string): Visitor {
  return createVisitor({
    at: [server.origin],
    ...(language ? { headers: { 'accept-language': language } } : {}),
  })
}

/** From the sign-in page on: password, then a yes to whatever the consent page asks. Ends at the app. */
export async function signInAt(
  visitor: Visitor,
  page: Page,
  person: Pick<Person, 'username' | 'password'>,
): Promise<Page> {
  const next = await visitor.press(page, 'continue', {
    identifier: person.username,
    password: person.password,
  })
  return isConsent(next) ? visitor.press(next, 'continue') : next
}

export function isConsent(page: Page): boolean {
  return page.url.endsWith('/consent')
}

export type Granted = { request: Request; code: string; answer: Answer; page: Page }

/**
 * An authorization request in this browser from beginning to tokens; signs in and consents where asked.
 */
export async function authorize(
  visitor: Visitor,
  app: App,
  person: Pick<Person, 'username' | 'password'>,
  parameters: Parameters = {},
): Promise<Granted> {
  const { request, code, page } = await obtainCode(visitor, app, person, parameters)
  return { request, code, page, answer: await app.redeem(request, code) }
}

/** The same without redeeming the code. */
export async function obtainCode(
  visitor: Visitor,
  app: App,
  person: Pick<Person, 'username' | 'password'>,
  parameters: Parameters = {},
): Promise<{ request: Request; code: string; page: Page }> {
  const request = app.begin(parameters)
  const page = await walk(visitor, request, person)
  const { code = '' } = app.answerOf(request, page)
  return { request, code, page }
}

/** From a request to the page at the app; signs in and consents where asked. */
export async function walk(
  visitor: Visitor,
  request: Pick<Request, 'url'>,
  person: Pick<Person, 'username' | 'password'>,
): Promise<Page> {
  const page = await visitor.get(request.url)
  if (!page.url.includes('/sign-in/')) return page
  return isConsent(page) ? visitor.press(page, 'continue') : signInAt(visitor, page, person)
}

/** The same browser, stopping at every redirect: `url` is then where it would go. */
export function stepwise(visitor: Visitor): Visitor {
  const slow = createVisitor({ at: [] })
  const withJar = async (act: () => Promise<Page>): Promise<Page> => {
    copy(visitor.cookies, slow.cookies)
    const page = await act()
    copy(slow.cookies, visitor.cookies)
    return page
  }
  return {
    cookies: visitor.cookies,
    get: (url) => withJar(() => slow.get(url)),
    press: (page, button, fields) => withJar(() => slow.press(page, button, fields)),
    follow: (page, link) => withJar(() => slow.follow(page, link)),
  }
}

function copy<K, V>(from: Map<K, V>, to: Map<K, V>): void {
  to.clear()
  for (const [key, value] of from) to.set(key, value)
}
