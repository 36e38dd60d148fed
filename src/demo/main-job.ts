/**
 * The main job, step by step: somebody who was never here registers, proves the mailbox, signs in to an app, opens a
 * second one without typing, and signs out. Through the real pages and the demo apps, over HTTP, as a browser would.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config.ts'
import type { Logger } from '../logger.ts'
import { notesApi } from './api.ts'
import { idp } from './idp.ts'
import { expect, expectClaims, expectCode, isHome, shown, where } from './seen.ts'
import { appOrigin, type Demo, startDemo } from './start.ts'
import type { Page, Visitor } from './visitor.ts'

/** What the steps share. Each goes on where the one before left `page`. */
export type Job = {
  /** The settings, for commands; `config` is the same as it was read. */
  env: Record<string, string>
  config: Config
  logger: Logger
  visitor: Visitor
  person: { username: string; name: string; email: string; password: string }
  page: Page
  /** As mailed. */
  code: string
  /** As the first ID token named the person. */
  sub: string
  demo?: Promise<Demo>
}

/** Throws an error in words when the step does not work. */
export type Step = { name: string; run(job: Job): Promise<void> }

const mailPatienceMs = 15_000

export const mainJob: Step[] = [
  { name: 'start the provider and two apps on a new database', run: start },
  { name: 'register an app with idp, and have it tested', run: useCommands },
  { name: 'open the app, and be asked to sign in', run: openApp },
  { name: 'register a person', run: register },
  { name: 'read the mailed code', run: readCode },
  { name: 'prove the mailbox with the code', run: proveMailbox },
  { name: 'consent to the app', run: consent },
  { name: 'redeem the code with PKCE', run: redeem },
  { name: 'check the ID token', run: checkIdToken },
  { name: 'call userinfo', run: callUserinfo },
  { name: 'call an API with a JWT access token', run: callApi },
  { name: 'refresh', run: refresh },
  { name: 'open a second app without typing', run: openSecondApp },
  { name: 'sign out', run: signOut },
  { name: 'sign in with the password', run: signInWithPassword },
  { name: 'stop', run: stop },
]

async function start(job: Job): Promise<void> {
  job.demo = startDemo(job.config, job.logger)
  await job.demo
  const ready = await fetch(`${job.config.issuer}/readyz`)
  expect(ready.ok, `/readyz answered ${ready.status}: ${await ready.text()}`)
}

/** Beside the running server, as an admin would. */
async function useCommands(job: Job): Promise<void> {
  const { first } = await running(job)
  const flags = ['--preset', 'generic', '--app-url', first.url, '--json']
  const made = JSON.parse(await idp(job.env, ['clients', 'create', 'Another app', ...flags]))
  const { client_id: id, client_secret: secret } = made.client as Record<string, string>
  await idp(job.env, ['clients', 'test', String(id), '--secret-stdin'], secret)
}

async function openApp(job: Job): Promise<void> {
  const { first } = await running(job)
  job.page = await job.visitor.get(`${first.url}/sign-in`)
  expect(/id="register"/.test(job.page.body), `no way to register at ${where(job.page)}`)
}

async function register(job: Job): Promise<void> {
  const { visitor, person } = job
  const form = await visitor.follow(job.page, 'register')
  job.page = await visitor.press(form, 'continue', person)
  expect(job.page.url.endsWith('/verify-email'), `not asked for a code at ${where(job.page)}`)
}

async function readCode(job: Job): Promise<void> {
  const { config, person } = job
  const giveUpAt = Date.now() + mailPatienceMs
  for (job.code = ''; job.code === ''; ) {
    const response = await fetch(`${config.issuer}/dev/mailbox`, {
      headers: { accept: 'application/json' },
    })
    expect(response.ok, `/dev/mailbox answered ${response.status}`)
    const mails = (await response.json()) as { to: string; text: string }[]
    const mail = mails.find(({ to }) => to === person.email)
    job.code = /\b\d{6}\b/.exec(mail?.text ?? '')?.[0] ?? ''
    expect(Date.now() < giveUpAt, `no mail with a code for ${person.email} in the mailbox`)
    if (job.code === '') await sleep(50)
  }
}

