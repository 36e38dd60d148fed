/** Short ways that the tests of account pages share: signed-in browsers, mails, aged sessions. */

import type { Visitor } from '../../src/demo/visitor.ts'
import { listMailbox } from '../../src/mail/mailbox.ts'
import { createBrowser, type Person, signInAt } from './person.ts'
import type { TestServer } from './server.ts'

/** A browser in which this person has just signed in to the own account. */
export async function signedIn(
  server: Pick<TestServer, 'origin'>,
  person: Pick<Person, 'username' | 'password'>,
): Promise<Visitor> {
  const browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${server.origin}/sign-in`), person)
  return browser
}

/** Whether the person is still signed in here. */
export async function isSignedIn(server: Pick<TestServer, 'origin'>, browser: Visitor) {
  return (await browser.get(`${server.origin}/account`)).url === `${server.origin}/account`
}

/** As if everybody had signed in so many minutes earlier. */
export async function ageSessions(server: TestServer, minutes: number): Promise<void> {
  await server.database.pool.query(
    `update sessions set signed_in_at = signed_in_at - make_interval(mins => ${minutes})`,
  )
}

/** Waits for the mail to this address whose text matches, the newest first. */
export async function mailTo(server: TestServer, to: string, pattern: RegExp): Promise<string> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const mails = await mailsTo(server, to)
    const found = mails.find((text) => pattern.test(text))
    if (found !== undefined) return pattern.exec(found)?.[1] ?? found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no mail to ${to} says ${pattern}`)
}

export async function mailsTo(server: TestServer, to: string): Promise<string[]> {
  const mails = await listMailbox(server.config.dataDir)
  return mails.filter((mail) => mail.to === to).map(({ text }) => text)
}

/** Until nothing waits in the queue. */
export async function jobsDone(server: TestServer): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { rows } = await server.database.pool.query(
      'select 1 from graphile_worker.jobs where run_at <= now() limit 1',
    )
    if (rows.length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('jobs are still waiting')
}
