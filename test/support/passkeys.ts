/** A visitor with an authenticator: what the script of our pages does, done over HTTP. */
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import type { Authenticator, Wrong } from './authenticator.ts'
import type { TestServer } from './server.ts'

/** What the server answers to the form of a ceremony, the first of the page. */
export async function optionsOf(visitor: Visitor, page: Page) {
  const [form = ''] = /<form[^>]*data-passkey[\s\S]*?<\/form>/.exec(page.body) ?? []
  const [, action] = /data-options="([^"]*)"/.exec(form) ?? []
  const [, csrf] = /name="csrf" value="([^"]*)"/.exec(form) ?? []
  if (!action || !csrf) throw new Error(`no passkeys at ${page.url}`)
  const body = `<form action="${action}"><input name="csrf" value="${csrf}"><button id="ask"></button></form>`
  const answer = await visitor.press({ ...page, body }, 'ask')
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
  return JSON.parse(answer.body)
}

/** Signed in already: makes a passkey at the account page. */
export async function makePasskey(
  server: Pick<TestServer, 'origin'>,
  visitor: Visitor,
  device: Authenticator,
  wrong?: Wrong,
): Promise<Page> {
  const page = await visitor.get(`${server.origin}/account/passkeys`)
  const answer = device.create(await optionsOf(visitor, page), wrong)
  return visitor.press(page, 'add', { answer })
}

/** From a sign-in page to the page that asks for the code, without a password. */
export async function beginWithoutPassword(
  visitor: Visitor,
  signIn: Page,
  username: string,
): Promise<Page> {
  const form = await visitor.follow(signIn, 'register')
  const email = `${username}@example.org`
  return visitor.press(form, 'without-password', { username, email })
}