async function proveMailbox(job: Job): Promise<void> {
  job.page = await job.visitor.press(job.page, 'continue', { code: job.code })
  expect(job.page.url.endsWith('/consent'), `not asked for consent at ${where(job.page)}`)
}

async function consent(job: Job): Promise<void> {
  const { first } = await running(job)
  job.page = await job.visitor.press(job.page, 'continue')
  expectCode(job.page, first)
}

async function redeem(job: Job): Promise<void> {
  const { first } = await running(job)
  const answer = await job.visitor.get(job.page.url)
  expect(isHome(answer, first), `not signed in at ${where(answer)}`)
  job.page = await job.visitor.get(first.url)
}

async function checkIdToken(job: Job): Promise<void> {
  const { config, person, page } = job
  const { first } = await running(job)
  // openid-client has checked signature, issuer, audience, times and nonce; this is what apps read.
  const claims = shown(page, 'claims')
  expectClaims(claims, {
    iss: config.issuer,
    aud: first.clientId,
    preferred_username: person.username,
    name: person.name,
    email: person.email,
    email_verified: true,
  })
  expect(typeof claims.sub === 'string' && claims.sub !== '', 'the ID token names nobody (sub)')
  job.sub = String(claims.sub)
}

async function callUserinfo(job: Job): Promise<void> {
  const { sub, person } = job
  job.page = await pressInApp(job, 'userinfo')
  const { username: preferred_username, email } = person
  expectClaims(shown(job.page, 'answer'), { sub, preferred_username, email, email_verified: true })
}

async function callApi(job: Job): Promise<void> {
  const { first } = await running(job)
  job.page = await pressInApp(job, 'call-api')
  expectClaims(shown(job.page, 'answer'), { for: job.sub, askedBy: first.clientId })
  const stranger = await fetch(`${appOrigin(job.config)}${notesApi.path}`)
  expect(stranger.status === 401, `the API answered ${stranger.status} to a call without a token`)
}

async function refresh(job: Job): Promise<void> {
  job.page = await pressInApp(job, 'refresh')
  const count = /id="refreshes">(\d+)</.exec(job.page.body)?.[1]
  expect(count === '1', `not refreshed at ${where(job.page)}`)
  // The new access token works.
  job.page = await pressInApp(job, 'userinfo')
  expectClaims(shown(job.page, 'answer'), { sub: job.sub })
}

async function openSecondApp(job: Job): Promise<void> {
  const { second } = await running(job)
  const answer = await job.visitor.get(`${second.url}/sign-in`)
  expectCode(answer, second)
  await job.visitor.get(answer.url)
  const claims = shown(await job.visitor.get(second.url), 'claims')
  expectClaims(claims, { sub: job.sub, aud: second.clientId })
}

async function signOut(job: Job): Promise<void> {
  const { first } = await running(job)
  const question = await job.visitor.press(job.page, 'sign-out')
  const answer = await job.visitor.press(question, 'continue')
  expect(isHome(answer, first), `not back at the app but at ${where(answer)}`)
  const home = await job.visitor.get(first.url)
  expect(/id="signed-out"/.test(home.body), `still signed in at ${where(home)}`)
  job.page = await job.visitor.get(`${first.url}/sign-in`)
  expect(/id="identifier"/.test(job.page.body), `not asked who it is at ${where(job.page)}`)
}

async function signInWithPassword(job: Job): Promise<void> {
  const { visitor, person } = job
  const { first } = await running(job)
  const { email: identifier, password } = person
  const answer = await visitor.press(job.page, 'continue', { identifier, password })
  // What was allowed before is not asked again.
  expectCode(answer, first)
  await visitor.get(answer.url)
  expectClaims(shown(await visitor.get(first.url), 'claims'), { sub: job.sub })
}

async function stop(job: Job): Promise<void> {
  const { close } = await running(job)
  await close()
}

async function running({ demo }: Job): Promise<Demo> {
  if (!demo) throw new Error('nothing was started')
  return demo
}

/** The app answers a button by sending the browser to its home page. */
async function pressInApp({ visitor, page }: Job, button: string): Promise<Page> {
  const answer = await visitor.press(page, button)
  expect(answer.status < 400, where(answer))
  return visitor.get(answer.url)
}
