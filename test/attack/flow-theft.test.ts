/**
 * Flows in the wrong hands: an address that was seen (in a proxy's log, over a shoulder), and a cookie that a
 * neighbour under the same domain has planted. Whoever knows a flow's id can make its cookies.
 */
import { expect, test } from 'vitest'
import type { Visitor } from '../../src/demo/visitor.ts'
import { createBrowser, createPerson, password, stepwise } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const app = await createApp(server, { preset: 'web', firstParty: true })

const flowOf = (url: string) => /\/sign-in\/([^/?]+)/.exec(url)?.[1] ?? ''

/** The cookies of a flow, as somebody makes them who has only seen its address. */
async function withForgedCookies(visitor: Visitor, flow: string, path: string): Promise<Response> {
  const others = [...visitor.cookies.values()]
    .filter(({ name }) => name !== 'flow' && name !== 'resume')
    .map((cookie) => `${cookie.name}=${cookie.value}`)
  return fetch(`${origin}${path}`, {
    redirect: 'manual',
    headers: { cookie: [...others, `flow=${flow}`, `resume=${flow}`].join('; ') },
  })
}

const namesOf = (response: Response) =>
  response.headers.getSetCookie().map((cookie) => cookie.split('=')[0])

test('OA-22: whoever knows the address of a flow does not end it in its owner\u2019s place', async () => {
  const person = await createPerson(server)
  const victim = createBrowser(server)
  const page = await victim.get(app.begin().url)
  const flow = flowOf(page.url)
  const attacker = createBrowser(server)
  await attacker.get(app.begin().url)

  const looked = await withForgedCookies(attacker, flow, `/sign-in/${flow}`)
  expect(looked.status).toBe(409)
  expect(await looked.text()).not.toContain('id="password"')

  // The person has given the password, and the browser is about to go on.
  const proven = await stepwise(victim).press(page, 'continue', {
    identifier: person.username,
    password,
  })
  expect(proven.url).toContain(`/oauth2/authorize/${flow}`)
  const stolen = await withForgedCookies(attacker, flow, `/oauth2/authorize/${flow}`)
  expect(stolen.headers.get('location') ?? '').not.toContain('code=')
  expect(namesOf(stolen)).not.toContain('session')
  // And the person has lost nothing.
  expect((await victim.get(proven.url)).url).toContain('code=')
})

test('OA-22: a flow that an attacker began and planted signs nobody in for the attacker', async () => {
  const person = await createPerson(server)
  const attacker = createBrowser(server)
  const begun = await attacker.get(app.begin().url)
  const flow = flowOf(begun.url)

  const victim = createBrowser(server)
  const own = await victim.get(app.begin().url)
  const planted = {
    name: 'flow',
    value: flow,
    path: `/sign-in/${flow}`,
    host: new URL(origin).host,
  }
  victim.cookies.set('planted', planted)
  const page = await victim.get(begun.url)
  expect(page.body).not.toContain('id="password"')

  const form = { ...own, body: own.body.replaceAll(flowOf(own.url), flow) }
  await stepwise(victim).press(form, 'continue', { identifier: person.username, password })
  const back = await attacker.get(`${origin}/oauth2/authorize/${flow}`)
  expect(back.url).not.toContain('code=')
})
