/** How a person signs in on either side. */

import { locationOf, unexpected } from './app.ts'
import { type Browser, formOf } from './browser.ts'
import type { Person } from './cast.ts'
import type { Answer } from './http.ts'

/** Through our pages; resolves with where the app's answer goes. */
export async function signInByPassword(
  browser: Browser,
  authorizeTarget: string,
  person: Person,
  password: string,
): Promise<string> {
  const answer = await enterPassword(browser, authorizeTarget, person, password)
  if (answer.status === 422) throw unexpected('sign-in', answer)
  return locationOf(await browser.follow(answer))
}

/** What the password's POST was answered with. */
export async function enterPassword(
  browser: Browser,
  authorizeTarget: string,
  { username }: Person,
  password: string,
): Promise<Answer> {
  const page = await browser.follow(await browser.get(authorizeTarget))
  const { action, fields } = formOf(page)
  return browser.post(action, { ...fields, identifier: username, password })
}

/** The baseline believes the hint. */
export async function signInByHint(
  browser: Browser,
  authorizeTarget: string,
  { username }: Person,
): Promise<string> {
  const first = await browser.get(`${authorizeTarget}&login_hint=${username}`)
  return locationOf(await browser.follow(first))
}
