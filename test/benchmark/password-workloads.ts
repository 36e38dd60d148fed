/** W6 and W7: what people do who give a password, which no faster machine of ours makes cheap. */
import { decodeJwt } from 'jose'
import { ask, codeOf, locationOf, redeem, signInScope, unexpected } from './app.ts'
import { createBrowser } from './browser.ts'
import type { MailSink } from './mail-sink.ts'
import { nameOf } from './seed.ts'
import { enterPassword } from './sign-in.ts'
import type { Target, Visitor } from './target.ts'
import type { Workload } from './workloads.ts'

export function passwordWorkloads(
  visitorOf: (target: Target, lane: number, index: number) => Visitor,
  mail: MailSink,
): Workload[] {
  let registered = 0
  return [
    {
      name: 'W6',
      title: 'sign-in by password on the pages, 5 % wrong',
      baseline: 'raw hash',
      async operation(target, lane, index) {
        const { person } = visitorOf(target, lane, index)
        const { cast, http, origin } = target
        const browser = createBrowser(http, origin)
        const asked = ask(target, signInScope)
        const wrong = index % 20 === 19
        const password = wrong ? 'not the right one' : cast.password
        const answer = await enterPassword(browser, asked.target, person, password)
        if (wrong) {
          if (answer.status !== 422) throw unexpected('a wrong password', answer)
          return
        }
        const location = locationOf(await browser.follow(answer))
        const tokens = await redeem(target, asked, codeOf(target, asked, location))
        if (decodeJwt(tokens.id_token as string).sub !== person.id) {
          throw new Error('somebody else was signed in')
        }
      },
    },
    {
      name: 'W7',
      title: 'registration, mailed code, verification',
      baseline: 'raw hash',
      async operation(target, lane, index) {
        const person = newcomer(++registered)
        await register(target, mail, person)
        if (index % 20 !== 19) return
        const asked = ask(target, signInScope)
        const browser = createBrowser(target.http, target.origin)
        const location = await target.signIn(browser, asked.target, person)
        const tokens = await redeem(target, asked, codeOf(target, asked, location))
        const { preferred_username: username } = decodeJwt(tokens.id_token ?? '')
        if (username !== person.username) throw new Error(`lane ${lane}: somebody else came in`)
      },
    },
  ]
}

function newcomer(number: number) {
  const username = nameOf(number, 'joined')
  return { id: '', username, email: `${username}@bench.test`, name: `Newcomer ${number}` }
}

async function register(
  { http, cast }: Target,
  mail: MailSink,
  { username, email, name }: ReturnType<typeof newcomer>,
): Promise<void> {
  const send = (target: string, body: object, handle?: string) =>
    http.send({
      method: 'POST',
      target,
      headers: {
        'Content-Type': 'application/json',
        ...(handle && { Authorization: `Bearer ${handle}` }),
      },
      body: JSON.stringify(body),
    })
  const begun = await send('/api/registrations', { username, email, name, password: cast.password })
  if (begun.status !== 202) throw unexpected('registration', begun)
  const { id, handle } = JSON.parse(begun.body) as { id: string; handle: string }
  const code = await mail.code(email)
  const verified = await send(`/api/registrations/${id}/verification`, { code }, handle)
  if (verified.status !== 200 || JSON.parse(verified.body).status !== 'verified') {
    throw unexpected('verification', verified)
  }
}
